"""`ledger clone`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted, visible
from ledger.storage import opening

Url = Annotated[str, typer.Argument(help="Where it is, as git takes it.", metavar="URL", show_default=False)]
Name = Annotated[str, typer.Option("--name", help="What the remote is called here.", metavar="NAME")]


def command(context: typer.Context, url: Url, name: Name = "origin") -> None:
    """Make a ledger here from one that lies elsewhere.

    It goes where `ledger init` would make a new one. Every event is judged before anything counts; what is not sound
    leaves nothing behind.
    """
    from ledger.actions.clone import clone
    from ledger.storage.remotes import Remote, absolute

    call = Call.of(context)
    folder = call.folder or opening.place_for(Path.cwd())
    done = clone(folder.absolute(), Remote(name, absolute(url, Path.cwd())), call.now())
    document = {"ledger": str(done.root), "events": done.events, "head": done.main}
    call.out.answer(document, lambda: [str(done.root)])
    call.out.words(f"Cloned: {counted(done.events, 'event')}, all judged. To record here as well: ledger up")
    call.out.words(f"{visible(name)} is its remote; `ledger sync` exchanges with it.")
