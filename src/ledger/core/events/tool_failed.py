"""`tool.failed`: a tool call that did not."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.events.tool import brief_call


def titles(data: Data) -> Titles:
    return data["tool"], brief_call(data)


KIND = Kind(type="tool.failed", titles=titles)
