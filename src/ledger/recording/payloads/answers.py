"""Answers: the forms in which agents read what a hook prints; each takes one, and some fail on any other."""

from __future__ import annotations

import json
from typing import Any

from ledger.recording.payloads.payload import Payload


def specific(payload: Payload, text: str) -> str:
    """Context in the form of Claude Code, Codex, Gemini CLI and Droid."""
    return _json({"hookSpecificOutput": {"hookEventName": payload.get("hook_event_name"), "additionalContext": text}})


def specific_denial(payload: Payload, because: str) -> str:
    """That a tool is not to be run, in the form of Claude Code, Codex and Droid."""
    denied = {"permissionDecision": "deny", "permissionDecisionReason": because}
    return _json({"hookSpecificOutput": {"hookEventName": payload.get("hook_event_name"), **denied}})


def plain(**fields: Any) -> str:
    """These fields and no other."""
    return _json(fields)


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)
