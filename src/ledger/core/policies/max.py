"""`max`: the greater value stays, whoever wrote it and in whatever order."""

from __future__ import annotations

from ledger.core.policies import extreme
from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write
from ledger.errors import Problem

name = "max"
combines = True


def problems(value: Value) -> list[Problem]:
    """A number or a text."""
    return extreme.problems(name, value)


def diff(old: Cell, new: Value) -> Op:
    """The whole new value; it counts only if it is greater than what stands there."""
    return Op("context.set", {"value": new})


def apply(cell: Cell, write: Write) -> Outcome:
    """The greater of the two; anything is greater than no value."""
    new = write.fields.get("value")
    if cell.value is None or extreme.rank(new) > extreme.rank(cell.value):
        return Outcome(Cell(new))
    return Outcome(cell)
