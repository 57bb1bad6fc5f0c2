"""`ledger rollback`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.options import Rev
from ledger.cli.output import Output
from ledger.cli.words import as_yaml, counted, differences, indented, visible
from ledger.cli.write import newest

if TYPE_CHECKING:
    from ledger.actions.rollback import Restored

Keys = Annotated[list[str] | None, typer.Argument(help="Only these keys; all, if none is named.", metavar="[KEY...]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]


def command(context: typer.Context, rev: Rev, keys: Keys = None, dry_run: DryRun = False) -> None:
    """Give keys the values that they had at REV.

    Nothing leaves the log: the rollback is an event of its own, and can be rolled back or undone.
    """
    from ledger.actions.append import Appended
    from ledger.actions.rollback import plan_rollback, rollback_drafts

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        planned = plan_rollback(ledger.place, rev, keys or ())
        done = Appended()
        if planned and not dry_run:
            done = session.write(rollback_drafts(ledger.place, rev, planned))
    document = documents.written(session.id, done) | {"restored": [restored(one) for one in planned]}
    with once_written(newest(done)):
        call.out.answer(document, lambda: page(call.out, planned))
    call.out.words(_words(len(planned), rev, dry_run=dry_run))


def restored(one: Restored) -> dict[str, Any]:
    """A restored key for programs; a value of null with `stands` false is no value."""
    return {
        "key": one.key,
        "before": None if one.now is None else one.now.cell.value,
        "after": None if one.then is None else one.then.cell.value,
        "stands": one.then is not None,
    }


def page(out: Output, planned: Sequence[Restored]) -> Iterator[str]:
    """The restored keys for people, each with the lines that change."""
    for one in planned:
        yield out.paint(one.key, "title")
        before, after = (None if e is None else as_yaml(e.cell.value) for e in (one.now, one.then))
        lines = list(indented(visible(line) for line in differences(before, after)))
        for line in lines:
            yield out.paint(line, "added" if line.startswith("  +") else "removed")
        if not lines:
            yield "  stands as it did"


def _words(number: int, rev: str, *, dry_run: bool) -> str:
    if not number:
        return f"Nothing to do: every key stands as it did at {rev}."
    if dry_run:
        return f"{counted(number, 'key')} would go back; nothing was written."
    return f"{counted(number, 'key')} went back to {rev}. To take that back: ledger undo"
