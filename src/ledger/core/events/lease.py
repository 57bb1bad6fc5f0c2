"""What the later events of a lease share."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Titles
from ledger.core.state import lease_path


def titles(data: Data) -> Titles:
    """The lease and why."""
    return data["lease"][:13], data.get("because", "")


def unit_of_lease(event: Event) -> tuple[str, ...]:
    """The lease's own file."""
    return (lease_path(event.data["lease"]),)
