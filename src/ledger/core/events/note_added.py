"""`note.added`: a remark for whoever reads the log."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("about", ""), data["text"]


KIND = Kind(type="note.added", titles=titles)
