"""`task.started`: a session has begun with it; where another is at it already, the first stays."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Kind
from ledger.core.events.task import change, problems, titles, unit_of_task
from ledger.core.state import Changes, Reader, task_path


def apply(reader: Reader, event: Event) -> Changes:
    path = task_path(event.data["task"])
    task = reader.get(path)
    if task is not None and task["status"] == "started" and task.get("to") != event.session:
        # It changed nothing, and still has its place in the order: an earlier event that a merge brings may free it.
        return {path: task | {"last": event.id}}
    # A task that is begun again has no end and no outcome yet.
    begun = {"status": "started", "started": event.time, "to": event.session}
    return change(reader, event, **begun, ended=None, outcome=None)


KIND = Kind(type="task.started", titles=titles, footprint=unit_of_task, apply=apply, problems=problems)
