"""Roster: the sessions that have started and not ended, those of the past, and which of them a name means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ledger.actions.find import main_tip, tips, walk
from ledger.actions.tip import Author, event_of, own_tip
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.core.state import Document, session_path
from ledger.errors import AmbiguousError, DamageError, NotFoundError
from ledger.storage.layout import PRIVATE, SESSIONS, session_of
from ledger.storage.place import Place
from ledger.storage.store import Oid
from ledger.storage.tree import TreeReader

_FOLDER = "sessions/"
_SHOWN = 80  # characters of a name that an error repeats

# In an event's canonical text nothing else begins a line so: what is inside `data` is moved in.
_STARTS = (b"\ntype: session.started\n", b"\ntype: session.resumed\n")
_END = b"\ntype: session.ended\n"


class Past(NamedTuple):
    """A session that has ended: who it was, what it told of itself, since when (None: not known), and its end."""

    author: Author
    told: Document
    started: str | None
    ended: str
    reason: str


def all_sessions(place: Place) -> dict[str, Document]:
    """Every session on the roster of main, and those whose entry is on a line of their own so far.

    `private` says on what line a session is, whatever its events say of it.
    """
    main = main_tip(place)
    found = {session: _marked(entry, is_private=False) for session, entry in _listed(place, main)}
    for ref, own in (place.store.refs(SESSIONS) | place.store.refs(PRIVATE)).items():
        session = session_of(ref) or ""
        is_new = session not in found and SessionId.form.fullmatch(session)
        entry = _unpublished_entry(place, session, own, main) if is_new else None
        if entry is not None:
            found[session] = _marked(entry, is_private=ref.startswith(PRIVATE))
    return found


def _marked(entry: Document, *, is_private: bool) -> Document:
    rest = {name: value for name, value in entry.items() if name != "private"}
    return rest | {"private": True} if is_private else rest


def _listed(place: Place, tip: Oid) -> Iterator[tuple[str, Document]]:
    # Folder by folder: the contexts of the sessions, which may be large, are not read.
    tree = place.store.commit(tip).tree
    reader = TreeReader(place.store, tree)
    for folder in place.store.tree_entries(tree, _FOLDER):
        # Ids become the names of files and refs here: what a foreign tree holds besides is nobody.
        entry = reader.get(session_path(folder.name)) if SessionId.form.fullmatch(folder.name) else None
        if entry is not None:
            yield folder.name, entry


def _unpublished_entry(place: Place, session: str, own: Oid, main: Oid) -> Document | None:
    try:
        # A branch that main holds already says nothing: its session has ended since, and was stopped before it went.
        return None if place.store.is_ancestor(own, main) else _entry_at(place, own, session)
    except (DamageError, NotFoundError):  # the line of one must not hide all the others; `status` names it
        return None


def _entry_at(place: Place, tip: Oid, session: str) -> Document | None:
    return TreeReader(place.store, place.store.commit(tip).tree).get(session_path(session))


def find_session(place: Place, name: str) -> Author:
    """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

    Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
    """
    agent = _agent_of(place, name) if SessionId.form.fullmatch(name) else None
    if agent is not None:
        return Author(name, agent)
    roster = all_sessions(place)
    by_key = [session for session, entry in roster.items() if entry.get("key") == name]
    found = by_key or [session for session in roster if session.startswith(name.lower())]
    if not found:
        cut = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
        raise NotFoundError(
            f"no session on the roster is named {cut!r}: it has ended, or never was here",
            hint="`ledger sessions --all` lists them, `ledger session resume ID` goes on with one that has ended; "
            "where LEDGER_SESSION names it, `unset LEDGER_SESSION` makes you yourself again",
        )
    if len(found) > 1:
        raise _ambiguous(name, found)
    return Author(found[0], str(roster[found[0]].get("agent", "agent")))


def _agent_of(place: Place, session: str) -> str | None:
    """The agent of a session on the roster, by its whole id: the entries of all the others need not be read for it."""
    main = main_tip(place)
    own = own_tip(place.store, session)
    entry = _entry_at(place, main, session)
    if entry is None and own is not None:
        entry = _unpublished_entry(place, session, own, main)
    return None if entry is None else str(entry.get("agent", "agent"))


def past_sessions(place: Place, limit: int | None = None) -> list[Past]:
    """The sessions that have ended, the last one first; with `limit`, so many, and history is read back for no more."""
    on_roster = all_sessions(place)
    ends: dict[str, tuple[str, Event]] = {}
    starts: dict[str, Event] = {}
    for agent, event in _lives(place):
        if event.session in on_roster:
            continue
        if event.type != "session.ended":
            if event.session in ends:
                starts.setdefault(event.session, event)
        elif limit is None or len(ends) < limit:
            ends.setdefault(event.session, (agent, event))
        if len(starts) == limit:
            break
    return [_past(agent, end, starts.get(session)) for session, (agent, end) in ends.items()]


def find_past(place: Place, name: str) -> Past | None:
    """The session that has ended and that `name` means: its id, the id's first characters, or the agent's own id.

    None where there is none; raises AmbiguousError with the sessions that it fits. Reads all of history.
    """
    past = past_sessions(place)
    found = [one for one in past if one.told.get("key") == name]
    found = found or [one for one in past if one.author.session.startswith(name.lower())]
    if len(found) > 1:
        raise _ambiguous(name, [one.author.session for one in found])
    return found[0] if found else None


def _lives(place: Place) -> Iterator[tuple[str, Event]]:
    """The events by which sessions start, go on and end, each with the session's agent, the newest first."""
    for commit in walk(place, tips(place)):
        if any(mark in commit.message for mark in (*_STARTS, _END)):
            yield commit.author.name, event_of(commit)


def _past(agent: str, end: Event, start: Event | None) -> Past:
    told = {} if start is None else {name: value for name, value in start.data.items() if name != "source"}
    reason = str(end.data.get("reason", ""))
    return Past(Author(end.session, agent), told, None if start is None else start.time, end.time, reason)


def _ambiguous(name: str, matches: Sequence[str]) -> AmbiguousError:
    return AmbiguousError(
        f"{name!r} fits {len(matches)} sessions: {', '.join(matches[:5])}",
        matches=matches,
        hint="give more characters of the one you mean",
    )
