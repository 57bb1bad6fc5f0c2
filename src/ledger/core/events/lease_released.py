"""`lease.released`: given back by its owner, or taken from it by another session, which must say why."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.lease import titles, unit_of_lease
from ledger.core.state import Changes, Reader, lease_path


def apply(reader: Reader, event: Event) -> Changes:
    path = lease_path(event.data["lease"])
    lease = reader.get(path)
    if lease is None:
        return {}
    return {path: None} if lease["session"] == event.session or event.data.get("because") else {}


KIND = Kind(type="lease.released", titles=titles, footprint=unit_of_lease, apply=apply)
