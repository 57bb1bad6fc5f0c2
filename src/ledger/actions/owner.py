"""Owner: whether the session that something belongs to is gone, and what proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.core.state import Reader, session_path
from ledger.storage.place import Place

if TYPE_CHECKING:
    from ledger.storage.live import Live


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


def _look(place: Place, session: str) -> Live | None:
    # Imported here: to show who owns what, nobody needs to look into processes.
    from ledger.storage.live import look

    return None if place.layout is None else look(place.layout, session)


def agent_of(reader: Reader, session: str) -> str:
    """The agent whose run a session is; "session" where that is not known (any more)."""
    return str((reader.get(session_path(session)) or {}).get("agent", "session"))


def shown(reader: Reader, session: str) -> str:
    """A session as people read it: its agent, and the first characters of its id."""
    return f"{agent_of(reader, session)}/{session[:4]}"
