"""OpenCode: what our plugin (`hooks/opencode.js`) hands on of what OpenCode tells it.

- An event comes as it is (`type`, `properties`), a hook as what it was given and may change (`input`, `output`).
- The prompt of `opencode run` stands in quotes. A subagent is a session of its own, with a parent.
- A turn that fails tells of its error and then of its end; it ended once.
- A tool that fails, or that a plugin stopped, has no end: its part of the message is in error.
- Sessions lie in a database: there is no transcript to read.
"""

from __future__ import annotations

from typing import Any

from ledger.recording.adapter import Draft
from ledger.recording.calls import Outcome, call
from ledger.recording.cutting import PROMPT, cut
from ledger.recording.moment import moment as moment_of
from ledger.recording.payloads import answers, reading
from ledger.recording.payloads.edits import edited
from ledger.recording.payloads.payload import Doing, Heard, Moment, Payload, Registration
from ledger.recording.shapes import count, listing, mapping, name, whole, word

NAME = "opencode"
TITLE = "OpenCode"

# Names of the plugin's own events; the file is its only registration.
HOOKS = (
    Registration("event"),
    Registration("chat-message", answers="prompt"),
    Registration("tool-before", answers="edit"),
    Registration("tool-after"),
)

_COMMON = frozenset(["id", "directory"])
# They say what others say better, or that something goes on.
_SILENT = frozenset(
    ["session.updated", "session.status", "session.diff", "message.part.delta", "file.edited", "file.watcher.updated"]
)


def owns(payload: Payload) -> bool:
    """True for an event with properties, or for what a hook is given and may change."""
    if isinstance(payload.get("type"), str) and isinstance(payload.get("properties"), dict):
        return True
    return isinstance(payload.get("input"), dict) and isinstance(payload.get("output"), dict)


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    if "input" in payload:
        return _hook(payload, time)
    event, told = word(payload.get("type")), mapping(payload.get("properties"))
    session = reading.checked(told, ["sessionID"])
    cwd = word(mapping(told.get("info")).get("directory")) or word(payload.get("directory"))
    doing: Doing | None = "working"
    if event == "session.idle":
        doing = "waiting"
    elif event in ("session.deleted", "ledger.disposed"):
        doing = "ended"
    facts = _FACTS.get(event)
    drafts: tuple[Draft, ...] = ()
    if facts is not None:
        drafts = facts(told, session, time)
    elif event not in _SILENT:
        drafts = reading.other(session, time, event, payload, _COMMON)
    return Heard(session, drafts, doing, None, cwd, ends_turn=event == "session.idle")


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered: with a prompt, of which the first is the start, and before a tool that edits."""
    if "input" not in payload:
        return None
    if "callID" in mapping(payload.get("input")):
        return "edit" if edited(payload) and "args" not in mapping(payload.get("input")) else None
    if "message" not in mapping(payload.get("output")):
        return None
    return "start" if payload.get("first") is True else "prompt"


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the plugin hands `text` to the agent; before a tool it has no way to."""
    return answers.plain(context=text) if moment(payload) in ("start", "prompt") else ""


def deny(payload: Payload, because: str) -> str:  # noqa: ARG001 - the same before every tool
    """What the hook prints so that the plugin stops a tool."""
    return answers.plain(deny=because)


def _hook(payload: Payload, time: str) -> Heard:
    given, made = mapping(payload.get("input")), mapping(payload.get("output"))
    session, cwd = reading.checked(given, ["sessionID"]), word(payload.get("directory")) or word(given.get("cwd"))
    if "message" in made:
        return Heard(session, _prompt(payload, session, time), "working", None, cwd)
    if "args" in given:
        return Heard(session, _tool(given, made, session, time), "working", None, cwd)
    return Heard(session, (), "working", None, cwd)  # before a tool; what the model is shown; its words in pieces


def _created(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    info = mapping(told.get("info"))
    made = moment_of(mapping(info.get("time")).get("created")) or time
    return (
        reading.draft(
            session,
            made,
            "session.started",
            "session.started",
            agent=NAME,
            key=session,
            cwd=reading.label(info.get("directory")),
            parent=reading.label(info.get("parentID")),
            title=reading.label(info.get("title")),
            version=reading.label(info.get("version")),
        ),
    )


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    made = mapping(payload.get("output"))
    message = mapping(made.get("message"))
    parts = (mapping(part) for part in listing(made.get("parts")))
    text = reading.prompt("\n".join(word(part.get("text")) for part in parts if part.get("type") == "text")).strip()
    text = text[1:-1] if len(text) > 1 and text.startswith('"') and text.endswith('"') else text
    key, sent = name(message.get("id")), moment_of(mapping(message.get("time")).get("created")) or time
    ref = f"prompt:{key or '~' + reading.COUNTED}"
    by = "subagent" if payload.get("child") is True else "user"
    return (reading.draft(session, sent, "prompt.submitted", ref, text=text, by=by),) if text else ()


def _tool(given: Payload, made: Payload, session: str, time: str) -> tuple[Draft, ...]:
    code = whole(mapping(made.get("metadata")).get("exit"))
    outcome = Outcome(word(made.get("output")), failed=bool(code), exit_code=code)
    used = call(word(given.get("tool")) or "unknown", given.get("args"), time)
    return reading.tool(session, time, name(given.get("callID")) or "unnamed", used, outcome)


def _part(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    """A part of a message: of these only tools in error tell something that nothing else does."""
    part = mapping(told.get("part"))
    state = mapping(part.get("state"))
    if part.get("type") != "tool" or state.get("status") != "error":
        return ()
    used = call(word(part.get("tool")) or "unknown", state.get("input"), time)
    outcome = Outcome(word(state.get("error")), failed=True)
    return reading.tool(session, time, name(part.get("callID")) or "unnamed", used, outcome)


def _message(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    """A message of the model that is complete, with what it cost."""
    info = mapping(told.get("info"))
    tokens, times = mapping(info.get("tokens")), mapping(info.get("time"))
    if info.get("role") != "assistant" or "completed" not in times:
        return ()
    cache = mapping(tokens.get("cache"))
    spent = {
        "input": count(tokens.get("input")) or 0,
        "output": (count(tokens.get("output")) or 0) + (count(tokens.get("reasoning")) or 0),
        "reasoning": count(tokens.get("reasoning")),
        "cache_read": count(cache.get("read")),
        "cache_write": count(cache.get("write")),
        "cost": info.get("cost") if isinstance(info.get("cost"), (int, float)) else None,
    }
    key, when = name(info.get("id")), moment_of(times.get("completed")) or time
    data = {"message": key, "model": reading.label(info.get("modelID")), **spent}
    return (reading.draft(session, when, "usage.reported", f"usage:{key}", **data),) if key else ()


def _idle(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    if told.get("failed") is True:
        return ()
    text = cut(word(told.get("text")), PROMPT)
    ref = f"turn:~{reading.COUNTED}"
    return (reading.draft(session, time, "turn.ended", ref, text=text, reason="end_turn"),)


def _compacted(told: Payload, session: str, time: str) -> tuple[Draft, ...]:  # noqa: ARG001 - it says nothing more
    return (reading.draft(session, time, "compaction.started", f"compaction:~{reading.COUNTED}"),)


def _ended(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    reason = reading.label(told.get("reason")) or "deleted"
    return (reading.draft(session, time, "session.ended", "session.ended", reason=reason),)


def _failed(told: Payload, session: str, time: str) -> tuple[Draft, ...]:
    error = mapping(told.get("error"))
    text = cut(word(mapping(error.get("data")).get("message")) or word(error.get("name")), PROMPT)
    return (reading.draft(session, time, "turn.ended", f"turn:~{reading.COUNTED}", text=text, reason="error"),)


_FACTS: dict[str, Any] = {
    "session.created": _created,
    "session.idle": _idle,
    "session.compacted": _compacted,
    "session.deleted": _ended,
    "session.error": _failed,
    "ledger.disposed": _ended,
    "message.updated": _message,
    "message.part.updated": _part,
}
