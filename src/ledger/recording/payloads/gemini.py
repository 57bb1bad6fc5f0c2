"""Gemini CLI: what it hands to its hooks, as observed with 0.61.0.

- Neither prompts nor tool calls have ids here: they are told apart by what they say, and by counting.
- What we put into a prompt comes back as part of it.
- The last chunk of an answer stands twice in `prompt_response`.
- PreCompress comes before every call of the model, whether anything is compressed or not.
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
from ledger.recording.shapes import mapping, word

NAME = "gemini"
TITLE = "Gemini CLI"

HOOKS = (
    Registration("SessionStart", answers="start"),
    Registration("BeforeAgent", answers="prompt"),
    Registration("BeforeTool", "replace|write_file", answers="edit"),
    Registration("AfterTool"),
    Registration("AfterAgent"),
    Registration("Notification"),
    Registration("SessionEnd"),
)

_COMMON = frozenset(["session_id", "transcript_path", "cwd", "hook_event_name", "timestamp"])
_WORDS = ("prompt", "prompt_response", "transcript_path", "cwd", "timestamp", "tool_name", "source", "reason")
# They come with every call of the model, or every piece of its answer, and say nothing that others do not.
_SILENT = ("PreCompress", "BeforeModel", "AfterModel", "BeforeToolSelection", "BeforeTool")
_EVENTS = frozenset([*_SILENT, "SessionStart", "SessionEnd", "BeforeAgent", "AfterAgent", "AfterTool", "Notification"])


def owns(payload: Payload) -> bool:
    """True for one of its events with the time at which it was sent."""
    return (
        word(payload.get("hook_event_name")) in _EVENTS
        and isinstance(payload.get("timestamp"), str)
        and "session_id" in payload
        and "cursor_version" not in payload
    )


def hear(payload: Payload, time: str) -> Heard:
    """What a payload says; see `Dialect`."""
    session = reading.checked(payload, ["session_id"], _WORDS)
    time = moment_of(payload.get("timestamp")) or time
    event, path = word(payload.get("hook_event_name")), word(payload.get("transcript_path")) or None
    cwd = word(payload.get("cwd"))
    if event in _SILENT:
        return Heard(session, (), "working", None, cwd)
    if event == "AfterAgent":
        # Its transcript may be gone a minute later, when another session begins.
        return Heard(session, (_turn(payload, session, time),), "waiting", path, cwd, ends_turn=True)
    if event == "SessionEnd":
        reason = reading.label(payload.get("reason"))
        ended = reading.draft(session, time, "session.ended", "session.ended", reason=reason)
        return Heard(session, (ended,), "ended", path, cwd)
    if event == "Notification":
        return Heard(session, reading.other(session, time, event, payload, _COMMON), "waiting", None, cwd)
    facts = _FACTS.get(event)
    drafts = facts(payload, session, time) if facts else reading.other(session, time, event, payload, _COMMON)
    return Heard(session, drafts, None if event == "SessionStart" else "working", None, cwd)


def moment(payload: Payload) -> Moment | None:
    """Where it can be answered. Before a tool it does not read context: it is asked only because it can be denied."""
    event = payload.get("hook_event_name")
    if event == "BeforeTool" and edited(payload):
        return "edit"
    return "start" if event == "SessionStart" else "prompt" if event == "BeforeAgent" else None


def inject(payload: Payload, text: str) -> str:
    """What the hook prints so that the agent reads `text`; before a tool only its user does."""
    if payload.get("hook_event_name") == "BeforeTool":
        return answers.plain(systemMessage=text)
    return answers.specific(payload, text)


def deny(payload: Payload, because: str) -> str:  # noqa: ARG001 - the same before every tool
    """What the hook prints so that a tool is not run."""
    return answers.plain(decision="deny", reason=because)


def _start(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    source = word(payload.get("source"))
    kind = "session.resumed" if source == "resume" else "session.started"
    cwd, source_label = reading.label(payload.get("cwd")), reading.label(source)
    return (reading.draft(session, time, kind, kind, agent=NAME, key=session, cwd=cwd, source=source_label),)


def _prompt(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    text = reading.prompt(payload.get("prompt"))
    ref = f"prompt:{words_of(text)}{reading.COUNTED}"
    return (reading.draft(session, time, "prompt.submitted", ref, text=text, by="user"),) if text else ()


def _tool(payload: Payload, session: str, time: str) -> tuple[Draft, ...]:
    made = reading.a_call(payload, time, "tool_name", "tool_input")
    response = mapping(payload.get("tool_response"))
    failed = "error" in response
    text = word(mapping(response.get("error")).get("message")) or word(response.get("error"))
    said = text or reading.output(response.get("llmContent")) or word(response.get("returnDisplay"))
    code = reading.exit_code_in(said)
    outcome = Outcome(said, failed=failed or bool(code), exit_code=code)
    key = call_of(made.tool, payload.get("tool_input"))
    return reading.tool(session, time, key, made, outcome, ref=f"tool:{key}{reading.COUNTED}")


def _turn(payload: Payload, session: str, time: str) -> Draft:
    asked = reading.prompt(payload.get("prompt"))
    text = cut(_once(word(payload.get("prompt_response"))), PROMPT)
    ref = f"turn:{words_of(asked)}{reading.COUNTED}"
    return reading.draft(session, time, "turn.ended", ref, text=text, reason="end_turn")


def _once(text: str) -> str:
    """The answer without its last chunk, where that is there twice; a few words may well be meant."""
    places = [place for place, character in enumerate(text) if not character.isspace()][-_LAST:]
    tail = "".join(text[place] for place in reversed(places))
    twice = next((length for length in range(len(tail) // 2, _SHORTEST - 1, -1) if _is_twice(tail, length)), 0)
    return text[: places[-twice]].rstrip() if twice else text


def _is_twice(tail: str, length: int) -> bool:
    return tail[0] == tail[length] and tail[:length] == tail[length : 2 * length]


# In characters that are no spaces: what is looked at, from the end, and the least that is taken for a chunk.
_LAST = 8_000
_SHORTEST = 12
_FACTS: dict[str, Any] = {"SessionStart": _start, "BeforeAgent": _prompt, "AfterTool": _tool}
