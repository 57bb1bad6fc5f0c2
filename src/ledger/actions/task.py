"""Task: something to be done, who is to do it, and what became of it.

Each step is judged under the queue lock, on the very state that it is appended to; the fold takes any step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.actions.append import Appended, Draft, Writer
from ledger.actions.owner import shown, why_gone
from ledger.actions.todo import Task, find_task, require_task, tasks_in
from ledger.core.key import key_problems, nearest_key
from ledger.core.state import Reader, task_path
from ledger.errors import InvalidError, NotFoundError, Problem, RefusedError, UsageError
from ledger.storage.place import Place
from ledger.storage.tree import TreeReader

if TYPE_CHECKING:
    from ledger.actions.session import Session

_NAME = 48  # characters of a name that is made from a title; a number may follow


def task_after(place: Place, session: Session, done: Appended, name: str) -> Task:
    """The task as a step of that session left it, on whichever line that was written."""
    if not done.commits:
        return find_task(place, name, session.id)
    return require_task(TreeReader(place.store, place.store.commit(done.commits[-1]).tree), name)


def create_task(
    place: Place,
    session: Session,
    title: str,
    *,
    name: str | None = None,
    about: str | None = None,
    role: str | None = None,
    to: str | None = None,
) -> Appended:
    """Write down something to be done, for a role or a session (its id) if it is said; a name is made from the title.

    Raises InvalidError for what is no name, RefusedError where a task has it already.
    """
    if name is not None:
        _require_name(name)
    told = {"title": title, "about": about, "role": role, "to": to}
    data = {field: value for field, value in told.items() if value is not None}
    return session.write([_creating(place, name, data)])


def assign_task(
    place: Place, session: Session, name: str, *, to: str | None = None, role: str | None = None, by_load: bool = False
) -> Appended:
    """Say who is to do a task: a session (its id), whoever has a role, or, `by_load`, the least busy of those present.

    With `by_load` and a role, it is one of that role. A task that is done is open again. Raises RefusedError while
    somebody who is there works on it, NotFoundError where nobody fits.
    """
    if (to is not None and by_load) or (to is None and role is None and not by_load):
        raise UsageError(
            "say who is to do it: a session, a role, or the least busy one", hint="ledger task assign TASK --least-busy"
        )
    among = _present(place, role) if by_load else [to] if to is not None else []
    return session.write([_assigning(place, session.id, name, among, role)])


def start_task(place: Place, session: Session, name: str) -> Appended:
    """Begin with a task; writes nothing where the session is at it already.

    What a session that has ended or is proven dead had begun is taken over. Raises RefusedError for a task that is
    done, or that somebody else works on or is to do.
    """
    return session.write([_taking_over(place, session.id, name), _starting(place, session.id, name)])


def complete_task(session: Session, name: str, outcome: str | None = None) -> Appended:
    """Say that a task is done, and with what outcome; raises RefusedError where it was done before."""
    data = {"task": name} | ({"outcome": outcome} if outcome else {})
    return session.write([_ending(Draft("task.completed", data))])


def fail_task(session: Session, name: str, because: str) -> Appended:
    """Say that a task could not be done, and why; raises RefusedError where it was done before."""
    return session.write([_ending(Draft("task.failed", {"task": name, "because": because}))])


def _creating(place: Place, name: str | None, data: dict[str, Any]) -> Writer:
    # A secret in a title is replaced when it is written; spelled as a name, no rule would know it again.
    wanted = _name_from(place.redactor.value(data["title"])) if name is None else name

    def write(reader: Reader) -> Draft:
        chosen = _free_name(reader, wanted) if name is None else wanted
        known = reader.get(task_path(chosen))
        if known is not None:
            raise RefusedError(
                f"there is a task {chosen!r} already ({known['status']}): {known['title']}",
                hint=f"give it another name; or open that one again: ledger task assign {chosen}",
            )
        return Draft("task.created", {"task": chosen, **data})

    return write


def _assigning(place: Place, session: str, name: str, among: Sequence[str], role: str | None) -> Writer:
    def write(reader: Reader) -> Draft:
        task = require_task(reader, name)
        if task.status == "started" and task.to != session:
            _refuse_taken(place, reader, task)
        data = {"task": name} | ({"role": role} if role else {})
        return Draft("task.assigned", data | ({"to": _least_busy(reader, among, name)} if among else {}))

    return write


def _taking_over(place: Place, session: str, name: str) -> Writer:
    def write(reader: Reader) -> Draft | None:
        task = require_task(reader, name)
        if task.status != "started" or task.to == session:
            return None
        _refuse_taken(place, reader, task)
        return Draft("task.assigned", {"task": name, "to": session})

    return write


def _starting(place: Place, session: str, name: str) -> Writer:
    def write(reader: Reader) -> Draft | None:
        task = require_task(reader, name)
        if task.status == "completed":
            raise RefusedError(
                f"task {name!r} is completed{_outcome(task)}",
                hint=f"to do it again, open it first: ledger task assign {name} --to me",
            )
        if task.status == "started":
            return None
        if task.status == "open" and task.to not in ("", session):
            _refuse_taken(place, reader, task)
        return Draft("task.started", {"task": name})

    return write


def _ending(draft: Draft) -> Writer:
    def write(reader: Reader) -> Draft:
        task = require_task(reader, draft.data["task"])
        if task.is_done:
            raise RefusedError(
                f"task {task.name!r} is {task.status} already{_outcome(task)}",
                hint=f"to do it again, open it first: ledger task assign {task.name} --to me",
            )
        return draft

    return write


def _refuse_taken(place: Place, reader: Reader, task: Task) -> None:
    """Raise RefusedError while the session that a task belongs to may still do it."""
    if why_gone(place, reader, task.to) is None:
        what = "is at work on" if task.status == "started" else "is to do"
        raise RefusedError(
            f"{shown(reader, task.to)} {what} task {task.name!r}",
            hint="take another one (`ledger task list`)"
            if task.status == "started"
            else f"give it to another: ledger task assign {task.name} --to SESSION",
        )


def _present(place: Place, role: str | None) -> list[str]:
    """The sessions that run now, of a role if one is given."""
    # Imported here: to look into processes takes longer to load than a step that needs none.
    from ledger.actions.presence import presence

    running = [one for one in presence(place) if one.pid is not None and one.state != "crashed" and not one.private]
    found = [one.id for one in running if role in (None, one.role)]
    if not found:
        raise NotFoundError(
            f"no session{f' of the role {role!r}' if role else ''} is present",
            hint="for whoever comes: ledger task assign TASK --role ROLE",
        )
    return found


def _least_busy(reader: Reader, among: Sequence[str], name: str) -> str:
    load = Counter(task.to for task in tasks_in(reader) if not task.is_done and task.name != name)
    return min(among, key=lambda session: (load[session], session))


def _require_name(name: str) -> None:
    broken = key_problems(name, "name")
    if broken or "/" in name:
        broken = broken or [Problem("name", "is one segment, without a slash")]
        raise InvalidError(
            f"not a valid name of a task: {name[:80]!r}", broken, hint=f"for example: {_name_from(name)}"
        )


def _free_name(reader: Reader, wanted: str) -> str:
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, 1 << 31))
    return next(name for name in names if reader.get(task_path(name)) is None)


def _name_from(title: str) -> str:
    key = nearest_key(title.replace("/", "-").replace("\\", "-")[: 4 * _NAME])
    words = key if len(key) <= _NAME else key[: _NAME + 1].rpartition("-")[0] or key[:_NAME]
    name = nearest_key(words.rstrip("-."))
    return "task" if name == "untitled" else name


def _outcome(task: Task) -> str:
    return f": {task.outcome}" if task.outcome else ""
