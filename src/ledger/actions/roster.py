"""Roster: the sessions that have started and not ended, and which of them a name means."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.actions.read import reader_at
from ledger.actions.tip import Author
from ledger.core.state import Document, Reader
from ledger.errors import AmbiguousError, NotFoundError
from ledger.storage.place import Place

_FOLDER = "sessions/"
_FILE = "/session.yaml"


def list_sessions(reader: Reader) -> Iterator[tuple[str, Document]]:
    """Every session on the roster of a state with its entry, sorted by id."""
    for path, document in reader.under(_FOLDER):
        if path.endswith(_FILE) and path.count("/") == 2:
            yield path[len(_FOLDER) : -len(_FILE)], document


def find_session(place: Place, name: str) -> Author:
    """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

    Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
    """
    roster = dict(list_sessions(reader_at(place)))
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
