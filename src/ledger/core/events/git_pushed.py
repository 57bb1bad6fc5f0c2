"""`git.pushed`: the project was pushed."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["remote"], ", ".join(data["refs"])


KIND = Kind(type="git.pushed", titles=titles)
