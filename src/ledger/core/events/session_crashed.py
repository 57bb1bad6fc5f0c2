"""`session.crashed`: the session was found dead."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.session import mark, titles, unit_of_session
from ledger.core.state import Changes, Reader, session_path


def apply(reader: Reader, event: Event) -> Changes:
    entry = reader.get(session_path(event.session))
    return {} if entry is None else mark(event, entry | {"crashed": event.time})


KIND = Kind(
    type="session.crashed",
    titles=titles,
    footprint=unit_of_session,
    apply=apply,
    by_ledger="when a session is found dead",
)
