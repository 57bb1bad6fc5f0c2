"""`context.restored`: keys get back the values that they had; the event carries the values themselves."""

from __future__ import annotations

from ledger.core import entry
from ledger.core.event import Event
from ledger.core.events.context import value_rules
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.key import key_problems
from ledger.core.policies import DEFAULT
from ledger.core.state import Changes, Reader, context_path
from ledger.errors import Problem


def titles(data: Data) -> Titles:
    return data.get("to", "")[:13], ", ".join(e["key"] for e in data["entries"])


def footprint(event: Event) -> tuple[str, ...]:
    return tuple(context_path(e["key"]) for e in event.data["entries"])


def apply(reader: Reader, event: Event) -> Changes:
    changes: Changes = {}
    for item in event.data["entries"]:
        changes |= _restore(reader, event, item)
    return changes


def problems(data: Data) -> list[Problem]:
    broken = [
        problem
        for i, e in enumerate(data["entries"])
        for problem in [*key_problems(e["key"], f"data.entries.{i}.key"), *value_rules(e, f"data.entries.{i}")]
    ]
    if len({e["key"] for e in data["entries"]}) != len(data["entries"]):
        broken.append(Problem("data.entries", "a key stands there twice"))
    return broken


def _restore(reader: Reader, event: Event, item: Data) -> Changes:
    if item.get("deleted"):
        return entry.delete(reader, event, item["key"], event.seen)
    return entry.assign(reader, event, item["key"], item["value"], item.get("policy", DEFAULT), event.seen)


KIND = Kind(type="context.restored", titles=titles, footprint=footprint, apply=apply, problems=problems)
