"""`context.incremented`: a step of a counter."""

from __future__ import annotations

from ledger.core.events.context import carried_by, unit_of_key, write
from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["key"], f"{data['by']:+d}"


problems = carried_by(counter=("by",))

KIND = Kind(type="context.incremented", titles=titles, footprint=unit_of_key, apply=write, problems=problems)
