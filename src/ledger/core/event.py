"""The event: one immutable fact, and its text, which is the message of the one commit that carries it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any

from ledger.core import canonical
from ledger.errors import InvalidError, Problem

ENVELOPE = ("id", "type", "v", "session", "time", "prev", "origin", "data")
MAX_BYTES = 64 * 1024
SUBJECT_WIDTH = 72

# Present but empty is not absent: an event that changes a piece of state says `prev: null` when it saw none.
Prev = str | list[str] | None


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable fact of one session.

    `id` a UUIDv7; `type` a dotted name with schema version `v`; `session` a UUIDv5; `time` when it
    happened (UTC, microseconds); `prev` the write(s) that the writer saw and replaces, only in events
    that change a piece of state (`changes_state`); `origin` which fact this is, in the agent's own
    terms; `data` as the schema of the type says.
    """

    id: str
    type: str
    v: int
    session: str
    time: str
    data: dict[str, Any]
    prev: Prev = None
    changes_state: bool = False
    origin: dict[str, Any] | None = field(default=None)

    @property
    def seen(self) -> frozenset[str]:
        """The writes that the writer saw, as a set."""
        if self.prev is None:
            return frozenset()
        return frozenset((self.prev,) if isinstance(self.prev, str) else self.prev)

    def document(self) -> dict[str, Any]:
        """The envelope as plain values, fields in their canonical order."""
        # jsonschema-rs takes only exact strings, not the id types derived from them.
        document: dict[str, Any] = {
            "id": str(self.id),
            "type": self.type,
            "v": self.v,
            "session": str(self.session),
            "time": self.time,
        }
        if self.changes_state:
            document["prev"] = str(self.prev) if isinstance(self.prev, str) else self.prev
        if self.origin is not None:
            document["origin"] = self.origin
        document["data"] = self.data
        return document

    def body(self) -> str:
        """The canonical text of the event, without a subject line."""
        return canonical.dumps(self.document(), first=ENVELOPE)


def from_document(document: dict[str, Any]) -> Event:
    """Read an envelope; raises InvalidError naming every field that is missing, foreign or of a wrong type."""
    broken = _envelope_problems(document)
    if broken:
        raise InvalidError("not an event", broken)
    return Event(
        id=document["id"],
        type=document["type"],
        v=document["v"],
        session=document["session"],
        time=document["time"],
        data=document["data"],
        prev=document.get("prev"),
        changes_state="prev" in document,
        origin=document.get("origin"),
    )


def from_message(message: bytes) -> Event:
    """Read the event that a commit message carries; raises InvalidError if it carries none.

    The subject line is derived from the event, one way only: it is skipped, never parsed.
    """
    _, blank, body = message.partition(b"\n\n")
    if not blank:
        raise InvalidError("not an event", [Problem("", "the message has no body below its subject line")])
    return from_document(canonical.loads(body, first=ENVELOPE))


def subject(kind: str, about: str, summary: str) -> str:
    """The subject line `<type> <object>: <summary>`: one line of at most 72 printable characters."""
    line = f"{kind} {about}".rstrip()
    if summary:
        line = f"{line}: {summary}"
    line = " ".join("".join(c if _is_printable(c) else " " for c in line[: 4 * SUBJECT_WIDTH]).split())
    return line if len(line) <= SUBJECT_WIDTH else line[: SUBJECT_WIDTH - 1].rstrip() + "…"


def _is_printable(character: str) -> bool:
    # Cc, Cf, Cs, Co, Cn, Zl, Zp: control, format (bidi overrides too), surrogates, private, unassigned, line ends.
    return character == " " or (character.isprintable() and unicodedata.category(character) != "Zs")


_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "type": (str,),
    "v": (int,),
    "session": (str,),
    "time": (str,),
    "prev": (str, list, type(None)),
    "origin": (dict,),
    "data": (dict,),
}
_REQUIRED = ("id", "type", "v", "session", "time", "data")


def _envelope_problems(document: dict[str, Any]) -> list[Problem]:
    broken = [Problem(name, "is missing") for name in _REQUIRED if name not in document]
    for name, value in document.items():
        wanted = _TYPES.get(name)
        if wanted is None:
            broken.append(Problem(name, "is not a field of the envelope"))
        elif not isinstance(value, wanted) or (name == "v" and isinstance(value, bool)):
            broken.append(Problem(name, f"must be {' or '.join(t.__name__ for t in wanted)}"))
    return broken
