"""`set`: elements come and go; an add that a remove did not see survives it (an observed-remove set).

Marks: each element's name -> the ids of the adds that hold it there. A remove names the ids it saw. The name is
the element's text, or the digest of a long one: a key of canonical text has 1,024 characters at most, and a
character of an element can take ten.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write, text_of
from ledger.errors import Problem

name = "set"
combines = True

MAX_ELEMENTS = 1024
_LONGEST_NAME = 100


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
    wanted, there = {name_of(v) for v in new}, {name_of(v) for v in old.value or []}
    added = [v for v in new if name_of(v) not in there]
    removed = [v for v in old.value or [] if name_of(v) not in wanted]
    dropped = sorted({i for v in removed for i in old.marks.get(name_of(v), ())})
    if not removed:
        return Op("context.added", {"values": added})
    if not added:
        return Op("context.removed", {"values": removed, "seen": dropped})
    return Op("context.set", {"add": added, "remove": removed, "seen": dropped})


def apply(cell: Cell, write: Write) -> Outcome:
    """The set without the adds that were seen and taken back, with the new ones as far as there is room."""
    added, removed = parts(write.fields)
    marks = _without(cell.marks, {name_of(v) for v in removed}, frozenset(write.fields.get("seen", ())))
    elements = {name_of(v): v for v in cell.value or [] if name_of(v) in marks}
    refused: list[Value] = []
    for value in added:
        name = name_of(value)
        if name not in marks and len(marks) >= MAX_ELEMENTS:
            refused.append(value)
            continue
        elements[name] = value
        marks[name] = sorted({*marks.get(name, ()), write.stamp})
    return Outcome(Cell(sorted(elements.values(), key=text_of), marks), refused=(refused,) if refused else ())


def name_of(value: Value) -> str:
    """The name of an element in the marks."""
    text = text_of(value)
    if len(text) <= _LONGEST_NAME:
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def parts(fields: dict[str, Any]) -> tuple[list[Value], list[Value]]:
    """The elements that a write adds, and those that it takes back."""
    # `values` are added by `context.added`, and taken back by `context.removed`, which alone has `seen` with it.
    if "values" in fields:
        return ([], fields["values"]) if "seen" in fields else (fields["values"], [])
    return fields.get("add", []), fields.get("remove", [])


def _without(marks: dict[str, list[str]], removed: set[str], seen: frozenset[str]) -> dict[str, list[str]]:
    # An add may have brought several elements under one id, so the id alone does not say which one goes.
    kept = {name: [i for i in ids if i not in seen] if name in removed else ids for name, ids in marks.items()}
    return {name: ids for name, ids in kept.items() if ids}
