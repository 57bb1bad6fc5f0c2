"""`lease.renewed`: its owner lives and still needs it; from another session it changes nothing."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.lease import titles, unit_of_lease
from ledger.core.state import Changes, Reader, lease_path


def apply(reader: Reader, event: Event) -> Changes:
    path = lease_path(event.data["lease"])
    lease = reader.get(path)
    if lease is None or lease["session"] != event.session:
        return {}
    told = {"ttl": event.data["ttl"]} if "ttl" in event.data else {}
    return {path: lease | told | {"event": event.id, "last": event.id, "renewed": event.time}}


KIND = Kind(type="lease.renewed", titles=titles, footprint=unit_of_lease, apply=apply)
