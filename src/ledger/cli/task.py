"""Keep track of what is to be done, who does it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.intake import text_given
from ledger.cli.output import Output, Style
from ledger.cli.words import ago, columns, cut, indented, span, visible
from ledger.cli.write import newest, told
from ledger.core.clock import stamp
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.actions.append import Appended
    from ledger.actions.session import Session
    from ledger.actions.todo import Task
    from ledger.api import Ledger

Words = Annotated[
    list[str],
    typer.Argument(
        help="What is to be done; before it a name, if you like, such as port-auth.",
        metavar="[NAME] TITLE",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Argument(help="The task's name.", metavar="TASK", show_default=False)]
About = Annotated[str | None, typer.Option("--about", help="All that is to be known of it.", metavar="TEXT")]
Role = Annotated[str | None, typer.Option("--role", help="For sessions of that role.", metavar="ROLE")]
To = Annotated[str | None, typer.Option("--to", help="For that session; 'me' is the one that asks.", metavar="SESSION")]
LeastBusy = Annotated[
    bool, typer.Option("--least-busy", help="For the session with the least to do of those that run now.")
]
Outcome = Annotated[str | None, typer.Option("--outcome", help="What came of it.", metavar="TEXT")]
Because = Annotated[str, typer.Option("--because", help="Why.", metavar="TEXT", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Those that are done too.")]
Mine = Annotated[bool, typer.Option("--mine", help="Only those that the session is to do.")]
Open = Annotated[bool, typer.Option("--open", help="Only those that nobody has begun.")]

_STYLES: dict[str, Style] = {"started": "added", "failed": "removed", "completed": "time"}
_ME = "me"


def create(context: typer.Context, words: Words, about: About = None, role: Role = None, to: To = None) -> None:
    """Write down something to be done, and print the task's name; without one it is made from the title."""
    from ledger.actions.task import create_task

    name, title = _split(words)
    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        done = create_task(
            ledger.place,
            session,
            text_given(title, "title"),
            name=name,
            about=_text(about, "about"),
            role=_text(role, "role"),
            to=_session(ledger, session, to),
        )
        made = str(done.events[-1].data["task"])
        _tell(call, ledger, session, done, made, [made])


def assign(context: typer.Context, name: Name, to: To = None, role: Role = None, least_busy: LeastBusy = False) -> None:
    """Say who is to do a task; one that is done is open again."""
    from ledger.actions.task import assign_task

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        owner = _session(ledger, session, to)
        done = assign_task(ledger.place, session, name, to=owner, role=_text(role, "role"), by_load=least_busy)
        _tell(call, ledger, session, done, name)


def start(context: typer.Context, name: Name) -> None:
    """Begin with a task; what a session that is gone had begun is taken over."""
    from ledger.actions.task import start_task

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        _tell(call, ledger, session, start_task(ledger.place, session, name), name)


def complete(context: typer.Context, name: Name, outcome: Outcome = None) -> None:
    """Say that a task is done."""
    from ledger.actions.task import complete_task

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        _tell(call, ledger, session, complete_task(session, name, _text(outcome, "outcome")), name)


def fail(context: typer.Context, name: Name, because: Because) -> None:
    """Say that a task could not be done, and why."""
    from ledger.actions.task import fail_task

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        _tell(call, ledger, session, fail_task(session, name, text_given(because, "reason")), name)


def list_tasks(context: typer.Context, everything: All = False, mine: Mine = False, is_open: Open = False) -> None:
    """List what is to be done and who is at it, the oldest first."""
    from ledger.actions.todo import list_tasks as read

    call = Call.of(context)
    with call.ledger() as ledger:
        me = call.writer(ledger).id if mine else None
        found = [task for task in read(ledger.place, call.reader(ledger)) if _is_wanted(task, everything, me, is_open)]
        agents = ledger.agents()
    now = call.now()
    call.out.answer([document(task, agents, now) for task in found], lambda: table(call.out, found, agents, now))
    if not found:
        call.out.words("No such tasks. To write one down: ledger task create 'Port the login'")


def show(context: typer.Context, name: Name) -> None:
    """Show a task with all that is known of it."""
    from ledger.actions.todo import find_task

    call = Call.of(context)
    with call.ledger() as ledger:
        task, agents = find_task(ledger.place, name, call.reader(ledger)), ledger.agents()
    now = call.now()
    call.out.answer(document(task, agents, now), lambda: _page(call.out, task, agents, now))


def document(task: Task, agents: dict[str, str], now: int) -> dict[str, Any]:
    """A task as JSON."""
    took = task.took(now)
    return {
        "task": task.name,
        "title": task.title,
        "status": task.status,
        "about": task.about,
        "role": task.role,
        "to": task.to,
        "agent": agents.get(task.to, ""),
        "session": task.session,
        "created": stamp(task.created),
        "started": None if task.started is None else stamp(task.started),
        "ended": None if task.ended is None else stamp(task.ended),
        "waited": task.waited(now) / 1_000_000,
        "took": None if took is None else took / 1_000_000,
        "outcome": task.outcome,
    }


def table(out: Output, found: Sequence[Task], agents: dict[str, str], now: int) -> Iterator[str]:
    """The tasks in columns."""
    rows = [(task.status, task.name, _who(task, agents), _when(task, now), visible(task.title)) for task in found]
    for task, line in zip(found, columns(rows), strict=True):
        shown = line if out.width is None else cut(line, out.width)
        style = _STYLES.get(task.status)
        yield shown if style is None else out.paint(task.status, style) + shown[len(task.status) :]


def _page(out: Output, task: Task, agents: dict[str, str], now: int) -> Iterator[str]:
    yield out.paint(f"{task.name}: {task.title}", "title")
    begun = "" if task.started is None else f"{ago(task.started, now)}, after {span(task.waited(now))}"
    took = task.took(now)
    facts = {
        "status": task.status,
        "for": _who(task, agents),
        "created": ago(task.created, now),
        "started": begun,
        "ended": "" if task.ended is None else ago(task.ended, now),
        "took": "" if took is None else span(took),
        "outcome": task.outcome,
    }
    yield from columns([(f"  {name}", visible(text)) for name, text in facts.items() if text])
    if task.about:
        yield ""
        yield from indented(visible(task.about).split("\n"))


def _who(task: Task, agents: dict[str, str]) -> str:
    owner = f"{agents.get(task.to, 'session')}/{task.to[:4]}" if task.to else ""
    return visible(" ".join(filter(None, (owner, f"({task.role})" if task.role else ""))) or "anyone")


def _when(task: Task, now: int) -> str:
    took = task.took(now)
    if task.is_done:
        return f"{ago(task.ended or now, now)}" + ("" if took is None else f", took {span(took)}")
    return f"waits {span(task.waited(now))}" if took is None else f"for {span(took)}"


def _tell(call: Call, ledger: Ledger, session: Session, done: Appended, name: str, answer: Sequence[str] = ()) -> None:
    from ledger.actions.task import task_after

    if call.form == "human":
        with once_written(newest(done)):
            call.out.lines(answer)
        told(call, session.id, done)
        return
    with once_written(newest(done)):
        state = document(task_after(ledger.place, session, done, name), ledger.agents(), call.now())
        call.out.answer(state | {"events": documents.written(session.id, done)["events"]}, list)


def _split(words: Sequence[str]) -> tuple[str | None, str]:
    if len(words) > 2:
        raise UsageError("TITLE is one argument", hint="put it in quotes: ledger task create 'Port the login'")
    return (None, words[0]) if len(words) == 1 else (words[0], words[1])


def _session(ledger: Ledger, session: Session, name: str | None) -> str | None:
    from ledger.actions.roster import find_session

    if name is None:
        return None
    return session.id if name == _ME else find_session(ledger.place, name).session


def _text(text: str | None, field: str) -> str | None:
    return None if text is None else text_given(text, field)


def _is_wanted(task: Task, everything: bool, me: str | None, is_open: bool) -> bool:
    is_shown = task.status == "open" if is_open else everything or not task.is_done
    return is_shown and me in (None, task.to)


PARTS = {
    "create": create,
    "assign": assign,
    "start": start,
    "complete": complete,
    "fail": fail,
    "list": list_tasks,
    "show": show,
}
DEFAULT = "list"
