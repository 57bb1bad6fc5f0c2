"""`ledger server-setup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call

Repo = Annotated[
    Path, typer.Argument(help="A bare repository, or a folder to make one in.", metavar="REPO", show_default=False)
]


def command(context: typer.Context, repo: Repo) -> None:
    """Make a bare repository ready to be the place where machines meet.

    It takes in steps forward alone, and only what its hook finds sound: each event by the law, its size, its date, and,
    where `access.toml` in the repository says so, who signed it and whether it is theirs to write. How people reach
    the repository, by ssh, https or `git daemon`, is git's own matter.
    """
    from ledger.storage.access_file import NAME, read_access
    from ledger.storage.server import prepare

    call = Call.of(context)
    git_dir = repo.expanduser().absolute()
    done = prepare(git_dir)
    access = read_access(git_dir)
    document = {
        "repository": str(git_dir),
        "access": str(git_dir / NAME),
        "changed": done,
        "people": len(access.people),
        "signatures": "required" if access.needs_signature else "optional",
    }
    call.out.answer(document, lambda: done or ["everything was in place"])
    if not access.people:
        call.out.words(f"Everybody may write here whom the transport lets in. To name them: {git_dir / NAME}")
