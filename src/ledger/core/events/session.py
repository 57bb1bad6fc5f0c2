"""What the events of a session's life share: its roster entry."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Titles
from ledger.core.state import Changes, Document, Reader, session_folder, session_path

_ROSTER = (
    "agent",
    "branch",
    "cwd",
    "host",
    "key",
    "model",
    "parent",
    "private",
    "role",
    "title",
    "version",
    "worktree",
)


def titles(data: Data) -> Titles:
    """The agent and what the session is about."""
    return data.get("agent", ""), str(data.get("title") or data.get("reason") or data.get("source") or "")


def unit_of_session(event: Event) -> tuple[str, ...]:
    """The folder of the event's own session."""
    return (session_folder(event.session),)


def enter(reader: Reader, event: Event) -> Changes:
    """Put the session on the roster; where it is already, what it says of itself is brought up to date.

    Whoever goes on is no longer crashed.
    """
    entry = reader.get(session_path(event.session)) or {"started": event.time}
    entry = {name: value for name, value in entry.items() if name != "crashed"}
    told = {name: event.data[name] for name in _ROSTER if name in event.data}
    return mark(event, entry | told)


def mark(event: Event, entry: Document) -> Changes:
    """The roster entry as changed by this event."""
    return {session_path(event.session): entry | {"event": event.id, "last": event.id}}
