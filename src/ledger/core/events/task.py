"""What the events of a task's life share."""

from __future__ import annotations

from typing import Any

from ledger.core.event import Event
from ledger.core.events.kind import Data, Titles
from ledger.core.key import key_problems
from ledger.core.state import Changes, Reader, task_path
from ledger.errors import Problem

# What a task loses that is to be done anew.
REOPENED = {"status": "open", "started": None, "ended": None, "outcome": None}


def titles(data: Data) -> Titles:
    """The task and what is said of it."""
    return data["task"], next((str(data[n]) for n in ("title", "outcome", "because", "to") if n in data), "")


def unit_of_task(event: Event) -> tuple[str, ...]:
    """The task's own file."""
    return (task_path(event.data["task"]),)


def change(reader: Reader, event: Event, **told: Any) -> Changes:
    """The task as changed by this event, None taking a field away; a task that nobody created stays unknown."""
    path = task_path(event.data["task"])
    entry = reader.get(path)
    if entry is None:
        return {}
    changed = entry | told | {"event": event.id, "last": event.id, "session": event.session}
    return {path: {name: value for name, value in changed.items() if value is not None}}


def problems(data: Data) -> list[Problem]:
    """A task's name becomes a file's: the rules of a key of one segment."""
    return key_problems(data["task"], "data.task")
