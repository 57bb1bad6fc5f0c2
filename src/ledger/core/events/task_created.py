"""`task.created`: something to be done."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import problems, titles, unit_of_task
from ledger.core.state import Changes, Reader, task_path

_TOLD = ("about", "role", "title", "to")


def apply(reader: Reader, event: Event) -> Changes:
    path = task_path(event.data["task"])
    entry = reader.get(path) or {"created": event.time, "status": "open"}
    told = {name: event.data[name] for name in _TOLD if name in event.data}
    return {path: entry | told | {"event": event.id, "last": event.id, "session": event.session}}


KIND = Kind(type="task.created", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
