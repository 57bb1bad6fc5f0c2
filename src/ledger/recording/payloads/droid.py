"""Factory Droid: what it hands to its hooks. Its fields come in camelCase, in snake_case, or mixed in one payload."""

from __future__ import annotations

from ledger.recording.payloads import answers, claude_code
from ledger.recording.payloads.edits import edited
from ledger.recording.payloads.payload import Heard, Moment, Payload, Registration
from ledger.recording.payloads.reading import is_from
from ledger.recording.payloads.spelling import snake_case

NAME = "droid"
TITLE = "Factory Droid"

HOOKS = (
    Registration("SessionStart", answers="start"),
    Registration("UserPromptSubmit", answers="prompt"),
    Registration("PreToolUse", "Edit|MultiEdit|Create|Write|ApplyPatch", answers="edit"),
    Registration("PostToolUse"),
    Registration("SubagentStop"),
    Registration("Stop"),
    Registration("Notification"),
    Registration("PreCompact"),
    Registration("SessionEnd"),
)


def owns(payload: Payload) -> bool:
    """True for its spelling of a hook's name without what others spell so, or a transcript among its own."""
    foreign = ("promptId", "workspaceRoot", "timestamp")
    is_spelled = "hookEventName" in payload and "sessionId" in payload and not any(f in payload for f in foreign)
    return is_spelled or (is_from(payload, "/.factory/") and "hook_event_name" in payload)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`. Its facts are those of Claude Code, whose hooks it took over."""
    return claude_code.heard(snake_case(payload), time, NAME)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered."""
    spelled = snake_case(payload)
    event = spelled.get("hook_event_name")
    if event == "PreToolUse":
        return "edit" if edited(spelled) else None
    return "start" if event == "SessionStart" else "prompt" if event == "UserPromptSubmit" else None


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the agent reads `text`."""
    return answers.specific(snake_case(payload), text)


def deny(payload: Payload, because: str) -> str:
    """What the hook prints so that a tool is not run."""
    return answers.specific_denial(snake_case(payload), because)
