"""`ledger clone`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted, visible
from ledger.storage import opening

Url = Annotated[str, typer.Argument(help="Where it is, as git takes it.", metavar="URL", show_default=False)]
Plain = Annotated[
    Path | None,
    typer.Option("--plain", help="An ordinary clone in DIR, with files to read and edit by hand.", metavar="DIR"),
]
Attachments = Annotated[
    bool, typer.Option("--attachments", help="The bytes of attachments are exchanged too: transcripts of agents.")
]
Name = Annotated[str, typer.Option("--name", help="What the remote is called here.", metavar="NAME")]


def command(
    context: typer.Context, url: Url, name: Name = "origin", attachments: Attachments = False, plain: Plain = None
) -> None:
    """Make a ledger here from one that lies elsewhere.

    It goes where `ledger init` would make a new one. Every event is judged before anything counts; what is not sound
    leaves nothing behind.

    With --plain it is an ordinary clone, in which `git pull`, `git merge` and `git push` work as anywhere, and merge as
    the ledger does; `ledger record --from-worktree` makes events of what was edited there.
    """
    from ledger.actions.clone import clone, clone_with_files
    from ledger.storage.remotes import Remote, absolute

    call = Call.of(context)
    if plain is not None:
        made = clone_with_files(plain.expanduser().resolve(), Remote("origin", absolute(url, Path.cwd())))
        call.out.answer({"ledger": str(made.root), "events": made.events, "head": made.main}, lambda: [str(made.root)])
        call.out.words(f"Cloned: {counted(made.events, 'event')}, all judged. The keys are files below context/.")
        call.out.words("To record what you edit there: ledger record --from-worktree; then git push.")
        return
    folder = call.folder or opening.place_for(Path.cwd())
    done = clone(folder.resolve(), Remote(name, absolute(url, Path.cwd()), attachments), call.now())
    document = {"ledger": str(done.root), "events": done.events, "head": done.main}
    call.out.answer(document, lambda: [str(done.root)])
    call.out.words(f"Cloned: {counted(done.events, 'event')}, all judged. To record here as well: ledger up")
    call.out.words(f"{visible(name)} is its remote; `ledger sync` exchanges with it.")
