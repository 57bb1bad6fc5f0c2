"""`counter`: a whole number; increments add up, whoever made them and in whatever order.

Marks: `total`, the exact sum in decimal, only where it lies beyond the 64 bits that a value may have; without
it the order of steps beyond the limit would matter.
"""

from __future__ import annotations

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write
from ledger.errors import Problem

name = "counter"
combines = True

_MIN, _MAX = -(2**63), 2**63 - 1


def problems(value: Value) -> list[Problem]:
    """A whole number of at most 64 bits."""
    return [] if _is_whole(value) else [Problem("value", "a counter holds a whole number of at most 64 bits")]


def diff(old: Cell, new: Value) -> Op:
    """The difference."""
    return Op("context.incremented", {"by": new - _total(old)})


def apply(cell: Cell, write: Write) -> Outcome:
    """The sum, shown within 64 bits."""
    total = _total(cell) + _number(write.fields.get("by"))
    shown = max(_MIN, min(_MAX, total))
    return Outcome(Cell(shown, {} if shown == total else {"total": str(total)}))


def _total(cell: Cell) -> int:
    return int(cell.marks["total"]) if "total" in cell.marks else _number(cell.value)


def _is_whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _MIN <= value <= _MAX


def _number(value: Value) -> int:
    return value if _is_whole(value) else 0
