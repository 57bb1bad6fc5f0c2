"""What tests of programs that use a ledger may stand on: time and chance that are the same in every run."""

from __future__ import annotations

from ledger.api import Sources
from ledger.core.clock import micros


class Clock:
    """A clock that stands still until it is told to go on; asked for the time, it gives microseconds since 1970."""

    def __init__(self, start: str = "2026-11-22T15:13:04.000000Z") -> None:
        self._now = micros(start)

    def __call__(self) -> int:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time go by; backwards too, as real clocks do."""
        self._now += round(seconds * 1_000_000)


def fixed(clock: Clock | None = None) -> Sources:
    """Sources of a run that is the same each time: a clock that stands, no chance, one person at one host.

    Without chance, ids differ by time and counter alone. That is enough for one line of writers; for concurrent
    ones give a `random62` of your own.
    """
    return Sources(now=clock or Clock(), random62=lambda: 0, user="ann", host="desk")
