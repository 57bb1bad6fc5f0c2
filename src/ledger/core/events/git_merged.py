"""`git.merged`: a merge in the project's own repository."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["commit"][:12], data.get("subject", "")


KIND = Kind(type="git.merged", titles=titles)
