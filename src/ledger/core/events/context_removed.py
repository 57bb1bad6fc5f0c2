"""`context.removed`: elements of a set, or fields of a map, taken back."""

from __future__ import annotations

from ledger.core.events.context import carried_by, unit_of_key, write
from ledger.core.events.kind import Data, Kind, Titles, brief


def titles(data: Data) -> Titles:
    return data["key"], brief(data["values"])


problems = carried_by(set=("values", "seen"), map=("values", "seen"))

KIND = Kind(type="context.removed", titles=titles, footprint=unit_of_key, apply=write, problems=problems)
