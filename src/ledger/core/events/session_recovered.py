"""`session.recovered`: a crashed session is back; the event is the account of what was replayed, rescued and lost."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.session import mark, titles, unit_of_session
from ledger.core.state import Changes, Reader, session_path


def apply(reader: Reader, event: Event) -> Changes:
    entry = reader.get(session_path(event.session))
    if entry is None:
        return {}
    return mark(event, {name: value for name, value in entry.items() if name != "crashed"})


KIND = Kind(
    type="session.recovered",
    titles=titles,
    footprint=unit_of_session,
    apply=apply,
    by_ledger="when a crashed session is back",
)
