"""The event: one immutable fact, and its text, which is the message of the one commit that carries it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ledger.core import canonical
from ledger.errors import InvalidError, Problem

ENVELOPE = ("id", "type", "v", "session", "time", "prev", "origin", "data")
MAX_BYTES = 64 * 1024
SUBJECT_WIDTH = 72

# What a terminal does not show, or obeys: controls, spaces of any kind, line ends, format characters (bidi
# overrides: CVE-2021-42574), surrogates, private use, noncharacters. Fixed ranges, as `str.isprintable` answers
# after the Unicode version of the Python that runs, and two machines owe one event the same message.
_ASTRAL = "".join(rf"\U{plane:04X}FFFE\U{plane:04X}FFFF" for plane in range(1, 15))
_UNSEEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff"
    r"\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    rf"{_ASTRAL}\U000e0000-\U0010ffff]+"
)

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


def from_message(message: bytes, *, is_proven: bool = False) -> Event:
    """Read the event that a commit message carries; raises InvalidError if it carries none.

    The subject line is derived from the event, one way only: it is skipped, never parsed. With `is_proven` the text is
    not proven canonical once more, which takes half of the time.
    """
    _, blank, body = message.partition(b"\n\n")
    if not blank:
        raise InvalidError("not an event", [Problem("", "the message has no body below its subject line")])
    return from_document(canonical.loads_proven(body) if is_proven else canonical.loads(body, first=ENVELOPE))


def subject(kind: str, about: str, summary: str) -> str:
    """The subject line `<type> <object>: <summary>`: one line of at most 72 printable characters."""
    head = f"{_one_line(kind)} {_one_line(about)}".rstrip()
    line = ": ".join(part for part in (head, _one_line(summary)) if part)
    return line if len(line) <= SUBJECT_WIDTH else line[: SUBJECT_WIDTH - 1].rstrip() + "…"


def _one_line(text: str) -> str:
    # Only the start is looked at: a prompt may have 32,768 characters, and each event has a subject.
    return _UNSEEN.sub(" ", text.strip()[: 4 * SUBJECT_WIDTH]).strip()


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
        elif name == "prev" and isinstance(value, list) and not all(isinstance(i, str) for i in value):
            broken.append(Problem(name, "must be a list of str"))
    return broken
