"""`ledger restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.storage.place import Place

Backup = Annotated[
    Path, typer.Argument(help="A backup's folder, or a bundle file.", metavar="BACKUP", show_default=False)
]
To = Annotated[
    Path,
    typer.Option("--to", help="The new ledger's folder; nothing is overwritten.", metavar="DIR", show_default=False),
]


def command(context: typer.Context, backup: Backup, to: To) -> None:
    """Make a ledger from a backup.

    Every digest is compared and every commit held to the law before the ledger takes its place.
    """
    from ledger.actions.restore import restore
    from ledger.api import open_ledger

    call = Call.of(context)

    def open_place(folder: Path) -> Place:
        return open_ledger(folder, accepts_clock=call.accepts_clock, sources=call.sources).place

    done = restore(backup.absolute(), to.absolute(), open_place)
    document = {
        "ledger": str(done.folder),
        "git_dir": str(Layout(done.folder).git_dir),
        "ok": done.report.ok,
        "commits": done.report.commits,
        "events": done.report.events,
        "seconds": round(done.seconds, 6),
    }
    call.out.answer(document, lambda: [str(done.folder)])
    call.out.words(f"Restored and verified: {counted(done.report.events, 'event')}. To use it:")
    call.out.words(f"  export LEDGER_DIR={done.folder}")
