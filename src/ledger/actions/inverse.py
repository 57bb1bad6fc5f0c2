"""Inverse: what takes one write back and leaves what others wrote at the key as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ledger.core.entry import Entry
from ledger.core.event import Event
from ledger.core.policies import folding_policy
from ledger.core.policies.policy import EMPTY, Cell, Op, Value, Write, text_of
from ledger.core.policies.set import name_of, parts

# What a policy combines with what stands there; any other write replaces it as a whole.
_STEPS = ("context.set", "context.added", "context.removed", "context.incremented")


@dataclass(frozen=True, slots=True)
class Written:
    """One write of one key: what stood there before it and after it, what stands now, and others' writes unseen."""

    event: Event
    before: Entry | None
    after: Entry | None
    now: Entry | None
    others: Sequence[Event]


class Inverse(NamedTuple):
    """What then stands at the key, the step that leads there, and others' writes that it overrules.

    Without a step, as a log has none, the value is written as a whole.
    """

    then: Entry
    op: Op | None
    overruled: Sequence[Event] = ()


def inverse_of(written: Written) -> Inverse | None:
    """The inverse of a write to a counter, set, map or log; None where only the old value as a whole can come back.

    That is so under any other policy, where a write since has replaced the whole value, and where the write
    made the key and nobody else has written it.
    """
    before, now, policy = written.before, written.now, written.event.data.get("policy")
    if now is None or not all(_is_step(event, policy) for event in (written.event, *written.others)):
        return None
    if any(entry is not None and entry.policy != policy for entry in (before, now)):
        return None
    if before is None and not written.others:
        return None
    if policy == "log":
        return _without_items(written, now)
    op = _step(str(policy), written, _cell(before), now.cell)
    if op is None:
        return None
    cell = folding_policy(str(policy)).apply(now.cell, Write(written.event.id, True, op.fields)).cell
    overruled = _overruled(written) if policy == "map" else ()
    return Inverse(replace(now, cell=cell), op, overruled)


def _is_step(event: Event, policy: Value) -> bool:
    return event.type in _STEPS and event.data.get("policy") == policy


def _cell(entry: Entry | None) -> Cell:
    return EMPTY if entry is None else entry.cell


def _step(policy: str, written: Written, before: Cell, now: Cell) -> Op | None:
    if policy == "counter":
        return Op("context.incremented", {"by": -written.event.data["by"]})
    if policy == "set":
        return _elements(written, before, now)
    return _fields(written, before, now) if policy == "map" else None


def _elements(written: Written, before: Cell, now: Cell) -> Op:
    """Take back the adds of this write, of its session's later ones too where it brought the element."""
    after = _cell(written.after)
    theirs = {event.id for event in written.others}
    dropped: dict[str, list[str]] = {}
    for name in map(name_of, parts(written.event.data)[0]):
        adds = now.marks.get(name, ())
        dropped[name] = [i for i in adds if i == written.event.id or (name not in before.marks and i not in theirs)]
    removed = [v for v in now.value if dropped.get(name_of(v))]
    added = [v for v in before.value or () if name_of(v) not in after.marks]
    seen = sorted({i for ids in dropped.values() for i in ids})
    if not added:
        return Op("context.removed", {"values": removed, "seen": seen})
    if not removed:
        return Op("context.added", {"values": added})
    return Op("context.set", {"add": added, "remove": removed, "seen": seen})


def _fields(written: Written, before: Cell, now: Cell) -> Op:
    there = before.value or {}
    touched = sorted(set(_touched(written.event)))
    fields = {f: there[f] for f in touched if f in there}
    removed = [f for f in touched if f not in there and f in now.value]
    seen = {f: now.marks[f] for f in touched if f in now.marks}
    if removed and not fields:
        return Op("context.removed", {"values": removed, "seen": seen})
    return Op("context.set", {"fields": fields, "remove": removed, "seen": seen})


def _touched(event: Event) -> Iterator[str]:
    for part in ("fields", "remove", "values"):
        yield from event.data.get(part, ())


def _overruled(written: Written) -> list[Event]:
    touched = set(_touched(written.event))
    return [event for event in written.others if touched.intersection(_touched(event))]


def _without_items(written: Written, now: Entry) -> Inverse | None:
    items = [text_of(v) for v in now.cell.value]
    gone = [text_of(v) for v in written.event.data["values"]]
    for start in range(len(items) - len(gone), -1, -1):
        if items[start : start + len(gone)] == gone:
            left = now.cell.value[:start] + now.cell.value[start + len(gone) :]
            return Inverse(replace(now, cell=Cell(left)), None)
    return None
