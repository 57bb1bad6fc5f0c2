"""`ledger backup`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted, size

Folder = Annotated[
    Path | None,
    typer.Argument(help="A new folder; without it, one in your data directory.", metavar="[FOLDER]"),
]


def command(context: typer.Context, folder: Folder = None) -> None:
    """Copy the whole ledger into one new folder, verified.

    It holds git bundles, which any git reads, the settings, what waits in the spool, and a manifest with a digest of
    each file. `ledger restore FOLDER --to DIR` makes a ledger of it.
    """
    from ledger.actions.backup import back_up

    call = Call.of(context)
    with call.ledger() as ledger:
        made = back_up(ledger.place, (folder or _usual(ledger.id, call.now())).absolute())
    document = {
        "folder": str(made.folder),
        "ledger": made.ledger,
        "files": list(made.files),
        "bytes": made.bytes,
        "seconds": round(made.seconds, 6),
    }
    call.out.answer(document, lambda: [str(made.folder)])
    call.out.words(f"{counted(len(made.files), 'file')}, {size(made.bytes)}. To make a ledger of it:")
    call.out.words(f"  ledger restore {made.folder} --to DIR")


def backups_of(ledger: str) -> Path:
    """Where the backups of a ledger go that are given no folder."""
    from platformdirs import user_data_path

    return user_data_path("context-ledger", appauthor=False) / "backups" / ledger


def _usual(ledger: str, now: int) -> Path:
    moment = datetime.fromtimestamp(now / 1_000_000, UTC).strftime("%Y-%m-%dT%H%M%S.%f")[:-3]
    return backups_of(ledger) / f"{moment}Z"
