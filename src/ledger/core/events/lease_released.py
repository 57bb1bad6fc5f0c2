"""`lease.released`: given back by its owner, or taken from one that is proven dead."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.lease import titles, unit_of_lease
from ledger.core.state import Changes, Reader, lease_path


def apply(reader: Reader, event: Event) -> Changes:
    path = lease_path(event.data["lease"])
    return {} if reader.get(path) is None else {path: None}


KIND = Kind(type="lease.released", titles=titles, footprint=unit_of_lease, apply=apply)
