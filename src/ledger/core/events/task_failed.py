"""`task.failed`: it could not be done, and why."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import change, problems, titles, unit_of_task
from ledger.core.state import Changes, Reader


def apply(reader: Reader, event: Event) -> Changes:
    return change(reader, event, status="failed", ended=event.time, outcome=event.data.get("because"))


KIND = Kind(type="task.failed", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
