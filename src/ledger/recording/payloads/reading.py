"""Reading: the fields of a payload, all judged before anything is made of one of them; and the facts made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.errors import InvalidError, Problem
from ledger.recording.adapter import Draft
from ledger.recording.calls import Call, Outcome, call, told
from ledger.recording.cutting import LABEL, PROMPT, cut, cut_input
from ledger.recording.naming import content_of
from ledger.recording.payloads.fence import without_fence
from ledger.recording.payloads.payload import Payload
from ledger.recording.shapes import listing, mapping, name, texts, word

LONGEST_KEY = 256
COUNTED = "#"  # at the end of a ref: told apart by counting

_EMAIL = re.compile(r"e-?_?mail", re.IGNORECASE)
_EXIT_LINE = re.compile(r"^Exit Code: (-?\d{1,9})\s*$", re.MULTILINE)
_EXIT_CODE = re.compile(r"\A(?:Error: )?Exit code (-?\d{1,9})\b")


def checked(payload: Payload, session: Sequence[str], words: Iterable[str] = ()) -> str:
    """The agent's own id of the session, which one of the fields `session` holds; `words` must be texts, or absent.

    Raises InvalidError with every field at fault.
    """
    found = next((field for field in session if payload.get(field) is not None), session[0])
    broken = [Problem(found, rule) for rule in _key_rules(payload.get(found))]
    broken += [Problem(w, "is no text") for w in words if not isinstance(payload.get(w, ""), (str, type(None)))]
    if broken:
        raise InvalidError("this payload cannot be recorded:", broken)
    return str(payload[found])


def draft(session: str, time: str, kind: str, ref: str, /, **data: Any) -> Draft:
    """A fact; what is not known (None, or nothing) is left out, and labels are cut to size."""
    said = {field: value for field, value in data.items() if value not in (None, "", [], {})}
    return Draft(kind, time, said, ref, session)


def label(value: Any) -> str | None:
    """A short text, or None."""
    return cut(word(value), LABEL) or None


def prompt(value: Any) -> str:
    """What was asked, without what we put into it ourselves."""
    return cut(without_fence(word(value)), PROMPT)


def tool(
    session: str, time: str, key: str, made: Call, outcome: Outcome, *, ref: str | None = None
) -> tuple[Draft, ...]:
    """The fact that a tool call is."""
    kind, data = told(key, made, outcome)
    return (draft(session, time, kind, ref or f"tool:{key}", **data),)


def a_call(payload: Payload, time: str, name_field: str, input_field: str, agent_id: Any = None) -> Call:
    """The tool call that a payload tells of."""
    given = payload.get(input_field)
    return call(word(payload.get(name_field)) or "unknown", given, time, agent_id=label(agent_id))


def other(session: str, time: str, event: str, payload: Payload, common: Iterable[str]) -> tuple[Draft, ...]:
    """An event of the agent for which there is no type: kept as it is, but for what every payload has."""
    left = frozenset(common)
    kept = {field: value for field, value in payload.items() if field not in left}
    digest = content_of(payload)
    data = cut_input(without_identity(kept))
    return (draft(session, time, "agent.other", f"other:{name(event)}:{digest}", name=label(event), payload=data),)


def without_identity(value: Any) -> Any:
    """A value without fields that hold an e-mail address."""
    if isinstance(value, dict):
        return {field: without_identity(item) for field, item in value.items() if not _EMAIL.search(field)}
    return [without_identity(item) for item in value] if isinstance(value, list) else value


def output(response: Any) -> str:
    """What a tool gave back, as text."""
    if isinstance(response, str):
        return response
    fields = mapping(response)
    streams = [word(fields.get(stream)) for stream in ("stdout", "stderr") if word(fields.get(stream))]
    if streams or "stdout" in fields:
        return "\n".join(streams)
    said = texts(fields.get("content", response if isinstance(response, list) else None), "text")
    if said:
        return "\n".join(said)
    return json.dumps(response, ensure_ascii=False) if response not in (None, {}, []) else ""


def exit_code(text: str) -> int | None:
    """The exit code that a failed command's text begins with."""
    found = _EXIT_CODE.match(text)
    return int(found[1]) if found else None


def exit_code_in(text: str) -> int | None:
    """The exit code that a line of Gemini CLI's text about a command holds."""
    found = _EXIT_LINE.search(text)
    return int(found[1]) if found else None


def is_from(payload: Payload, *folders: str) -> bool:
    """Whether the transcript that a payload names lies where one agent keeps its own."""
    path = word(payload.get("transcript_path")) or word(payload.get("transcriptPath"))
    return any(folder in path for folder in folders)


def first_of(payload: Mapping[str, Any], *fields: str) -> Any:
    """The first of these fields that there is, or None."""
    return next((payload[field] for field in fields if payload.get(field) is not None), None)


def folder_of(payload: Payload) -> str:
    """Where the agent works."""
    roots = listing(payload.get("workspace_roots")) or listing(payload.get("workspacePaths"))
    return word(payload.get("cwd")) or (word(roots[0]) if roots else "")


def _key_rules(value: Any) -> list[str]:
    if value is None:
        return ["is missing"]
    if not isinstance(value, str):
        return ["is no text"]
    if not value.strip():
        return ["is empty"]
    if len(value) > LONGEST_KEY:
        return [f"is longer than {LONGEST_KEY} characters"]
    return [] if value.isprintable() else ["holds characters that cannot be seen"]
