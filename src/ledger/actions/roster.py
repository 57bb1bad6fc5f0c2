"""Roster: the sessions that have started and not ended, and which of them a name means."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.actions.read import reader_at
from ledger.actions.tip import Author
from ledger.core.state import Document, Reader, session_path
from ledger.errors import AmbiguousError, NotFoundError
from ledger.storage.layout import SESSIONS, session_of
from ledger.storage.place import Place
from ledger.storage.tree import TreeReader

_FOLDER = "sessions/"
_FILE = "/session.yaml"


def list_sessions(reader: Reader) -> Iterator[tuple[str, Document]]:
    """Every session on the roster of a state with its entry, sorted by id."""
    for path, document in reader.under(_FOLDER):
        if path.endswith(_FILE) and path.count("/") == 2:
            yield path[len(_FOLDER) : -len(_FILE)], document


def all_sessions(place: Place) -> dict[str, Document]:
    """Every session on the roster of main, and those whose entry is on a line of their own so far."""
    found = dict(list_sessions(reader_at(place)))
    for ref, tip in place.store.refs(SESSIONS).items():
        session = session_of(ref) or ""
        entry = TreeReader(place.store, place.store.commit(tip).tree).get(session_path(session))
        if entry is not None:
            found.setdefault(session, entry)
    return found


def find_session(place: Place, name: str) -> Author:
    """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

    Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
    """
    roster = all_sessions(place)
    by_key = [session for session, entry in roster.items() if entry.get("key") == name]
    found = by_key or [session for session in roster if session.startswith(name.lower())]
    if not found:
        raise NotFoundError(
            f"no session on the roster is named {name!r}",
            hint="a session enters the roster with its first event, and leaves it when it ends",
        )
    if len(found) > 1:
        raise AmbiguousError(
            f"{name!r} fits {len(found)} sessions: {', '.join(found[:5])}",
            matches=found,
            hint="give more characters of the one you mean",
        )
    return Author(found[0], str(roster[found[0]].get("agent", "agent")))
