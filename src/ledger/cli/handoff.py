"""`ledger handoff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.errors import UsageError

Name = Annotated[
    str | None,
    typer.Argument(help="The session; without it, the last one of an agent in this worktree.", metavar="[SESSION]"),
]
Tokens = Annotated[
    int, typer.Option("--tokens", help="At most so many, at about 4 characters a token.", metavar="N", min=100)
]
At = Annotated[str | None, typer.Option("--at", help="As it was at REV, without what stands now.", metavar="REV")]


def command(context: typer.Context, name: Name = None, tokens: Tokens = 2_000, at: At = None) -> None:
    """Print what the next one needs to carry on a session's work, as Markdown.

    What it was asked, where it stopped, what it decided, its open tasks, the files it edited and how they stand, the
    commands that failed, its commits and leases. What is too long is cut from the least useful end, a line at a time.
    """
    from ledger.actions.handoff import find_left, handoff
    from ledger.storage.worktree import find_worktree

    call = Call.of(context)
    with call.ledger() as ledger:
        around = find_worktree(Path.cwd())
        if name is None and around is None:
            raise UsageError("no session is named, and this is no worktree", hint="ledger handoff SESSION")
        session = find_left(ledger.place, name, Path.cwd() if around is None else around.path)
        found = handoff(ledger.place, session, at, tokens)
    if call.form == "human":
        call.out.raw(found.text)
        return
    document = {"session": found.session, "agent": found.agent, "state": found.state, "markdown": found.text}
    call.out.answer(document | {"cut": found.cut}, list)
