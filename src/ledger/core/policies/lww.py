"""`lww`: the later write wins; what it did not see is kept as a loser by the fold."""

from __future__ import annotations

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write
from ledger.errors import Problem

name = "lww"
combines = False


def problems(value: Value) -> list[Problem]:
    """Any value will do."""
    return []


def diff(old: Cell, new: Value) -> Op:
    """The whole new value."""
    return Op("context.set", {"value": new})


def apply(cell: Cell, write: Write) -> Outcome:
    """The new value, whatever stood there."""
    return Outcome(Cell(write.fields.get("value")))
