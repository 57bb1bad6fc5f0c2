"""`task.assigned`: who is to do it, a session or a role; whatever became of it before, it is open again."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import REOPENED, change, problems, titles, unit_of_task
from ledger.core.state import Changes, Reader


def apply(reader: Reader, event: Event) -> Changes:
    told = {"role": event.data["role"]} if "role" in event.data else {}
    return change(reader, event, **told, **REOPENED, to=event.data.get("to"))


KIND = Kind(type="task.assigned", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
