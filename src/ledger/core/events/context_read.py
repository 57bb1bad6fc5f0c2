"""`context.read`: keys that were handed to an agent, for reuse statistics."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return "", ", ".join(data["keys"])


KIND = Kind(type="context.read", titles=titles)
