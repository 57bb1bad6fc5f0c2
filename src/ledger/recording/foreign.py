"""Agents whose transcripts are not read yet, known by the shape of their records, to be refused by name."""

from __future__ import annotations

from collections.abc import Callable

from ledger.recording.adapter import Record
from ledger.recording.shapes import listing, mapping, word

_Shape = Callable[[Record], bool]


def foreign_title(record: Record) -> str | None:
    """The name of the foreign agent that writes such records, or None."""
    for title, has_shape in _SHAPES:
        if has_shape(record):
            return title
    return None


def _copilot(record: Record) -> bool:
    kind = word(record.get("type"))
    return "." in kind and isinstance(record.get("data"), dict) and "parentId" in record


def _cursor(record: Record) -> bool:
    return "role" in record and isinstance(record.get("message"), dict) and "type" not in record


def _droid(record: Record) -> bool:
    kind = word(record.get("type"))
    if kind in ("session_start", "todo_state"):
        return True
    return kind == "message" and isinstance(record.get("message"), dict) and "parentId" not in record


def _pi(record: Record) -> bool:
    kind = word(record.get("type"))
    if kind == "session":
        return "version" in record and "id" in record
    return kind == "message" and isinstance(record.get("message"), dict) and "parentId" in record


def _amp(record: Record) -> bool:
    first = next(iter(listing(record.get("messages"))), None)
    return word(record.get("id")).startswith("T-") or "messageId" in mapping(first)


def _opencode(record: Record) -> bool:
    if "sessionID" in record or "messageID" in record:
        return True
    info = mapping(record.get("info"))
    return "projectID" in info or "sessionID" in info or word(info.get("id")).startswith("ses_")


_SHAPES: tuple[tuple[str, _Shape], ...] = (
    ("GitHub Copilot CLI", _copilot),
    ("Cursor", _cursor),
    ("Factory Droid", _droid),
    ("Pi", _pi),
    ("OpenCode", _opencode),
    ("Amp", _amp),
)
