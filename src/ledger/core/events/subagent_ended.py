"""`subagent.ended`: a subagent has given back its result."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return str(data.get("kind") or data["agent_id"]), str(data.get("text", ""))


KIND = Kind(type="subagent.ended", titles=titles)
