"""`context.read`: what an agent was handed to read; its keys are the measure of what is used again."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.key import key_problems
from ledger.errors import Problem


def titles(data: Data) -> Titles:
    return data.get("at", ""), ", ".join(data["keys"])


def problems(data: Data) -> list[Problem]:
    return [p for i, key in enumerate(data["keys"]) for p in key_problems(key, f"data.keys.{i}")]


KIND = Kind(type="context.read", titles=titles, problems=problems)
