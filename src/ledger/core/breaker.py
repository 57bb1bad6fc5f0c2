"""The circuit breaker of a remote: whether it is asked now, after how many failures, and when again.

A rule over two numbers that every process reads from one file. The libraries for this keep their numbers in memory or
in a server, and their pause does not grow; docs/design/machines.md has the comparison.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["closed", "open", "half-open"]

OPENS_AFTER = 3  # failures in a row
_SECOND = 1_000_000
_FIRST = 30 * _SECOND
_LONGEST = 600 * _SECOND


class Breaker(NamedTuple):
    """How often the last tries failed in a row, and when the last one did, in microseconds since 1970."""

    failures: int = 0
    failed: int = 0

    def state(self, now: int) -> State:
        """Closed: ask. Open: do not. Half-open: ask once; what comes of it closes it, or opens it for twice as long."""
        if self.failures < OPENS_AFTER:
            return "closed"
        # A clock that was set back must not keep it open for longer than it would have been.
        return "open" if self.failed <= now < self.asks_again else "half-open"

    @property
    def asks_again(self) -> int:
        """When an open breaker lets one try through, in microseconds since 1970."""
        return self.failed + min(_LONGEST, _FIRST << min(self.failures - OPENS_AFTER, 10))

    def after_failure(self, now: int) -> Breaker:
        """The breaker after one more try that failed."""
        return Breaker(self.failures + 1, now)
