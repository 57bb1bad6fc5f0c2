"""`log`: a list that only grows at its end, in the order of the ids; the newest 1,000 items are kept in the state."""

from __future__ import annotations

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write, text_of
from ledger.errors import InvalidError, Problem

name = "log"
combines = True

MAX_ITEMS = 1000


def problems(value: Value) -> list[Problem]:
    """A list of at most 1,000 items."""
    if not isinstance(value, list):
        return [Problem("value", "a log holds a list of items")]
    if len(value) > MAX_ITEMS:
        return [Problem("value", f"{len(value)} items; a log is written at most {MAX_ITEMS} at a time")]
    return []


def diff(old: Cell, new: Value) -> Op:
    """The items at the end of `new`; raises InvalidError if `new` does not start with what is there."""
    there = [text_of(v) for v in old.value or []]
    wanted = [text_of(v) for v in new]
    # A full log drops its oldest items: a list as long continues it that starts later in what is kept.
    is_full = len(there) == len(wanted) == MAX_ITEMS
    for start in range(MAX_ITEMS if is_full else 1):
        kept = there[start:]
        if wanted[: len(kept)] == kept:
            return Op("context.added", {"values": list(new[len(kept) :])})
    raise InvalidError(
        "a log only grows at its end",
        [Problem("value", "does not start with the items that are there")],
        hint="`ledger add KEY ITEM` appends; `ledger delete KEY` starts anew",
    )


def apply(cell: Cell, write: Write) -> Outcome:
    """The list with the new items at its end; the oldest leave the state beyond the cap."""
    items = [*(cell.value or []), *write.fields.get("values", ())]
    return Outcome(Cell(items[-MAX_ITEMS:]))
