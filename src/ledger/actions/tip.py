"""The tip of a line of history, and the commit that carries one event on top of it."""

from __future__ import annotations

from typing import NamedTuple

from ledger.core.clock import micros
from ledger.core.event import Event, from_message
from ledger.core.events import message_of
from ledger.core.ids import EventId, SessionId
from ledger.core.state import LEDGER, Reader
from ledger.errors import DamageError, LedgerError
from ledger.storage.codec import encode_commit
from ledger.storage.layout import private_ref, session_ref
from ledger.storage.place import Place
from ledger.storage.store import Commit, EventStore, Oid, Signature

PERSON = "person"


class Author(NamedTuple):
    """Who writes: a session, and the agent whose run it is; `wants_privacy` where it is to begin in private."""

    session: str
    agent: str
    wants_privacy: bool = False

    @classmethod
    def person(cls, place: Place) -> Author:
        """The implicit session of whoever runs this process."""
        return cls(str(SessionId.of(PERSON, place.person)), PERSON)


class Tip(NamedTuple):
    """A commit as something to append to: its tree, and its event's id, the greatest that it can reach."""

    oid: Oid
    tree: Oid
    id: EventId


def is_private(store: EventStore, session: str) -> bool:
    """Whether a session is private: its line is never merged into main, nor leaves this machine."""
    return store.ref(private_ref(session)) is not None


def own_tip(store: EventStore, session: str) -> Oid | None:
    """The end of a session's own line, private or not; None where it has nothing that main lacks."""
    return store.ref(session_ref(session)) or store.ref(private_ref(session))


def tip_at(store: EventStore, oid: Oid) -> Tip:
    """The tip that a commit is; raises DamageError if the commit carries no event."""
    commit = store.commit(oid)
    return Tip(oid, commit.tree, event_id(commit))


def event_id(commit: Commit) -> EventId:
    """The id of the event that a commit carries, without reading the rest of it."""
    start = commit.message.find(b"\n\nid: ") + 6
    try:
        return EventId(commit.message[start : start + 36].decode("ascii"))
    except (LedgerError, UnicodeDecodeError) as error:
        raise DamageError(
            f"commit {commit.oid} carries no event", hint="`ledger verify` names all that is wrong"
        ) from error


def newest_id(reader: Reader, tip: EventId) -> EventId:
    """The greatest id that led to a state: that of the tip that it was read at, or of what an epoch has cut off."""
    cut = (reader.get(LEDGER) or {}).get("last")
    return tip if cut is None else max(tip, EventId(cut))


def event_of(commit: Commit) -> Event:
    """The event that a commit carries; raises DamageError if it carries none."""
    try:
        return from_message(commit.message)
    except LedgerError as error:
        raise DamageError(
            f"commit {commit.oid} carries no event: {error}", hint="`ledger verify` names all that is wrong"
        ) from error


def raw_commit(
    place: Place, author: Author, event: Event, parents: tuple[Oid, ...], tree: Oid, message: bytes | None = None
) -> bytes:
    """The bytes of the commit that carries `event`: who it is from, when it happened, and when it was written.

    `message` is the event's own message, from a caller that has it already: spelling it takes 20 to 40 µs.
    """
    happened = micros(event.time) // 1_000_000
    written = EventId(event.id).millis // 1000
    raw = encode_commit(
        tree=tree,
        parents=parents,
        author=Signature(author.agent, author.session, max(happened, 0)),
        committer=Signature("ledger", place.host, written),
        message=message_of(event) if message is None else message,
    )
    return place.signed(raw)
