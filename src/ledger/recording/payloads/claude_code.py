"""Claude Code: what it hands to its hooks.

- A subagent's prompts and tools come under the session's id, with `agent_id`; its tool was called Task and is Agent.
- A compaction has no id here and one in the transcript: its fact is taken from there.
- `source` of a start: startup, clear and fork begin a session; resume goes on with one; compact is in mid-turn.
"""

from __future__ import annotations

from typing import Any

from ledger.recording.adapter import Draft
from ledger.recording.calls import Outcome
from ledger.recording.cutting import PROMPT, cut
from ledger.recording.naming import call_of, words_of
from ledger.recording.payloads import answers, reading
from ledger.recording.payloads.edits import edited
from ledger.recording.payloads.payload import Heard, Moment, Payload, Registration
from ledger.recording.shapes import count, name, word

NAME = "claude-code"
TITLE = "Claude Code"
EDITORS = "Edit|MultiEdit|Write|NotebookEdit"

HOOKS = (
    Registration("SessionStart", answers="start"),
    Registration("UserPromptSubmit", answers="prompt"),
    Registration("PreToolUse", EDITORS, answers="edit"),
    Registration("PostToolUse"),
    Registration("PostToolUseFailure"),
    Registration("SubagentStart"),
    Registration("SubagentStop"),
    Registration("Stop"),
    Registration("StopFailure"),
    Registration("Notification"),
    Registration("PreCompact"),
    Registration("PostCompact"),
    Registration("SessionEnd"),
)

_COMMON = frozenset(
    ["session_id", "transcript_path", "cwd", "hook_event_name", "permission_mode", "prompt_id", "effort", "agent_type"]
)
_WORDS = ("prompt", "transcript_path", "cwd", "tool_name", "tool_use_id", "last_assistant_message", "error", "reason")
_ELSEWHERE = ("/.codex/", "/rollout-", "/.gemini/", "/.factory/", "/.copilot/", "/.cursor/")
_BEGINS = ("startup", "clear", "fork", "")
# They tell that the agent is at work, or the transcript tells the same with an id.
_SILENT = ("PreToolUse", "PermissionRequest", "PreCompact", "PostCompact", "PostToolBatch")
_FROM_PEOPLE = ("", "user", "sdk")


def owns(payload: Payload) -> bool:
    """True for its own names of fields, unless another agent's are there too."""
    foreign = ("turn_id", "cursor_version", "timestamp", "conversation_id", "llm_request")
    is_like_it = "session_id" in payload and "hook_event_name" in payload
    return is_like_it and not any(field in payload for field in foreign) and not reading.is_from(payload, *_ELSEWHERE)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    return heard(payload, time, NAME)


def heard(payload: Payload, time: str, agent: str) -> Heard:
    """The same for an agent that took over this one's hooks."""
    session = reading.checked(payload, ["session_id"], _WORDS)
    event, path = word(payload.get("hook_event_name")), word(payload.get("transcript_path")) or None
    cwd = reading.folder_of(payload)
    if event in _SILENT:
        return Heard(session, (), "working", path if event.endswith("Compact") else None, cwd)
    if event in ("Stop", "StopFailure"):
        return Heard(session, (_turn(payload, session, time),), "waiting", path, cwd, ends_turn=True)
    if event == "SessionEnd":
        ended = reading.draft(session, time, "session.ended", "session.ended", reason=_reason(payload))
        return Heard(session, (ended,), "ended", path, cwd)
    if event == "Notification":
        return Heard(session, _other(payload, session, time, event), "waiting", None, cwd)
    if event == "SessionStart":
        return Heard(session, _start(payload, session, time, agent), None, None, cwd)
    drafts = _FACTS[event](payload, session, time) if event in _FACTS else _other(payload, session, time, event)
    return Heard(session, drafts, "working", None, cwd)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered; a subagent has no conversation of its own with us."""
    event = payload.get("hook_event_name")
    if event == "SessionStart":
        return "start"
    if event == "UserPromptSubmit":
        return None if payload.get("agent_id") else "prompt"
    return "edit" if event == "PreToolUse" and edited(payload) else None


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the agent reads `text`."""
    return answers.specific(payload, text)


def deny(payload: Payload, because: str) -> str:
    """What the hook prints so that a tool is not run."""
    return answers.specific_denial(payload, because)


def _start(payload: Payload, session: str, time: str, agent: str) -> tuple[Draft, ...]:
    source = word(payload.get("source"))
    if source == "compact":
        return ()
    kind = "session.started" if source in _BEGINS else "session.resumed"
    return (
        reading.draft(
            session,
            time,
            kind,
            kind,
            agent=agent,
            key=session,
            cwd=reading.label(payload.get("cwd")),
            model=reading.label(payload.get("model")),
            title=reading.label(payload.get("session_title")),
            source=reading.label(source),
        ),
    )


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = reading.prompt(payload.get("prompt"))
    key = name(payload.get("prompt_id"))
    by = "user" if word(payload.get("source")) in _FROM_PEOPLE else "system"
    # A subagent's is told by its start, and by its own transcript.
    by = "subagent" if payload.get("agent_id") else by
    ref = f"prompt:{key}" if key and by != "subagent" else f"prompt:{words_of(text)}{reading.COUNTED}"
    return (reading.draft(session, time, "prompt.submitted", ref, text=text, by=by),) if text else ()


def _completed(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _tool(
        payload, session, time, Outcome(reading.output(payload.get("tool_response")), duration_ms=_ms(payload))
    )


def _failed(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = word(payload.get("error"))
    code = reading.exit_code(text)
    return _tool(payload, session, time, Outcome(text, failed=True, exit_code=code, duration_ms=_ms(payload)))


def _tool(payload: Payload, session: str, time: str, outcome: Outcome) -> tuple[Draft, ...]:
    made = reading.a_call(payload, time, "tool_name", "tool_input", payload.get("agent_id"))
    key = name(payload.get("tool_use_id"))
    ref = None if key else f"tool:{call_of(made.tool, payload.get('tool_input'))}{reading.COUNTED}"
    return reading.tool(session, time, key or "unnamed", made, outcome, ref=ref)


def _subagent_started(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "started", None)


def _subagent_ended(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "ended", cut(word(payload.get("last_assistant_message")), PROMPT))


def _subagent(payload: Payload, session: str, time: str, what: str, text: str | None) -> tuple[Draft, ...]:
    agent_id, kind = name(payload.get("agent_id")), reading.label(payload.get("agent_type"))
    if not agent_id:
        return ()
    ref = f"subagent:{agent_id}:{what}"
    return (reading.draft(session, time, f"subagent.{what}", ref, agent_id=agent_id, kind=kind, text=text),)


def _turn(payload: Payload, session: str, time: str) -> Draft:
    failed = payload.get("hook_event_name") == "StopFailure"
    text = word(payload.get("last_assistant_message")) or (word(payload.get("error")) if failed else "")
    # A turn may stop more than once: background work wakes the agent again under the same prompt.
    ref = f"turn:{name(payload.get('prompt_id')) or '~'}{reading.COUNTED}"
    reason = "error" if failed else "end_turn"
    return reading.draft(session, time, "turn.ended", ref, text=cut(text, PROMPT), reason=reason)


def _reason(payload: Payload) -> str | None:
    return reading.label(payload.get("reason"))


def _ms(payload: Payload) -> int | None:
    return count(payload.get("duration_ms"))


def _other(payload: Payload, session: str, time: str, event: str) -> tuple[Draft, ...]:
    return reading.other(session, time, event or "unnamed", payload, _COMMON)


_FACTS: dict[str, Any] = {
    "UserPromptSubmit": _prompt,
    "PostToolUse": _completed,
    "PostToolUseFailure": _failed,
    "SubagentStart": _subagent_started,
    "SubagentStop": _subagent_ended,
}
