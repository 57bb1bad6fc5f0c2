"""`ledger repair`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import columns, counted, visible
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.repair import Repaired

Backup = Annotated[
    Path | None, typer.Option("--from", help="A backup, or a bundle, with what is missing here.", metavar="BACKUP")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what is wrong with the store.")]

_SHOWN = 10


def command(context: typer.Context, backup: Backup = None, dry_run: DryRun = False) -> int:
    """Put right in the store what can be, and name what stays lost.

    Damaged files are moved to `quarantine/`, never deleted; what they held comes back from the journal, from a backup,
    from remotes, or follows from the events. Exit code 6 says that something is lost, 1 that a dry run found something.
    """
    from ledger.actions.deadline import within
    from ledger.actions.repair import DEADLINE

    call = Call.of(context)
    if dry_run:
        return _dry_run(call)
    done = within(DEADLINE, lambda: _repaired(call, backup))
    call.out.answer(_document(done), lambda: _page(call.out, done))
    if done.left:
        call.out.words(f"{counted(len(done.left), 'problem')} left. What each kind means: docs/reference/problems.md")
        return DamageError.exit_code
    call.out.words("The store is whole." if done.done or done.quarantined else "Nothing to repair.")
    return 0


def _repaired(call: Call, backup: Path | None) -> Repaired:
    from ledger.actions.repair import repair
    from ledger.api import open_ledger

    with open_ledger(call.folder, accepts_clock=call.accepts_clock, sources=call.sources) as ledger:
        done = repair(ledger.place, backup)
        if ledger.restored is not None and ledger.restored.changed:
            done.done.insert(0, "what an unclean stop had left was put right when the ledger was opened")
            done.quarantined += map(str, ledger.restored.quarantined)
        return done


def _dry_run(call: Call) -> int:
    from ledger.actions.storeroom import storeroom

    with call.ledger() as ledger:
        found = [(name, wrong, fix) for name, (wrong, fix) in storeroom(ledger.place, ledger.layout) if wrong]
    document = [{"name": name, "detail": wrong, "fix": fix} for name, wrong, fix in found]
    call.out.answer(document, lambda: columns([(name, visible(wrong)) for name, wrong, _ in found]))
    call.out.words(f"{counted(len(found), 'thing')} to mend; nothing was changed." if found else "Nothing to repair.")
    return 1 if found else 0


def _document(done: Repaired) -> dict[str, Any]:
    return {
        "ok": not done.left,
        "done": done.done,
        "quarantined": done.quarantined,
        "left": [problem._asdict() for problem in done.left],
    }


def _page(out: Output, done: Repaired) -> Iterator[str]:
    yield from (f"{out.paint('done', 'added')}  {visible(words)}" for words in done.done)
    yield from (f"      moved aside: {visible(path)}" for path in done.quarantined[:_SHOWN])
    for problem in done.left[:_SHOWN]:
        where = " ".join(filter(None, ((problem.commit or "")[:10], problem.path)))
        yield f"{out.paint('lost', 'removed')}  {problem.kind} {visible(where)}: {visible(problem.detail)}"
