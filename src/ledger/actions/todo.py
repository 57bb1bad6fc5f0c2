"""To do: the tasks there are, and how each stands. Only read here; actions/task.py writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.actions.read import seen_by
from ledger.core.clock import micros
from ledger.core.key import key_problems
from ledger.core.state import Document, Reader, task_path
from ledger.errors import NotFoundError
from ledger.storage.place import Place

_FOLDER = "tasks/"
_UNDONE = ("open", "started")


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it stands; times in microseconds since 1970, `to` and `session` (of its last step) session ids."""

    name: str
    title: str
    status: str
    created: int
    session: str
    about: str = ""
    role: str = ""
    to: str = ""
    started: int | None = None
    ended: int | None = None
    outcome: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self.status not in _UNDONE

    def waited(self, now: int) -> int:
        """For how long nobody had begun with it, in microseconds."""
        ends = [moment for moment in (self.started, self.ended, now) if moment is not None]
        return max(0, ends[0] - self.created)

    def took(self, now: int) -> int | None:
        """For how long it has been worked on, in microseconds; None where nobody has begun."""
        return None if self.started is None else max(0, (self.ended or now) - self.started)


def tasks_in(reader: Reader) -> Iterator[Task]:
    """Every task of a state, by name."""
    return (_task_of(path[len(_FOLDER) : -len(".yaml")], document) for path, document in reader.under(_FOLDER))


def list_tasks(place: Place, session: str | None = None) -> list[Task]:
    """Every task that a session sees, the oldest first; those of main for None."""
    return sorted(tasks_in(seen_by(place, session)), key=lambda task: (task.created, task.name))


def open_tasks(place: Place, session: str | None = None) -> list[Task]:
    """The tasks that are not done: open and started ones, the oldest first."""
    return [task for task in list_tasks(place, session) if not task.is_done]


def find_task(place: Place, name: str, session: str | None = None) -> Task:
    """The task of that name, as a session sees it; raises NotFoundError with the nearest names."""
    return require_task(seen_by(place, session), name)


def _task_of(name: str, document: Document) -> Task:
    return Task(
        name=name,
        title=document["title"],
        status=document["status"],
        created=micros(document["created"]),
        session=document["session"],
        about=document.get("about", ""),
        role=document.get("role", ""),
        to=document.get("to", ""),
        started=micros(document["started"]) if "started" in document else None,
        ended=micros(document["ended"]) if "ended" in document else None,
        outcome=document.get("outcome", ""),
    )


def require_task(reader: Reader, name: str) -> Task:
    """The task of that name in a state; raises NotFoundError with the nearest names."""
    document = None if key_problems(name) or "/" in name else reader.get(task_path(name))
    if document is None:
        import difflib  # 5 ms, for a hint

        near = difflib.get_close_matches(name, [task.name for task in tasks_in(reader)], n=3)
        hint = f"did you mean: {', '.join(near)}?" if near else "`ledger task list --all` lists them"
        raise NotFoundError(f"no task is named {name!r}", hint=hint)
    return _task_of(name, document)
