"""`decision.recorded`: what was decided and why; it stands at a key like any other piece of context."""

from __future__ import annotations

from ledger.core.entry import combine
from ledger.core.event import Event
from ledger.core.events.context import key_rules, unit_of_key
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.policies import DEFAULT
from ledger.core.state import Changes, Reader

_PARTS = ("decision", "because", "instead_of")


def titles(data: Data) -> Titles:
    return data["key"], data["decision"]


def apply(reader: Reader, event: Event) -> Changes:
    value = {part: event.data[part] for part in _PARTS if part in event.data}
    return combine(reader, event, event.data["key"], {"value": value, "policy": DEFAULT})


KIND = Kind(type="decision.recorded", titles=titles, footprint=unit_of_key, apply=apply, problems=key_rules)
