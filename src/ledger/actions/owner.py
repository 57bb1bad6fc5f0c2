"""Owner: whether the session that something belongs to is gone, and what proves it."""

from __future__ import annotations

from ledger.core.state import Reader, session_path
from ledger.errors import InvalidError
from ledger.storage import live
from ledger.storage.place import Place


def why_gone(place: Place, reader: Reader, session: str) -> str | None:
    """Why what a session owns may be taken from it; None unless it has ended, or is proven dead.

    A session without a live file, one that is stopped and one of another machine are not proven dead.
    """
    entry = reader.get(session_path(session))
    if entry is None:
        return "its owner has ended"
    found = _look(place, session)
    if found is not None and found.verdict == "dead":
        return f"its owner is dead: {found.why}"
    if "crashed" in entry and (found is None or found.verdict != "alive"):
        return "its owner has crashed"
    return None


def _look(place: Place, session: str) -> live.Live | None:
    try:
        return None if place.layout is None else live.look(place.layout, session)
    except InvalidError:  # named by hand, not by an id: nobody can have claimed it
        return None


def shown(reader: Reader, session: str) -> str:
    """A session as people read it: its agent, and the first characters of its id."""
    entry = reader.get(session_path(session)) or {}
    return f"{entry.get('agent', 'session')}/{session[:4]}"
