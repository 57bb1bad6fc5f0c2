"""`context.set`: a new value for a key."""

from __future__ import annotations

from ledger.core.events.context import carried_by, unit_of_key, write
from ledger.core.events.kind import Data, Kind, Titles, brief


def titles(data: Data) -> Titles:
    return data["key"], brief(data.get("value", data.get("fields", data.get("add"))))


problems = carried_by(
    lww=("value",),
    text=("value",),
    max=("value",),
    min=("value",),
    set=("add", "seen"),
    map=("fields", "seen"),
)

KIND = Kind(type="context.set", titles=titles, footprint=unit_of_key, apply=write, problems=problems)
