"""Dialects: whose a payload is, told by its own fields."""

from __future__ import annotations

from ledger.errors import InvalidError, Problem, RefusedError
from ledger.recording.payloads import claude_code, codex, copilot, cursor, droid, gemini, opencode
from ledger.recording.payloads.payload import Dialect, Payload

# Where several fit, and the hook that ran is none of theirs, the first one counts: the most particular come first.
DIALECTS: dict[str, Dialect] = {
    module.NAME: module for module in (cursor, opencode, codex, gemini, copilot, droid, claude_code)
}

_FOREIGN = (
    ("an Antigravity", ("conversationId", "workspacePaths")),
    ("a Grok", ("hookEventName", "workspaceRoot")),
)


def recognise(payload: Payload, hint: str) -> Dialect:
    """The agent that a payload comes from; `hint` is the one whose hook ran, which counts only between equals.

    One agent also runs the hooks that were installed for another. Raises RefusedError, naming the agent, for one
    that cannot be recorded yet, and InvalidError for what no agent sends.
    """
    owners = [dialect for dialect in DIALECTS.values() if dialect.owns(payload)]
    if owners:
        return next((dialect for dialect in owners if hint == dialect.NAME), owners[0])
    for whose, marks in _FOREIGN:
        if all(mark in payload for mark in marks):
            raise RefusedError(f"{whose} payload; it cannot be recorded yet")
    raise InvalidError("no agent that is known here sends this:", [Problem("", _missing(payload))])


def _missing(payload: Payload) -> str:
    return f"its fields are {', '.join(sorted(map(str, payload)))[:200]}" if payload else "it has no fields"
