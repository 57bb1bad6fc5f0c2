"""`lease.acquired`: a session claims paths or names for a time; the lease is named by the id of this event.

Overlap and expiry are judged by readers: of the live leases the one with the smallest id holds.
"""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.state import Changes, Reader, lease_path

_TOLD = ("because", "mode", "on", "ttl")


def titles(data: Data) -> Titles:
    return data["mode"], ", ".join(data["on"])


def footprint(event: Event) -> tuple[str, ...]:
    return (lease_path(event.id),)


def apply(reader: Reader, event: Event) -> Changes:
    told = {name: event.data[name] for name in _TOLD if name in event.data}
    lived = {"acquired": event.time, "event": event.id, "last": event.id, "renewed": event.time}
    return {lease_path(event.id): told | lived | {"session": event.session}}


KIND = Kind(type="lease.acquired", titles=titles, footprint=footprint, apply=apply)
