"""What the two outcomes of a tool call share."""

from __future__ import annotations

from ledger.core.events.kind import Data, brief


def brief_call(data: Data) -> str:
    """What was called, in a few words: the command, the file, or the names of the arguments."""
    given = data.get("input", {})
    if not isinstance(given, dict):
        return brief(given)
    for name in ("command", "cmd", "file_path", "path", "pattern", "query", "url", "description"):
        if isinstance(given.get(name), str):
            return str(given[name])
    return brief(data.get("files") or given) if given or data.get("files") else ""
