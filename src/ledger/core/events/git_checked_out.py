"""`git.checked-out`: another branch or commit was checked out in the project."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data.get("branch", ""), data["commit"][:12]


KIND = Kind(type="git.checked-out", titles=titles)
