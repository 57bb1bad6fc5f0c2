"""`text`: lines merge three ways against the lines that the writer started from."""

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
    """The new text if its writer saw all, else the merge; where both changed the same lines the later stands."""
    new, there = write.fields.get("value"), cell.value
    if write.saw_all or not isinstance(new, str) or not isinstance(there, str):
        return Outcome(Cell(new))
    merged = merge_lines(write.fields.get("base", ""), there, new)
    return Outcome(Cell(merged.text), (there,) if merged.clashed else ())
