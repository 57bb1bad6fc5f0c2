"""What tests of programs that use a ledger may stand on: time and chance that are the same in every run."""

from __future__ import annotations

import itertools

from ledger.api import Sources
from ledger.core.clock import micros


def fixed(start: str = "2026-11-22T15:13:04.000000Z", step: int = 1_000_000) -> Sources:
    """Time that begins at `start` and goes on by `step` microseconds each time it is asked; counted chance.

    The ids of a run of commands are then the same in every run, and greater in each call than before.
    """
    ticks = itertools.count(micros(start), step)
    return Sources(now=lambda: next(ticks), random62=itertools.count(1).__next__, user="ann", host="desk")
