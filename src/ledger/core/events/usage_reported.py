"""`usage.reported`: what one message of a model cost, in tokens; each message is counted once."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("model", ""), f"{data['input']} in, {data['output']} out"


KIND = Kind(type="usage.reported", titles=titles)
