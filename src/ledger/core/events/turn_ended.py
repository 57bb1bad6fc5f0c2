"""`turn.ended`: the agent has answered and waits."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("reason", ""), data.get("text", "")


KIND = Kind(type="turn.ended", titles=titles)
