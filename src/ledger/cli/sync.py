"""`ledger sync`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.errors import say
from ledger.cli.words import counted
from ledger.errors import LedgerError, NotFoundError

if TYPE_CHECKING:
    from ledger.actions.sync import Synced
    from ledger.storage.remotes import Remote

Name = Annotated[str | None, typer.Argument(help="A remote; without it, all of them.", metavar="[REMOTE]")]
Accept = Annotated[bool, typer.Option("--accept", help="Take in a history that has left its line, after judging it.")]


def command(context: typer.Context, remote: Name = None, accept: Accept = False) -> None:
    """Exchange events with other machines, by way of a remote.

    What is there is fetched, judged event by event, and merged; then what is here goes there. Whatever is wrong with
    the remote, this ledger is left as it was, or one sound merge further.
    """
    from ledger.actions.sync import sync

    call = Call.of(context)
    done: list[Synced] = []
    failed: LedgerError | None = None
    with call.ledger() as ledger:
        for one in _remotes(ledger.layout.git_dir, remote):
            try:
                done.append(sync(ledger.place, one, accepts=accept))
            except LedgerError as error:
                if failed is not None:  # the last one is told as every error is, the ones before it here
                    say(f"error: {failed.message}")
                failed = error
    if done:
        call.out.answer(_document(done), lambda: [_line(one) for one in done])
    if failed is not None:
        raise failed


def _remotes(git_dir: Any, name: str | None) -> Sequence[Remote]:
    from ledger.storage.remotes import find_remote, list_remotes

    if name is not None:
        return [find_remote(git_dir, name)]
    found = list_remotes(git_dir)
    if not found:
        raise NotFoundError("this ledger has no remote to exchange with", hint="ledger remote add NAME URL")
    return found


def _line(one: Synced) -> str:
    parts = [f"{counted(one.fetched, 'event')} came"] if one.fetched else []
    parts += [f"{counted(one.pushed, 'event')} went"] if one.pushed else []
    parts += [f"{counted(one.attachments, 'attachment')} came"] if one.attachments else []
    how = " (merged)" if one.merged else ""
    told = f"{', '.join(parts)}{how}" if parts else "nothing new on either side"
    epoch = f"; this ledger is in epoch {one.epoch} now" if one.epoch else ""
    conflicts = f"; {counted(len(one.conflicts), 'new conflict')}: ledger conflicts" if one.conflicts else ""
    return f"{one.remote}: {told}{epoch}{conflicts}"


def _document(done: Sequence[Synced]) -> dict[str, Any]:
    return {
        "merged": any(one.merged for one in done),
        "fast_forward": any(one.fast_forward for one in done),
        "conflicts": sorted({key for one in done for key in one.conflicts}),
        "pushed": sum(one.pushed for one in done),
        "attachments": sum(one.attachments for one in done),
        "fetched": sum(one.fetched for one in done),
        "seconds": round(sum(one.seconds for one in done), 6),
        "remotes": [{"name": one.remote, "head": one.main, "epoch": one.epoch} for one in done],
    }
