"""`checkpoint.created`: pins a verified, durable point; replay starts from the newest one of a session."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.events.session import mark, unit_of_session
from ledger.core.state import Changes, Reader, session_path


def titles(data: Data) -> Titles:
    return data.get("reason", ""), data.get("title", "")


def apply(reader: Reader, event: Event) -> Changes:
    entry = reader.get(session_path(event.session))
    return {} if entry is None else mark(event, entry | {"checkpoint": event.id})


KIND = Kind(type="checkpoint.created", titles=titles, footprint=unit_of_session, apply=apply)
