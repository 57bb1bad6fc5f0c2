"""What the events of a task's life share."""

from __future__ import annotations

from typing import Any

from ledger.core.event import Event
from ledger.core.events.kind import Data, Titles
from ledger.core.state import Changes, Reader, task_path


def titles(data: Data) -> Titles:
    """The task and what is said of it."""
    return data["task"], next((str(data[n]) for n in ("title", "outcome", "because", "to") if n in data), "")


def unit_of_task(event: Event) -> tuple[str, ...]:
    """The task's own file."""
    return (task_path(event.data["task"]),)


def change(reader: Reader, event: Event, **told: Any) -> Changes:
    """The task as changed by this event; a task that nobody created stays unknown."""
    path = task_path(event.data["task"])
    entry = reader.get(path)
    if entry is None:
        return {}
    return {path: entry | told | {"event": event.id, "last": event.id, "session": event.session}}
