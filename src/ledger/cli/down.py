"""`ledger down`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import hooks
from ledger.cli import splices as pages
from ledger.cli.call import Call
from ledger.cli.errors import tell
from ledger.cli.words import visible
from ledger.errors import InvalidError, LedgerError, UsageError
from ledger.storage.files import refusals
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.install import Where
    from ledger.actions.install_git import GitHook
    from ledger.actions.uninstall import Removal, Undoing

Left = Sequence[tuple[Path, LedgerError]]

_ATTEMPTS = 3  # to delete a folder in which somebody has a file open still

Purge = Annotated[bool, typer.Option("--purge", help="Delete the ledger too, with everything in it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


def command(context: typer.Context, purge: Purge = False, yes: Yes = False, dry_run: hooks.DryRun = False) -> int:
    """Stop recording: take back everything that `up` and `hooks install` wrote.

    Settings that nobody has changed since become byte for byte what they were; of others only our own entries go.
    What was recorded stays, unless --purge deletes it.
    """
    from ledger.actions.uninstall import plan_undoing, require_memory

    call = Call.of(context)
    where, absence = hooks.found(call)
    undoing = plan_undoing(where)
    if absence is not None and not (_is_any(undoing) or _shims_stand(where)):
        _tell_kept(call, where, undoing)
        raise absence
    if dry_run:
        return _shown(call, where, undoing)
    require_memory(where.layout)
    purge = purge and absence is None
    if purge and not yes and not _agreed(where.layout):
        call.out.words("Nothing was changed.")
        return 1
    done, left = _taken_out(where, undoing)
    shims = _silenced(where, left)
    if purge and not left:  # what was there before is remembered in it
        _delete(where.layout.root)
    answer = {
        "files": pages.removal_documents(done),
        **_unchanged(undoing, left),
        "git": pages.git_document(shims),
        "purged": purge and not left,
    }
    call.out.answer(answer, lambda: [*pages.removal_lines(where, done), *pages.git_lines(shims)])
    _tell_unchanged(call, where, undoing, left)
    if left:
        return 1
    call.out.words("The ledger is deleted." if purge else "Nothing is recorded any more." + _what_was(absence))
    return 0


def _shown(call: Call, where: Where, undoing: Undoing) -> int:
    beside = _unchanged(undoing, undoing.left)
    hooks.show_removals(call, where, undoing.removals, beside, with_git=True)
    _tell_unchanged(call, where, undoing, undoing.left)
    return 1 if undoing.left else 0


def _unchanged(undoing: Undoing, left: Left) -> dict[str, list[dict[str, str]]]:
    kept = [{"path": str(target.path), "reason": why} for target, why in undoing.kept]
    return {"left": [{"path": str(path), "reason": error.message} for path, error in left], "kept": kept}


def _tell_unchanged(call: Call, where: Where, undoing: Undoing, left: Left) -> None:
    _tell_kept(call, where, undoing)
    for path, error in left:
        reason = "; ".join(map(str, error.problems)) if isinstance(error, InvalidError) else error.message
        what = f"{pages.shown(path, where)} could not be changed, and keeps what is ours:\n  {reason}"
        tell(LedgerError(what, hint="put that right, then: ledger down"))


def _what_was(absence: LedgerError | None) -> str:
    return " What was is kept: ledger log" if absence is None else " There is no ledger."


def _is_any(undoing: Undoing) -> bool:
    return bool(undoing.left or any(one.is_needed for one in undoing.removals))


def _shims_stand(where: Where) -> bool:
    from ledger.actions.install_git import git_shims

    return bool(git_shims(where.layout, where.project))


def _taken_out(where: Where, undoing: Undoing) -> tuple[list[Removal], list[tuple[Path, LedgerError]]]:
    """What was taken out, and what could not be: one file that refuses does not keep the others."""
    from ledger.actions.uninstall import take_out

    done, left = [], list(undoing.left)
    for removal in undoing.removals:
        try:
            take_out(where, removal)
        except LedgerError as error:
            left.append((removal.target.path, error))
        else:
            done.append(removal)
    return done, left


def _tell_kept(call: Call, where: Where, undoing: Undoing) -> None:
    for target, why in undoing.kept:
        agent = target.agent.name
        file = pages.shown(target.path, where)
        call.out.words(f"{file} keeps our hooks: {why}. To take them out: ledger hooks uninstall {agent}")


def _silenced(where: Where, left: list[tuple[Path, LedgerError]]) -> list[GitHook]:
    """Take git's hooks out, and what every hook on this machine runs: those that are left fall silent too."""
    from ledger.actions.install_git import uninstall_git

    with refusals(where.layout.hook):
        where.layout.hook.unlink(missing_ok=True)
    try:
        return uninstall_git(where.layout, where.project)
    except LedgerError as error:
        left.append((where.layout.root.parent / "hooks", error))
        return []


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
