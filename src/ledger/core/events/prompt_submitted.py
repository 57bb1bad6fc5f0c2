"""`prompt.submitted`: what a person, or a parent agent, asked."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("by", ""), data["text"]


KIND = Kind(type="prompt.submitted", titles=titles)
