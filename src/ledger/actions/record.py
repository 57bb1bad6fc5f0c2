"""Record: events of any type as a program gives them, judged all together before any is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ledger.actions.append import Appended, Draft, mint
from ledger.actions.declare import require_lawful
from ledger.actions.judge import judge
from ledger.actions.read import reader_at
from ledger.actions.session import Session
from ledger.actions.tip import Author
from ledger.core import schema
from ledger.core.events import find_kind, message_of
from ledger.core.key import key_problems, nearest_key
from ledger.core.state import Reader
from ledger.errors import InvalidError, Problem
from ledger.storage.place import Place

FIELDS = ("type", "data", "time", "origin", "prev", "v")
_OURS = ("id", "session", "commit", "parents", "subject")
_TYPES: dict[str, tuple[type, str]] = {
    "type": (str, "a text such as note.added"),
    "data": (dict, "a mapping"),
    "time": (str, "a text such as '2026-11-22T15:13:04.123456Z'"),
    "origin": (dict, "a mapping with source and ref"),
    "v": (int, "a whole number"),
}


def drafts_of(place: Place, author: Author, given: Sequence[tuple[str, Any]]) -> list[Draft]:
    """The events that documents describe, ready to be appended; each comes with a name for what is said of it.

    Raises InvalidError with every problem of every document, as far as the present state tells.
    """
    reader = reader_at(place)
    broken = [p for name, document in given for p in _problems(place, author, reader, name, document)]
    if broken:
        raise InvalidError("nothing was recorded:", broken, hint=_hint(given))
    for _, document in given:
        if document["type"] == "policy.set":
            require_lawful(document["data"].get("policy"))
    return [draft_of(document) for _, document in given]


def record(place: Place, session: Session, drafts: Sequence[Draft]) -> Appended:
    """Append the drafts to main, less those whose origin the session has recorded already, whichever way they came."""
    if place.layout is None or not any(draft.origin for draft in drafts):
        return session.write(drafts)
    # Imported here: the readers of transcripts take longer to load than an event without origin to write.
    from ledger.actions.import_transcripts import caught_up, unrecorded

    with caught_up(place, place.layout) as seen:
        new = list(unrecorded(place, seen, session.id, drafts))
        return session.write(new) if new else Appended()


def draft_of(document: Mapping[str, Any]) -> Draft:
    """The draft that a document describes; without `prev`, what stands there is what was seen."""
    return Draft(
        type=document["type"],
        data=document.get("data", {}),
        time=document.get("time"),
        origin=document.get("origin"),
        prev=document.get("prev"),
        sees_tip="prev" not in document,
        v=document.get("v", 1),
    )


def shape_problems(document: Any) -> Iterator[Problem]:
    """Every reason why a document cannot be read as an event to record."""
    if not isinstance(document, dict):
        yield Problem("", "must be a mapping with type and data")
        return
    if "type" not in document:
        yield Problem("type", "is missing")
    for name, value in document.items():
        if name in _OURS:
            yield Problem(name, "is given by the ledger; leave it out")
        elif name not in FIELDS:
            yield Problem(name, f"is none of: {', '.join(FIELDS)}")
        elif name in _TYPES and (not isinstance(value, _TYPES[name][0]) or isinstance(value, bool)):
            yield Problem(name, f"must be {_TYPES[name][1]}")
    yield from _prev_problems(document)


def _prev_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    kind = find_kind(document["type"]) if isinstance(document.get("type"), str) else None
    if "prev" in document and kind is not None and not kind.changes_state:
        yield Problem("prev", f"has no meaning in {document['type']}, which changes no state; leave it out")


def _foreign_problems(document: Any) -> Iterator[Problem]:
    # By hand they would say what did not happen: an upgrade that nobody made leaves the ledger unwritable.
    name = document.get("type") if isinstance(document, dict) else None
    kind = find_kind(name) if isinstance(name, str) else None
    if kind is not None and kind.by_ledger:
        yield Problem("type", f"{name} is written by the ledger alone, {kind.by_ledger}")


def _problems(place: Place, author: Author, reader: Reader, name: str, document: Any) -> list[Problem]:
    broken = [*shape_problems(document), *_foreign_problems(document)]
    if not broken:
        event = mint(place, author, draft_of(document), None, reader)
        broken = judge(event, reader) or schema.size_problems(message_of(event))
    return [_named(name, problem) for problem in broken]


def _hint(given: Sequence[tuple[str, Any]]) -> str:
    for _, document in given:
        data = document.get("data") if isinstance(document, dict) else None
        key = data.get("key") if isinstance(data, dict) else None
        is_of_session = isinstance(document, dict) and str(document.get("type")).startswith("session.")
        if isinstance(key, str) and key_problems(key) and not is_of_session:
            return f"the nearest valid key is {nearest_key(key)!r}"
    return "correct what is named; `ledger schema TYPE` shows what such an event looks like"


def _named(name: str, problem: Problem) -> Problem:
    return Problem(": ".join(filter(None, (name, problem.path))), problem.rule)
