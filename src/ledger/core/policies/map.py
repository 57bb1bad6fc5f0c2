"""`map`: each field by itself; the later write of a field wins, and the one it did not see is reported lost.

Marks: field -> the id of the write that put it there. A write names the ids it saw of the fields it touches.
"""

from __future__ import annotations

from typing import Any

from ledger.core.policies.policy import Cell, Op, Outcome, Value, Write, text_of
from ledger.errors import Problem

name = "map"
combines = True

MAX_FIELDS = 1024


def problems(value: Value) -> list[Problem]:
    """A mapping of at most 1,024 fields."""
    if not isinstance(value, dict):
        return [Problem("value", "a map holds a mapping of fields to values")]
    if len(value) > MAX_FIELDS:
        return [Problem("value", f"{len(value)} fields; a map holds at most {MAX_FIELDS}")]
    return []


def diff(old: Cell, new: Value) -> Op:
    """The fields that differ, the fields to remove, and the ids seen of both."""
    there = old.value or {}
    fields = {f: v for f, v in new.items() if f not in there or text_of(there[f]) != text_of(v)}
    removed = sorted(f for f in there if f not in new)
    seen = {f: old.marks[f] for f in sorted([*fields, *removed]) if f in old.marks}
    if removed and not fields:
        return Op("context.removed", {"values": removed, "seen": seen})
    return Op("context.set", {"fields": fields, "remove": removed, "seen": seen})


def apply(cell: Cell, write: Write) -> Outcome:
    """The map with its new fields as far as there is room; a remove takes only the write of a field that it saw."""
    seen: dict[str, Any] = write.fields.get("seen", {})
    value, marks = dict(cell.value or {}), dict(cell.marks)
    lost: list[Value] = []
    refused: dict[str, Value] = {}
    for f in filter(_is_name, write.fields.get("remove", write.fields.get("values", ()))):
        if f in value and marks.get(f) == seen.get(f):
            del value[f], marks[f]
    # By name: the event as it was written and as it is read again must leave out the same.
    for f, new in sorted(write.fields.get("fields", {}).items()):
        if f not in value and len(value) >= MAX_FIELDS:
            refused[f] = new
            continue
        if f in value and marks.get(f) != seen.get(f):
            lost.append({f: value[f]})
        value[f], marks[f] = new, write.stamp
    return Outcome(Cell(value, marks), tuple(lost), (refused,) if refused else ())


def _is_name(field: Value) -> bool:
    return isinstance(field, str)
