"""Cursor: what it hands to its hooks, as documented, and as seen with its command line of February 2026.

- A generation is what other agents call a turn. In print mode neither prompt nor stop is told.
- `user_email` comes with every payload, and is never kept.
- It reads context at the start of a session only. To answer "allow" would overrule what its user asks to be asked.
"""

from __future__ import annotations

from typing import Any

from ledger.recording.adapter import Draft
from ledger.recording.calls import Outcome
from ledger.recording.cutting import PROMPT, cut
from ledger.recording.moment import moment as moment_of
from ledger.recording.naming import call_of, words_of
from ledger.recording.payloads import answers, reading
from ledger.recording.payloads.edits import edited
from ledger.recording.payloads.payload import Heard, Moment, Payload, Registration
from ledger.recording.shapes import count, name, word

NAME = "cursor"
TITLE = "Cursor"

HOOKS = (
    Registration("sessionStart", answers="start"),
    Registration("beforeSubmitPrompt"),
    Registration("preToolUse", "Write|Edit|MultiEdit", answers="edit"),
    Registration("postToolUse"),
    Registration("postToolUseFailure"),
    Registration("subagentStart"),
    Registration("subagentStop"),
    Registration("preCompact"),
    Registration("stop"),
    Registration("sessionEnd"),
)

_COMMON = frozenset(
    [
        "conversation_id", "session_id", "generation_id", "model", "hook_event_name", "cursor_version", "cwd",
        "workspace_roots", "user_email", "transcript_path", "timestamp",
    ]
)  # fmt: skip
_WORDS = ("generation_id", "prompt", "tool_name", "tool_use_id", "status", "reason", "summary", "task")


def owns(payload: Payload) -> bool:
    """True for its version, or for a conversation with a generation."""
    return "cursor_version" in payload or ("conversation_id" in payload and "generation_id" in payload)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    session = reading.checked(payload, ["conversation_id", "session_id"], _WORDS)
    time = moment_of(payload.get("timestamp")) or time
    event, cwd = word(payload.get("hook_event_name")), reading.folder_of(payload)
    if event == "preToolUse":
        return Heard(session, (), "working", None, cwd)
    if event == "stop":
        return Heard(session, (_turn(payload, session, time),), "waiting", None, cwd, ends_turn=True)
    if event == "sessionEnd":
        reason = reading.label(payload.get("reason"))
        ended = reading.draft(session, time, "session.ended", "session.ended", reason=reason)
        return Heard(session, (ended,), "ended", None, cwd)
    facts = _FACTS.get(event)
    drafts = facts(payload, session, time) if facts else reading.other(session, time, event, payload, _COMMON)
    return Heard(session, drafts, None if event == "sessionStart" else "working", None, cwd)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered."""
    event = payload.get("hook_event_name")
    return "start" if event == "sessionStart" else "edit" if event == "preToolUse" and edited(payload) else None


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the agent reads `text`; nothing before a tool, where it would not."""
    return answers.plain(additional_context=text) if payload.get("hook_event_name") == "sessionStart" else ""


def deny(payload: Payload, because: str) -> str:  # noqa: ARG001 - the same before every tool
    """What the hook prints so that a tool is not run."""
    return answers.plain(permission="deny", user_message=because, agent_message=because)


def _start(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    roster = {"agent": NAME, "key": session, "cwd": reading.label(reading.folder_of(payload))}
    version, model = reading.label(payload.get("cursor_version")), reading.label(payload.get("model"))
    return (reading.draft(session, time, "session.started", "session.started", version=version, model=model, **roster),)


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = reading.prompt(payload.get("prompt"))
    ref = f"prompt:{name(payload.get('generation_id')) or words_of(text) + reading.COUNTED}"
    return (reading.draft(session, time, "prompt.submitted", ref, text=text, by="user"),) if text else ()


def _tool(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    failed = payload.get("hook_event_name") == "postToolUseFailure"
    text = word(reading.first_of(payload, "error_message", "error")) if failed else word(payload.get("tool_output"))
    spent = count(reading.first_of(payload, "duration", "duration_ms"))
    outcome = Outcome(text, failed=failed, exit_code=reading.exit_code(text) if failed else None, duration_ms=spent)
    made = reading.a_call(payload, time, "tool_name", "tool_input")
    key = name("-".join(word(payload.get("tool_use_id")).split()))
    ref = None if key else f"tool:{call_of(made.tool, payload.get('tool_input'))}{reading.COUNTED}"
    return reading.tool(session, time, key or "unnamed", made, outcome, ref=ref)


def _subagent_started(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "started", "task")


def _subagent_ended(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "ended", "summary")


def _subagent(payload: Payload, session: str, time: str, what: str, told: str) -> tuple[Draft, ...]:
    agent_id, kind = name(payload.get("subagent_id")), reading.label(payload.get("subagent_type"))
    text, ref = cut(word(payload.get(told)), PROMPT), f"subagent:{agent_id}:{what}"
    made = reading.draft(session, time, f"subagent.{what}", ref, agent_id=agent_id, kind=kind, text=text)
    return (made,) if agent_id else ()


def _compaction(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    ref = f"compaction:{name(payload.get('generation_id')) or '~'}{reading.COUNTED}"
    return (reading.draft(session, time, "compaction.started", ref, trigger=reading.label(payload.get("trigger"))),)


def _turn(payload: Payload, session: str, time: str) -> Draft:
    ref = f"turn:{name(payload.get('generation_id')) or '~' + reading.COUNTED}"
    return reading.draft(session, time, "turn.ended", ref, reason=reading.label(payload.get("status")))


_FACTS: dict[str, Any] = {
    "sessionStart": _start,
    "beforeSubmitPrompt": _prompt,
    "postToolUse": _tool,
    "postToolUseFailure": _tool,
    "subagentStart": _subagent_started,
    "subagentStop": _subagent_ended,
    "preCompact": _compaction,
}
