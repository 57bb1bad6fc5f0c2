"""`task.started`: a session has begun with it."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import change, problems, titles, unit_of_task
from ledger.core.state import Changes, Reader


def apply(reader: Reader, event: Event) -> Changes:
    # A task that is begun again has no end and no outcome yet.
    begun = {"status": "started", "started": event.time, "to": event.session}
    return change(reader, event, **begun, ended=None, outcome=None)


KIND = Kind(type="task.started", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
