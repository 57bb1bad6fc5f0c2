"""`conflict.resolved`: one value is chosen among siblings, by someone who saw them all."""

from __future__ import annotations

from ledger.core import entry
from ledger.core.event import Event
from ledger.core.events.context import key_rules, unit_of_key, value_rules
from ledger.core.events.kind import Data, Kind, Titles, brief
from ledger.core.policies import DEFAULT
from ledger.core.state import Changes, Reader
from ledger.errors import Problem


def titles(data: Data) -> Titles:
    return data["key"], "deleted" if data.get("deleted") else brief(data.get("value"))


def apply(reader: Reader, event: Event) -> Changes:
    data = event.data
    if data.get("deleted"):
        return entry.delete(reader, event, data["key"], event.seen)
    return entry.assign(reader, event, data["key"], data.get("value"), data.get("policy", DEFAULT), event.seen)


def problems(data: Data) -> list[Problem]:
    return [*key_rules(data), *value_rules(data)]


KIND = Kind(type="conflict.resolved", titles=titles, footprint=unit_of_key, apply=apply, problems=problems)
