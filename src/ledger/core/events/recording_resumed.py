"""`recording.resumed`: the end of a gap."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return "", data.get("because", "")


KIND = Kind(type="recording.resumed", titles=titles)
