"""Copilot CLI: what it hands to its hooks, in both of its spellings.

- Registered as `SessionStart` an event comes in snake_case with its name; as `sessionStart`, in camelCase without:
  then it is known by the fields that only it has.
- The first prompt comes before the start of the session. No prompt and no tool call has an id.
- Of what a hook prints at a start, older versions read nothing.
"""

from __future__ import annotations

import json
from typing import Any

from ledger.recording.adapter import Draft
from ledger.recording.calls import Outcome, call
from ledger.recording.cutting import PROMPT, cut
from ledger.recording.moment import moment as moment_of
from ledger.recording.naming import call_of, words_of
from ledger.recording.payloads import answers, reading
from ledger.recording.payloads.edits import edited
from ledger.recording.payloads.payload import Heard, Moment, Payload, Registration
from ledger.recording.shapes import mapping, name, word

NAME = "copilot-cli"
TITLE = "Copilot CLI"

HOOKS = (
    Registration("SessionStart", answers="start"),
    Registration("UserPromptSubmit"),
    Registration("PreToolUse", answers="edit"),
    Registration("PostToolUse"),
    Registration("PostToolUseFailure"),
    Registration("SubagentStart"),
    Registration("SubagentStop"),
    Registration("PreCompact"),
    Registration("Stop"),
    Registration("SessionEnd"),
)

_COMMON = frozenset(
    ["sessionId", "session_id", "timestamp", "cwd", "hook_event_name", "transcriptPath", "transcript_path"]
)
_WORDS = ("cwd", "prompt", "tool_name", "toolName", "reason", "stop_reason", "stopReason", "source", "hook_event_name")
# In camelCase, which field tells the event; the first that there is.
_TOLD_BY = {
    "toolResult": "PostToolUse",
    "initialPrompt": "SessionStart",
    "source": "SessionStart",
    "stopReason": "Stop",
    "prompt": "UserPromptSubmit",
    "error": "PostToolUseFailure",
    "toolArgs": "PreToolUse",
    "agentName": "SubagentStart",
    "trigger": "PreCompact",
    "reason": "SessionEnd",
}
_OTHERS = ("/.gemini/", "/.claude/", "/.codex/", "/.factory/")


def owns(payload: Payload) -> bool:
    """True for a session with a time in milliseconds, or its events with a time and no file of another."""
    if "sessionId" in payload:
        return isinstance(payload.get("timestamp"), (int, float)) and "hookEventName" not in payload
    is_named = word(payload.get("hook_event_name")) in {hook.event for hook in HOOKS} | {
        "ErrorOccurred",
        "Notification",
    }
    return is_named and "session_id" in payload and "timestamp" in payload and not reading.is_from(payload, *_OTHERS)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    session = reading.checked(payload, ["sessionId", "session_id"], _WORDS)
    time, cwd, event = moment_of(payload.get("timestamp")) or time, word(payload.get("cwd")), _event(payload)
    if event == "PreToolUse":
        return Heard(session, (), "working", None, cwd)
    if event == "Stop":
        reason = reading.label(reading.first_of(payload, "stopReason", "stop_reason"))
        ended = reading.draft(session, time, "turn.ended", f"turn:~{reading.COUNTED}", reason=reason)
        return Heard(session, (ended,), "waiting", None, cwd, ends_turn=True)
    if event == "SessionEnd":
        reason = reading.label(payload.get("reason"))
        over = reading.draft(session, time, "session.ended", "session.ended", reason=reason)
        return Heard(session, (over,), "ended", None, cwd)
    facts = _FACTS.get(event)
    drafts = facts(payload, session, time) if facts else reading.other(session, time, event, payload, _COMMON)
    return Heard(session, drafts, None if event == "SessionStart" else "working", None, cwd)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered."""
    event = _event(payload)
    return "start" if event == "SessionStart" else "edit" if event == "PreToolUse" and edited(payload) else None


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the agent reads `text`; nothing before a tool, where it would not."""
    return answers.plain(additionalContext=text) if _event(payload) == "SessionStart" else ""


def deny(payload: Payload, because: str) -> str:  # noqa: ARG001 - the same before every tool
    """What the hook prints so that a tool is not run."""
    return answers.plain(permissionDecision="deny", permissionDecisionReason=because)


def _event(payload: Payload) -> str:
    told = word(payload.get("hook_event_name"))
    return told or next((event for field, event in _TOLD_BY.items() if field in payload), "unnamed")


def _start(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    source = word(payload.get("source"))
    kind = "session.resumed" if source == "resume" else "session.started"
    roster = {"agent": NAME, "key": session, "cwd": reading.label(payload.get("cwd")), "source": reading.label(source)}
    return (reading.draft(session, time, kind, kind, **roster),)


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = reading.prompt(payload.get("prompt"))
    ref = f"prompt:{words_of(text)}{reading.COUNTED}"
    return (reading.draft(session, time, "prompt.submitted", ref, text=text, by="user"),) if text else ()


def _tool(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    given = _given(reading.first_of(payload, "toolArgs", "tool_args", "tool_input"))
    made = call(word(reading.first_of(payload, "toolName", "tool_name")) or "unknown", given, time)
    key = call_of(made.tool, given)
    return reading.tool(session, time, key, made, _outcome(payload), ref=f"tool:{key}{reading.COUNTED}")


def _given(value: Any) -> Any:
    # The arguments come as JSON in a string.
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _outcome(payload: Payload) -> Outcome:
    result = mapping(reading.first_of(payload, "toolResult", "tool_result", "tool_response"))
    kind = word(reading.first_of(result, "resultType", "result_type"))
    text = word(reading.first_of(result, "textResultForLlm", "text_result_for_llm")) or reading.output(result)
    error = reading.first_of(payload, "error")
    failed = error is not None or kind in ("failure", "error", "denied", "rejected")
    said = word(error) or word(mapping(error).get("message"))
    return Outcome(said if error is not None else text, failed=failed)


def _subagent(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    agent_id = name(reading.first_of(payload, "agentName", "agent_name", "agent_id"))
    what = "ended" if _event(payload) == "SubagentStop" else "started"
    ref = f"subagent:{agent_id}:{what}{reading.COUNTED}"
    text = cut(word(reading.first_of(payload, "last_assistant_message", "description")), PROMPT)
    made = reading.draft(session, time, f"subagent.{what}", ref, agent_id=agent_id, text=text)
    return (made,) if agent_id else ()


def _compaction(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    ref = f"compaction:~{reading.COUNTED}"
    return (reading.draft(session, time, "compaction.started", ref, trigger=reading.label(payload.get("trigger"))),)


_FACTS: dict[str, Any] = {
    "SessionStart": _start,
    "UserPromptSubmit": _prompt,
    "PostToolUse": _tool,
    "PostToolUseFailure": _tool,
    "SubagentStart": _subagent,
    "SubagentStop": _subagent,
    "PreCompact": _compaction,
}
