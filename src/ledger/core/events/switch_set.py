"""`switch.set`: a part of the ledger was turned off or on. Each machine has switches of its own: no state changes."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    because = data.get("because", "")
    return data["switch"], f"{'on' if data['on'] else 'off'}{f', {because}' if because else ''}"


KIND = Kind(type="switch.set", titles=titles, by_ledger="by `ledger off` and `ledger on`")
