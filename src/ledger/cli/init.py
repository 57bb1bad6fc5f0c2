"""`ledger init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.lines import SHORT
from ledger.storage import opening
from ledger.storage.layout import FOLDER_NAME, Layout

Project = Annotated[str | None, typer.Option(help="The project's name, kept in the ledger.", metavar="NAME")]


def command(context: typer.Context, project: Project = None) -> None:
    """Make a ledger for this project.

    Inside a git project it lies in the git folder that all worktrees share, elsewhere in `.ledger` right here.
    One that was left half-made is completed; one that exists is left as it is.
    """
    from ledger.actions.find import main_tip
    from ledger.api import create_ledger

    call = Call.of(context)
    folder = call.folder or opening.place_for(Path.cwd())
    ledger, is_new = create_ledger(folder, project=project, accepts_clock=call.accepts_clock, sources=call.sources)
    with ledger:
        document = {
            "ledger": str(folder.absolute()),
            "git_dir": str(Layout(folder.absolute()).git_dir),
            "id": ledger.id,
            "created": is_new,
        }
        commit = main_tip(ledger.place)[:SHORT] if is_new else None
    with once_written(commit):
        call.out.answer(document, lambda: [str(folder.absolute())])
    call.out.words(_words(folder, is_new))


def _words(folder: Path, is_new: bool) -> str:
    if not is_new:
        return "This ledger was there already; nothing was changed."
    in_git = folder.name == FOLDER_NAME and (folder.parent / "HEAD").exists()
    where = (
        "It belongs to this clone: its worktrees share it, `git status` does not see it, `git clone` does not carry "
        "it,\nand it dies with the clone."
        if in_git
        else "It lies in the project's folder, and dies with it."
    )
    return f"A new ledger. {where} A copy in your data directory: ledger backup"
