"""`agent.other`: an event of a known agent for which there is no type."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["name"], ""


KIND = Kind(type="agent.other", titles=titles)
