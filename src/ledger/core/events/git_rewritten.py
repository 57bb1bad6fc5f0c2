"""`git.rewritten`: commits of the project were amended or rebased."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["by"], f"{len(data['commits'])} commits"


KIND = Kind(type="git.rewritten", titles=titles)
