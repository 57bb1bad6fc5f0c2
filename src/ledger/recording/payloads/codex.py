"""Codex: what it hands to its hooks, as observed with 0.169.0.

- A subagent's prompts come under its parent's session, with `agent_id`.
- A compaction starts the session once more, in mid-turn (`source` compact), with no new prompt.
- A failing command is a completed tool here, without an exit code; when the API fails there is no Stop.
- It refuses any field of an answer that it does not know.
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
from ledger.recording.shapes import name, word

NAME = "codex"
TITLE = "Codex"

HOOKS = (
    Registration("SessionStart", answers="start"),
    Registration("UserPromptSubmit", answers="prompt"),
    # Not for Bash, though a patch may come through it: each command would wait for Python to start.
    Registration("PreToolUse", "apply_patch|Edit|Write", answers="edit"),
    Registration("PostToolUse"),
    Registration("SubagentStart"),
    Registration("SubagentStop"),
    Registration("PreCompact"),
    Registration("Stop"),
    Registration("Interrupt", seconds=3),  # Codex allows these two no more
    Registration("SessionEnd", seconds=3),
)

_COMMON = frozenset(["session_id", "turn_id", "transcript_path", "cwd", "hook_event_name", "model", "permission_mode"])
_WORDS = ("turn_id", "prompt", "transcript_path", "cwd", "tool_name", "tool_use_id", "last_assistant_message", "source")
_SILENT = ("PreToolUse", "PermissionRequest", "PostCompact")
_NOTIFIED = "agent-turn-complete"


def owns(payload: Payload) -> bool:
    """True for a turn's id, a rollout as transcript, or the argument of the older `notify`."""
    if payload.get("type") == _NOTIFIED:
        return "thread-id" in payload
    if "session_id" not in payload or "hook_event_name" not in payload or "cursor_version" in payload:
        return False
    return "turn_id" in payload or reading.is_from(payload, "/.codex/", "/rollout-") or _is_bare_start(payload)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    if payload.get("type") == _NOTIFIED:
        return _notified(payload, time)
    session = reading.checked(payload, ["session_id"], _WORDS)
    event, path = word(payload.get("hook_event_name")), word(payload.get("transcript_path")) or None
    cwd = word(payload.get("cwd"))
    if event in _SILENT:
        return Heard(session, (), "working", path if event == "PostCompact" else None, cwd)
    if event in ("Stop", "Interrupt"):
        return Heard(session, (_turn(payload, session, time, event),), "waiting", path, cwd, ends_turn=True)
    if event == "SessionEnd":
        reason = reading.label(payload.get("reason"))
        ended = reading.draft(session, time, "session.ended", "session.ended", reason=reason)
        return Heard(session, (ended,), "ended", path, cwd)
    facts = _FACTS.get(event)
    drafts = facts(payload, session, time) if facts else reading.other(session, time, event, payload, _COMMON)
    # A start says nothing of what it does: one in mid-turn comes from a compaction.
    return Heard(session, drafts, None if event == "SessionStart" else "working", None, cwd)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered."""
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


def _is_bare_start(payload: Payload) -> bool:
    # With --ephemeral there is no transcript: then a start is known by the fields that it has, and has not.
    wanted = {"session_id", "transcript_path", "cwd", "hook_event_name", "model", "permission_mode", "source"}
    return set(payload) == wanted and payload.get("hook_event_name") == "SessionStart"


def _notified(payload: Payload, time: str) -> Heard:
    session = reading.checked(payload, ["thread-id"], ["turn-id", "cwd", "last-assistant-message"])
    text = cut(word(payload.get("last-assistant-message")), PROMPT)
    ref = f"turn:{name(payload.get('turn-id')) or '~'}"
    ended = reading.draft(session, time, "turn.ended", ref, text=text, reason="end_turn")
    return Heard(session, (ended,), "waiting", None, word(payload.get("cwd")), ends_turn=True)


def _start(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    source = word(payload.get("source"))
    if source == "compact":
        return ()
    kind = "session.resumed" if source == "resume" else "session.started"
    roster = {"agent": NAME, "key": session, "cwd": reading.label(payload.get("cwd")), "source": reading.label(source)}
    model = reading.label(payload.get("model"))
    return (reading.draft(session, time, kind, kind, model=model, **roster),)


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = reading.prompt(payload.get("prompt"))
    by = "subagent" if payload.get("agent_id") else "user"
    turn = name(payload.get("turn_id"))
    ref = f"prompt:{turn or words_of(text)}{reading.COUNTED}"
    return (reading.draft(session, time, "prompt.submitted", ref, text=text, by=by),) if text else ()


def _tool(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    made = reading.a_call(payload, time, "tool_name", "tool_input", payload.get("agent_id"))
    outcome = Outcome(reading.output(payload.get("tool_response")))
    key = name(payload.get("tool_use_id"))
    ref = None if key else f"tool:{call_of(made.tool, payload.get('tool_input'))}{reading.COUNTED}"
    return reading.tool(session, time, key or "unnamed", made, outcome, ref=ref)


def _subagent_started(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "started", None)


def _subagent_ended(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    return _subagent(payload, session, time, "ended", cut(word(payload.get("last_assistant_message")), PROMPT))


def _subagent(payload: Payload, session: str, time: str, what: str, text: str | None) -> tuple[Draft, ...]:
    agent_id, kind = name(payload.get("agent_id")), reading.label(payload.get("agent_type"))
    ref = f"subagent:{agent_id}:{what}"
    made = reading.draft(session, time, f"subagent.{what}", ref, agent_id=agent_id, kind=kind, text=text)
    return (made,) if agent_id else ()


def _compaction(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    ref = f"compaction:{name(payload.get('turn_id')) or '~'}{reading.COUNTED}"
    return (reading.draft(session, time, "compaction.started", ref, trigger=reading.label(payload.get("trigger"))),)


def _turn(payload: Payload, session: str, time: str, event: str) -> Draft:
    text = cut(word(payload.get("last_assistant_message")), PROMPT)
    reason = "aborted" if event == "Interrupt" else "end_turn"
    ref = f"turn:{name(payload.get('turn_id')) or '~'}"
    return reading.draft(session, time, "turn.ended", ref, text=text, reason=reason)


_FACTS: dict[str, Any] = {
    "SessionStart": _start,
    "UserPromptSubmit": _prompt,
    "PostToolUse": _tool,
    "PreCompact": _compaction,
    "SubagentStart": _subagent_started,
    "SubagentStop": _subagent_ended,
}
