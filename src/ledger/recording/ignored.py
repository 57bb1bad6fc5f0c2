"""Ignored: paths whose contents are not kept, as `.ledgerignore` of the project names them.

That a file was read or written is kept, with its name; what stood in it is not: neither in the event of the call nor
in the line of the transcript. A call is known by the paths that it names, in its fields, in a patch or as words of a
command; what it gives back is known by the call's id. Where a program prints a file that the command does not name,
nothing shows that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ledger.recording.adapter import Draft

FILE = ".ledgerignore"
LEFT_OUT = f"[left out: {FILE}]"
LEFT_LINE = json.dumps({"left out": FILE}).encode() + b"\n"  # in place of a transcript's line

Covers = Callable[[str], bool]

_TOOLS = ("tool.completed", "tool.failed")
_PATHS = ("file_path", "notebook_path", "absolute_path", "path", "filePath", "dir_path")
_CALLS = ("call_id", "tool_use_id", "toolUseId", "callId", "callID", "toolCallId")
_GIVEN = ("input", "arguments", "args", "tool_input", "toolArgs")  # what a call was given
# A word of a command is taken for a path only with a dot or a slash in it: `build` may be a target of make.
_WORDS = re.compile(r"[^\s'\"`=;|&<>(){},:*]*[./][^\s'\"`=;|&<>(){},:*]*")
_LONGEST_PATH = 1_024


def covering(lines: Iterable[str], roots: Sequence[str]) -> Covers:
    """Tells whether a path is named by these lines, in the syntax of .gitignore; absolute ones lie below a root."""
    import pathspec  # loaded only where a project has such a file

    spec = pathspec.GitIgnoreSpec.from_lines(lines)
    tops = tuple(f"{root.rstrip('/')}/" for root in roots)

    def covers(path: str) -> bool:
        if not path or len(path) > _LONGEST_PATH or "\n" in path:
            return False
        below = next((path[len(top) :] for top in tops if path.startswith(top)), path)
        return not below.startswith("/") and bool(spec.match_file(below.removeprefix("./")))

    return covers


def without_contents(draft: Draft, covers: Covers) -> Draft:
    """The fact of a tool call; without its input and output where it names an ignored path."""
    given = draft.data.get("input")
    named = [*draft.data.get("files", ()), *_named_in(given)]
    if draft.type not in _TOOLS or not any(covers(path) for path in named):
        return draft
    names = {field: given[field] for field in _PATHS if field in given} if isinstance(given, dict) else {}
    kept = {name: value for name, value in draft.data.items() if name not in ("input", "output", "error")}
    told = "error" if draft.type == "tool.failed" else "output"
    return replace(draft, data=kept | {"input": names, told: LEFT_OUT})


class Screen:
    """Follows the lines of one transcript, and tells which hold contents of ignored files."""

    def __init__(self, covers: Covers) -> None:
        self._covers = covers
        self._calls: set[str] = set()

    def hides(self, raw: bytes) -> bool:
        """Whether a line holds a call that names an ignored path, or what such a call gave back.

        One that cannot be read holds neither, as far as can be told.
        """
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            return False
        found = [part for part in _parts(record) if self._names_ignored(part) or _call_of(part) in self._calls]
        self._calls.update(call for part in found if (call := _call_of(part)))
        return bool(found)

    def _names_ignored(self, part: dict[str, Any]) -> bool:
        if any(isinstance(part.get(field), str) and self._covers(part[field]) for field in _PATHS):
            return True
        return any(self._covers(path) for field in _GIVEN if field in part for path in _named_in(part[field]))


def _call_of(part: dict[str, Any]) -> str:
    """The id of the call that a part of a record belongs to, or ""."""
    named = next((part[name] for name in _CALLS if isinstance(part.get(name), str)), "")
    if named or not any(field in part for field in _GIVEN):
        return str(named)
    return part["id"] if isinstance(part.get("id"), str) else ""


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a value, itself included."""
    if isinstance(value, dict):
        yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inside:
        yield from _parts(item)


def _named_in(value: Any) -> Iterator[str]:
    """Everything in a call's input that may be a path: what its fields for paths hold, and the words of any text."""
    if isinstance(value, str):
        yield from dict.fromkeys(_WORDS.findall(value))
        return
    if isinstance(value, dict):
        yield from (value[field] for field in _PATHS if isinstance(value.get(field), str))
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inside:
        yield from _named_in(item)
