"""`ledger down`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import hooks
from ledger.cli.call import Call
from ledger.cli.errors import tell
from ledger.cli.words import visible
from ledger.errors import UsageError
from ledger.storage.files import refusals
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.install import Where
    from ledger.actions.install_git import GitHook

_ATTEMPTS = 3  # to delete a folder in which somebody has a file open still

Purge = Annotated[bool, typer.Option("--purge", help="Delete the ledger too, with everything in it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


def command(context: typer.Context, purge: Purge = False, yes: Yes = False, dry_run: hooks.DryRun = False) -> int:
    """Stop recording: take back everything that `up` and `hooks install` wrote.

    Settings that nobody has changed since become byte for byte what they were; of others only our own entries go.
    What was recorded stays, unless --purge deletes it.
    """
    from ledger.actions.uninstall import plan_undoing, take_out

    call = Call.of(context)
    with call.ledger() as ledger:
        where = hooks.where_of(call, ledger.layout)
    removals, left = plan_undoing(where)
    if dry_run:
        hooks.show_removals(call, removals)
        return 0
    if purge and not yes and not _agreed(where.layout):
        call.out.words("Nothing was changed.")
        return 1
    for removal in removals:
        take_out(where, removal)
    shims = _silenced(where)
    is_purged = purge and not left  # what was there before is remembered in it
    if is_purged:
        _delete(where.layout.root)
    answer = {
        "files": [hooks.removal_document(one) for one in removals],
        "left": [{"path": str(path), "reason": error.message} for path, error in left],
        "git": hooks.git_document(shims),
        "purged": is_purged,
    }
    call.out.answer(answer, lambda: [*hooks.removal_lines(where, removals), *hooks.git_lines(shims)])
    for _, error in left:
        tell(error)
    if left:
        return left[0][1].exit_code
    call.out.words("The ledger is deleted." if purge else "Nothing is recorded any more. What was is kept: ledger log")
    return 0


def _silenced(where: Where) -> list[GitHook]:
    """Take git's hooks out, and what every hook on this machine runs: those of a shared file fall silent too."""
    from ledger.actions.install_git import uninstall_git

    shims = uninstall_git(where.layout, where.project)
    with refusals(where.layout.hook):
        where.layout.hook.unlink(missing_ok=True)
    return shims


def _delete(root: Path) -> None:
    """Delete a folder at once: what still runs behind a hook finds it no more, and fills it no more."""
    with refusals(root):
        gone = root.rename(root.with_name(f".{root.name}-deleted-{os.getpid()}"))
        for _ in range(_ATTEMPTS):
            shutil.rmtree(gone, ignore_errors=True)
        if gone.exists():
            shutil.rmtree(gone)


def _agreed(layout: Layout) -> bool:
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "nobody can be asked here, and nothing was deleted",
            hint="keep a copy first: ledger backup; then: ledger down --purge --yes",
        )
    typer.echo("Keep a copy first, if in doubt: ledger backup", err=True)
    return typer.confirm(f"Delete {visible(str(layout.root))} with everything that was recorded?", err=True)
