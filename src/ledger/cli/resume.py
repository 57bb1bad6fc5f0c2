"""`ledger resume`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted
from ledger.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.api import Ledger

Name = Annotated[
    str | None,
    typer.Argument(help="The session; without it, the last one of an agent in this worktree.", metavar="[SESSION]"),
]
With = Annotated[
    str | None, typer.Option("--with", help="Let this agent carry on instead of the session's own.", metavar="AGENT")
]
Print = Annotated[bool, typer.Option("--print", help="Print the command, and start nothing.")]
Tokens = Annotated[int, typer.Option("--tokens", help="What another agent is given, at most.", metavar="N", min=100)]


class _Left(NamedTuple):
    """A session that is to be gone on with: its id, its agent, the agent's own id of it, and where it worked."""

    session: str
    agent: str
    key: str
    folder: Path


def command(
    context: typer.Context, name: Name = None, agent: With = None, only_print: Print = False, tokens: Tokens = 2_000
) -> None:
    """Start an agent on a session, where that left off.

    Its own agent goes on with the session itself, in the worktree that it worked in; a crashed one is recovered first.
    Another agent begins a session of its own, and is given the handoff as its first prompt.
    """
    from ledger.recording.programs import shown

    call = Call.of(context)
    with call.ledger() as ledger:
        left = _left(ledger, name)
        command = _command(ledger, left, agent or left.agent, tokens)
        if not only_print:
            _bring_back(call, ledger, left)
    document = {"session": left.session, "agent": agent or left.agent, "folder": str(left.folder), "command": command}
    if only_print:
        call.out.answer(document, lambda: [shown(command)])
        return
    _require_ready(left.folder, command[0])
    call.out.words(f"In {left.folder}: {shown(command)}")
    _become(left.folder, command)


def _left(ledger: Ledger, name: str | None) -> _Left:
    from ledger.actions.handoff import find_left
    from ledger.actions.roster import all_sessions, find_past
    from ledger.storage.worktree import find_worktree

    around = find_worktree(Path.cwd())
    if name is None and around is None:
        raise UsageError("no session is named, and this is no worktree", hint="ledger resume SESSION")
    session = find_left(ledger.place, name, Path.cwd() if around is None else around.path)
    told = all_sessions(ledger.place).get(session)
    if told is None:
        past = find_past(ledger.place, session)
        if past is None:
            raise NotFoundError(f"nothing is known of session {session}", hint="`ledger sessions --all` lists them")
        told = {**past.told, "agent": past.author.agent}
    folder = Path(str(told.get("worktree") or told.get("cwd") or Path.cwd()))
    return _Left(session, str(told.get("agent", "")), str(told.get("key", "")), folder)


def _command(ledger: Ledger, left: _Left, agent: str, tokens: int) -> list[str]:
    from ledger.actions.handoff import handoff
    from ledger.recording.payloads.fence import fenced, plain
    from ledger.recording.programs import program_of

    program = program_of(agent)
    if agent == left.agent:
        return program.going_on(left.key)
    text = handoff(ledger.place, left.session, tokens=tokens).text
    return program.beginning(
        f"Carry on the work that another session left ({left.agent} {left.session[:8]}). What it left:\n\n"
        + fenced(plain(text).splitlines())
    )


def _bring_back(call: Call, ledger: Ledger, left: _Left) -> None:
    """Nobody must be at work in it; what a crash left is put right first, with an account."""
    from ledger.actions.deadline import within
    from ledger.actions.recover import DEADLINE
    from ledger.cli.recover import recovered
    from ledger.storage import live

    live.require_ours(ledger.layout, left.session)
    found = live.look(ledger.layout, left.session)
    if found is None or found.verdict != "dead":
        return
    done = within(DEADLINE, lambda: recovered(call, left.session, force=False))
    for one in done:
        lost = f", {one.lost} lost" if one.lost else ""
        call.out.words(f"Recovered: {counted(one.events_replayed, 'event')} replayed{lost} ({one.seconds:.1f} s).")


def _require_ready(folder: Path, program: str) -> None:
    if shutil.which(program) is None:
        raise NotFoundError(f"{program} is not on PATH", hint="install it, or let another carry on: --with AGENT")
    if not folder.is_dir():
        raise NotFoundError(f"the folder {folder} is gone", hint="make it again: git worktree add; or see --print")


def _become(folder: Path, command: list[str]) -> None:
    """Let the agent take this process's place, in the worktree; it is a session of its own."""
    os.chdir(folder)
    environment = {name: value for name, value in os.environ.items() if name != "LEDGER_SESSION"}
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell, and the words are a list
