"""`git.committed`: a commit in the project's own repository."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["commit"][:12], data.get("subject", "")


KIND = Kind(type="git.committed", titles=titles)
