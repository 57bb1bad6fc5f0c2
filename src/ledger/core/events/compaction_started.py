"""`compaction.started`: the agent condenses its window; what it knew in detail is now only here."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("trigger", ""), data.get("text", "")


KIND = Kind(type="compaction.started", titles=titles)
