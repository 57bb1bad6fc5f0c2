"""`text`: lines merge three ways against the lines that the writer started from.

The base decides, not whether the last write was seen: one who saw a write before it was merged with another
names the same id in `prev` as one who saw the merged text, and must not undo that other write.
"""

from __future__ import annotations

from ledger.core.lines import merge_lines
from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write
from ledger.errors import Problem

name = "text"
combines = True


def problems(value: Value) -> list[Problem]:
    """A text."""
    return [] if isinstance(value, str) else [Problem("value", "a text policy holds a text")]


def diff(old: Cell, new: Value) -> Op:
    """The whole new text with the whole text it was based on."""
    fields = {"value": new}
    if isinstance(old.value, str) and old.value:
        fields["base"] = old.value
    return Op("context.set", fields)


def apply(cell: Cell, write: Write) -> Outcome:
    """The merge of what stands there with the new text; where both changed the same lines the new one stands."""
    new, there = write.fields.get("value"), cell.value
    if not isinstance(new, str) or not isinstance(there, str):
        return Outcome(Cell(new))
    merged = merge_lines(write.fields.get("base", there if write.saw_all else ""), there, new)
    return Outcome(Cell(merged.text), (there,) if merged.clashed else ())
