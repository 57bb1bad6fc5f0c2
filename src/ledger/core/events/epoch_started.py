"""`epoch.started`: the root of a new stretch of history; its tree is the state that it starts from."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return str(data["epoch"]), data.get("because", "")


KIND = Kind(type="epoch.started", titles=titles, by_ledger="when a new stretch of history begins")
