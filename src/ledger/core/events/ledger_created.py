"""`ledger.created`: the root of the first epoch."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.state import LEDGER, Changes, Reader


def titles(data: Data) -> Titles:
    return data["ledger"][:13], data.get("project", "")


def footprint(event: Event) -> tuple[str, ...]:
    return (LEDGER,)


def apply(reader: Reader, event: Event) -> Changes:
    if reader.get(LEDGER) is not None:
        return {}
    data = event.data
    return {
        LEDGER: {
            "created": event.time,
            "epoch": 1,
            "event": event.id,
            "fold": data["fold"],
            "format": data["format"],
            "id": data["ledger"],
            "last": event.id,
        }
    }


KIND = Kind(type="ledger.created", titles=titles, footprint=footprint, apply=apply, by_ledger="with `ledger init`")
