"""`sync.merged`: two lines of history become one; its tree is the fold of their union."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["theirs"][:12], f"into {data['ours'][:12]}"


KIND = Kind(type="sync.merged", titles=titles, by_ledger="when a write joins two lines of history")
