"""What Codex writes as the result of a tool call, in each of its forms: text under a head of the
program's own lines, JSON with metadata, a list of parts, or fields.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ledger.recording.adapter import Record
from ledger.recording.calls import Outcome
from ledger.recording.shapes import count, mapping, texts, whole, word

_EXIT_CODE = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d{1,9})\s*$", re.MULTILINE)
_WALL_TIME = re.compile(r"^Wall time: (\d{1,9}(?:\.\d{1,9})?) seconds", re.MULTILINE)
_HEADER = 300  # the program's own lines stand at the head of a tool's output
_REFUSED = ("Command blocked by", "apply_patch verification failed", "failed to parse function arguments")


@dataclass(slots=True)
class Seen:
    """What an event told of a running call, ahead of its result."""

    exit_code: int | None = None
    duration_ms: int | None = None
    failed: bool = False
    files: tuple[str, ...] = ()


def parsed(text: str) -> Record:
    """The JSON object that the text holds, or an empty one."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        return mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def outcome_of(payload: Record, seen: Seen) -> Outcome:
    """How a call ended, by its result and by what events told before."""
    given = payload.get("output", payload.get("result"))
    told = mapping(given) or parsed(word(given))
    details = mapping(told.get("metadata")) or told
    text = _output_text(given, told)
    code = seen.exit_code if seen.exit_code is not None else _exit_code(text, details)
    return Outcome(
        text=text,
        failed=bool(code) or seen.failed or told.get("success") is False or text.startswith(_REFUSED),
        exit_code=code,
        duration_ms=seen.duration_ms if seen.duration_ms is not None else _duration(text, details),
        files=seen.files,
    )


def _output_text(given: Any, told: Record) -> str:
    for field in ("output", "content", "stdout"):
        if field in told:
            parts = [*texts(told.get(field)), word(told.get("stderr"))]
            return "\n".join(part for part in parts if part)
    return "\n".join(texts(given))


def _exit_code(text: str, details: Record) -> int | None:
    for field in ("exit_code", "exitCode"):
        if whole(details.get(field)) is not None:
            return whole(details.get(field))
    found = _EXIT_CODE.search(text[:_HEADER])
    return int(found.group(1)) if found else None


def _duration(text: str, details: Record) -> int | None:
    seconds = details.get("duration_seconds")
    if not isinstance(seconds, (int, float)):
        found = _WALL_TIME.search(text[:_HEADER])
        seconds = float(found.group(1)) if found else None
    return count(seconds * 1000) if seconds is not None else None


def milliseconds(duration: Any) -> int | None:
    """A duration of `{secs, nanos}`, or None."""
    seconds, nanos = count(mapping(duration).get("secs")), count(mapping(duration).get("nanos"))
    return None if seconds is None else seconds * 1000 + (nanos or 0) // 1_000_000
