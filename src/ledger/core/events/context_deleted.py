"""`context.deleted`: a key no longer has a value; a small tombstone stays."""

from __future__ import annotations

from ledger.core import entry
from ledger.core.event import Event
from ledger.core.events.context import key_rules, unit_of_key
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.state import Changes, Reader


def titles(data: Data) -> Titles:
    return data["key"], data.get("because", "")


def apply(reader: Reader, event: Event) -> Changes:
    return entry.delete(reader, event, event.data["key"], event.seen)


KIND = Kind(type="context.deleted", titles=titles, footprint=unit_of_key, apply=apply, problems=key_rules)
