"""`redaction.applied`: content was forgotten; what stood there keeps its id and type."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return ", ".join(i[:13] for i in data["events"][:3]), data["because"]


KIND = Kind(type="redaction.applied", titles=titles, by_ledger="when content is forgotten")
