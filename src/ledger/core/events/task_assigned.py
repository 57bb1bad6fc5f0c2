"""`task.assigned`: who is to do it, a session or a role."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import change, problems, titles, unit_of_task
from ledger.core.state import Changes, Reader


def apply(reader: Reader, event: Event) -> Changes:
    told = {name: event.data[name] for name in ("role", "to") if name in event.data}
    return change(reader, event, **told)


KIND = Kind(type="task.assigned", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
