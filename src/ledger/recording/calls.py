"""Tool calls: pairing a call with its result, and telling which files it touched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ledger.recording.cutting import LABEL, OUTPUT, cut, cut_files, cut_input
from ledger.recording.scribe import Scribe
from ledger.recording.shapes import word

_WRITERS = frozenset(
    ["Edit", "MultiEdit", "Write", "NotebookEdit", "edit", "write", "replace", "write_file", "edit_file", "Create"]
)
_PATH_FIELDS = ("file_path", "filePath", "notebook_path", "absolute_path", "path")
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): ([^\r\n]+)", re.MULTILINE)
_PATCH_START = "*** Begin Patch"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that waits for its result; already cut, so that waiting ones stay small."""

    tool: str
    input: dict[str, Any]
    files: tuple[str, ...]
    time: str
    agent_id: str | None = None
    kind: str | None = None
    text: str | None = None


@dataclass(slots=True)
class Outcome:
    """How a call ended; what the agent did not say stays None."""

    text: str
    failed: bool = False
    exit_code: int | None = None
    duration_ms: int | None = None
    files: tuple[str, ...] = ()


def files_of(tool: str, given: Any) -> tuple[str, ...]:
    """The paths that a call of `tool` with this input writes to: an editor's target, a patch's files."""
    fields = given if isinstance(given, dict) else {"input": given}
    if tool in _WRITERS:
        return tuple(word(fields.get(field)) for field in _PATH_FIELDS if word(fields.get(field)))[:1]
    patches = (text for text in fields.values() if isinstance(text, str) and _PATCH_START in text)
    return tuple(path.strip() for patch in patches for path in _PATCHED.findall(patch))


def call(tool: str, given: Any, time: str, **more: str | None) -> Call:
    """A call as it is kept until its result comes."""
    return Call(cut(tool, LABEL), cut_input(given), tuple(cut_files(list(files_of(tool, given)))), time, **more)


def note_outcome(scribe: Scribe, key: str, made: Call, outcome: Outcome, time: str | None = None) -> None:
    """Note `tool.completed` or `tool.failed` for a call and its result."""
    kind, data = told(key, made, outcome)
    scribe.note(kind, f"tool:{key}", data, time=time)


def told(key: str, made: Call, outcome: Outcome) -> tuple[str, dict[str, Any]]:
    """The type and the data of the fact that a call and its result are; what is not known is None."""
    text = cut(outcome.text, OUTPUT)
    data = {
        "tool": made.tool,
        "call": key,
        "input": made.input,
        "error" if outcome.failed else "output": text,
        "exit_code": outcome.exit_code,
        "duration_ms": outcome.duration_ms,
        "files": list(made.files) or cut_files(list(outcome.files)),
        "agent_id": made.agent_id,
    }
    return "tool.failed" if outcome.failed else "tool.completed", data
