"""`session.ended`: the session leaves the roster with all of its own context, and frees the leases it lists."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.session import titles
from ledger.core.state import Changes, Reader, lease_path, session_folder, session_path


def footprint(event: Event) -> tuple[str, ...]:
    return (session_folder(event.session), *(lease_path(lease) for lease in event.data.get("leases", ())))


def apply(reader: Reader, event: Event) -> Changes:
    changes: Changes = {}
    if reader.get(session_path(event.session)) is not None:
        changes[session_folder(event.session)] = None
    for path in footprint(event)[1:]:
        lease = reader.get(path)
        if lease is not None and lease["session"] == event.session:
            changes[path] = None
    return changes


KIND = Kind(
    type="session.ended",
    titles=titles,
    footprint=footprint,
    apply=apply,
    by_ledger="by `ledger session end`, which frees the session's leases too",
)
