"""`set`: elements come and go; an add that a remove did not see survives it (an observed-remove set).

Marks: each element's text -> the ids of the adds that hold it there. A remove names the ids it saw.
"""

from __future__ import annotations

from typing import Any

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write, text_of
from ledger.errors import Problem

name = "set"
combines = True

MAX_ELEMENTS = 1024


def problems(value: Value) -> list[Problem]:
    """A list of different elements, at most 1,024."""
    if not isinstance(value, list):
        return [Problem("value", "a set holds a list of elements")]
    broken = []
    if len({text_of(v) for v in value}) != len(value):
        broken.append(Problem("value", "an element stands in the set twice"))
    if len(value) > MAX_ELEMENTS:
        broken.append(Problem("value", f"{len(value)} elements; a set holds at most {MAX_ELEMENTS}"))
    return broken


def diff(old: Cell, new: Value) -> Op:
    """The elements to add, and the ids of the adds to take back."""
    wanted, there = {text_of(v) for v in new}, {text_of(v) for v in old.value or []}
    added = [v for v in new if text_of(v) not in there]
    dropped = sorted(i for text, ids in old.marks.items() if text not in wanted for i in ids)
    if not dropped:
        return Op("context.added", {"values": added})
    removed = [v for v in old.value or [] if text_of(v) not in wanted]
    if not added:
        return Op("context.removed", {"values": removed, "seen": dropped})
    return Op("context.set", {"add": added, "remove": removed, "seen": dropped})


def apply(cell: Cell, write: Write) -> Outcome:
    """The set without the adds that were seen and taken back, with the new ones; beyond the cap, adds are lost."""
    fields = write.fields
    marks = _without(cell.marks, frozenset(fields.get("seen", ())))
    elements = {text_of(v): v for v in cell.value or [] if text_of(v) in marks}
    lost: list[Value] = []
    for value in _added(fields):
        text = text_of(value)
        if text not in marks and len(marks) >= MAX_ELEMENTS:
            lost.append(value)
            continue
        elements[text] = value
        marks[text] = sorted({*marks.get(text, ()), write.stamp})
    return Outcome(Cell([elements[t] for t in sorted(elements)], marks), tuple(lost))


def _added(fields: dict[str, Any]) -> list[Value]:
    # `values` are added by `context.added`, and only named by `context.removed`, which alone has `seen`.
    if "add" in fields:
        return list(fields["add"])
    return [] if "seen" in fields else list(fields.get("values", ()))


def _without(marks: dict[str, list[str]], seen: frozenset[str]) -> dict[str, list[str]]:
    kept = {text: [i for i in ids if i not in seen] for text, ids in marks.items()}
    return {text: ids for text, ids in kept.items() if ids}
