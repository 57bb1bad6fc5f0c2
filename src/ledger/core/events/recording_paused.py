"""`recording.paused`: from here on there is a gap, and it is marked as one."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return "", data.get("because", "")


KIND = Kind(type="recording.paused", titles=titles)
