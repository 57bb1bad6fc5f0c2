"""Begin or end a session, or go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.intake import text_given
from ledger.cli.words import ago, counted
from ledger.cli.write import newest, told
from ledger.core.clock import micros, stamp
from ledger.errors import LedgerError, NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.actions.append import Appended
    from ledger.actions.roster import Past
    from ledger.actions.session import Session
    from ledger.api import Ledger

Agent = Annotated[str | None, typer.Option(help="Who works in it, such as claude-code.", metavar="NAME")]
Key = Annotated[
    str | None, typer.Option(help="The agent's own id of the run; without it a new one is made.", metavar="KEY")
]
Role = Annotated[str | None, typer.Option(help="What it is there for, such as reviewer.", metavar="ROLE")]
Title = Annotated[str | None, typer.Option(help="What it is about.", metavar="TEXT")]
Private = Annotated[
    bool, typer.Option("--private", help="What it writes stays on its own line, and reaches nobody else.")
]
Branch = Annotated[str | None, typer.Option(help="Instead of the branch that is checked out here.", metavar="NAME")]
WorktreePath = Annotated[str | None, typer.Option("--worktree", help="Instead of the one around here.", metavar="PATH")]
Pid = Annotated[
    int | None,
    typer.Option(
        help="The process that the session lives in, instead of the one that runs this command.", metavar="PID", min=1
    ),
]
Name = Annotated[str, typer.Argument(help="Its id, by its first characters too, or the agent's own id.", metavar="ID")]
OptionalName = Annotated[str | None, typer.Argument(help="The one of --session if left out.", metavar="[ID]")]
Reason = Annotated[str | None, typer.Option(help="Why it ends.", metavar="TEXT")]


def start(
    context: typer.Context,
    agent: Agent = None,
    key: Key = None,
    role: Role = None,
    title: Title = None,
    private: Private = False,
    branch: Branch = None,
    worktree: WorktreePath = None,
    pid: Pid = None,
) -> None:
    """Enter the roster, and print the id of the session.

    So that what follows in this shell belongs to it: export LEDGER_SESSION=$(ledger session start --agent NAME).
    The session lives as long as the process that runs the command does, which is this shell; where each command has
    a shell of its own, name one that stays with --pid.
    """
    from ledger.actions.tip import PERSON

    if agent is not None and not agent.strip():
        raise UsageError("--agent is empty", hint="name the agent, or leave --agent out to start a session of your own")
    call = Call.of(context)
    said = {"role": role, "title": title, "branch": branch, "worktree": worktree}
    with call.ledger() as ledger:
        session = ledger.session(agent or PERSON, key or _new_key(ledger))
        roster = _surroundings(ledger) | _texts(said) | ({"private": True} if private else {})
        owner = pid or _owner()
        _tell(call, session, session.start(pid=owner, **roster), owner, "Started")
        _tell_harm(call, ledger)


def _tell_harm(call: Call, ledger: Ledger) -> None:
    """Say beside the answer what has befallen others: who begins may be the one to look after them."""
    from ledger.actions.cascade import cascade

    try:
        found = cascade(ledger.place)
    except LedgerError as error:  # the session has started, and that is what was asked for
        call.out.words(f"What has befallen the others cannot be seen: {error.message}")
        return
    if found:
        call.out.words(f"{counted(len(found), 'thing')} to look after: ledger sessions --check")


def resume(context: typer.Context, name: Name, pid: Pid = None) -> None:
    """Go on with a session that crashed, was interrupted or has ended, and print its id.

    Whoever runs it still is asked to end it first.
    """
    call = Call.of(context)
    with call.ledger() as ledger:
        session = _any_session(ledger, name)
        owner = pid or _owner()
        _tell(call, session, session.resume(pid=owner, **_surroundings(ledger)), owner, "Resumed")


def end(context: typer.Context, name: OptionalName = None, reason: Reason = None) -> None:
    """Leave the roster: what the session had of its own reaches the others, and its leases are free.

    Its own context goes with it, and stays in history. One that somebody else runs is not ended by its ID alone.
    """
    call = Call.of(context)
    with call.ledger() as ledger:
        try:
            session = _ending(call, ledger, name)
        except NotFoundError:
            past = _past(ledger, name or call.named)
            if past is None:
                raise
            _tell_past(call, past)
        else:
            told(call, session.id, session.end(text_given(reason, "reason") if reason else None))


def _ending(call: Call, ledger: Ledger, name: str | None) -> Session:
    """The session to end; another one than that of the call must not be running elsewhere."""
    from ledger.storage import live

    if name is None:
        if call.named is None:
            raise UsageError("which session?", hint="`ledger session end ID`; `ledger sessions` lists them")
        return call.writer(ledger)
    session = ledger.session_named(name)
    if call.named is None or _is_named_otherwise(ledger, call.named, session):
        live.require_ours(ledger.layout, session.id)
    return session


def _is_named_otherwise(ledger: Ledger, name: str, session: Session) -> bool:
    try:
        return ledger.session_named(name).id != session.id
    except NotFoundError:  # the session of this shell has ended, which is no reason against ending another
        return True


def _any_session(ledger: Ledger, name: str) -> Session:
    """The session on the roster or in the past that a name means."""
    try:
        return ledger.session_named(name)
    except NotFoundError:
        past = _past(ledger, name)
        if past is None:
            raise
        kept = {field: value for field, value in past.told.items() if field not in ("agent", "key")}
        return ledger.session(past.author.agent, str(past.told["key"]), **kept)


def _past(ledger: Ledger, name: str | None) -> Past | None:
    from ledger.actions.roster import find_past

    return None if name is None else find_past(ledger.place, name)


def _owner() -> int:
    import os

    from ledger.storage.process import shell_around

    return shell_around(os.getppid())


def _new_key(ledger: Ledger) -> str:
    place = ledger.place
    return f"{stamp(place.now())[:19]}-{place.random62():016x}"


def _surroundings(ledger: Ledger) -> dict[str, str]:
    from ledger.storage.worktree import find_worktree

    found = find_worktree(Path.cwd())
    here = {} if found is None else {"worktree": str(found.path), "branch": found.branch}
    return {name: text for name, text in ({"host": ledger.place.host} | here).items() if text}


def _texts(said: dict[str, str | None]) -> dict[str, str]:
    return {name: text_given(text, name) for name, text in said.items() if text}


def _tell(call: Call, session: Session, done: Appended, owner: int, verb: str) -> None:
    document: dict[str, Any] = documents.written(session.id, done) | {"agent": session.author.agent, "pid": owner}
    with once_written(newest(done)):
        call.out.answer(document, lambda: [session.id])
    what = verb if done.events else "On the roster already"
    call.out.words(f"{what}: {session.author.agent}, for as long as process {owner} runs.")


def _tell_past(call: Call, past: Past) -> None:
    call.out.answer({"session": past.author.session, "events": []}, list)
    call.out.words(f"Nothing to write: it has ended already ({ago(micros(past.ended), call.now())}).")


PARTS = {"start": start, "resume": resume, "end": end}
