"""`ledger undo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.rollback import page, restored
from ledger.cli.write import newest
from ledger.core.events import subject_of
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from ledger.actions.undo import Undo

Force = Annotated[
    bool, typer.Option("--force", help="Even where it overrules what others wrote, or loses what a conflict beat.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")]


def command(context: typer.Context, force: Force = False, dry_run: DryRun = False) -> None:
    """Take back this session's last change of context; again, and the one before goes too.

    Nothing leaves the log: the undo is an event of its own. What others wrote to a counter, set, map or log stays.
    """
    from ledger.actions.append import Appended
    from ledger.actions.undo import plan_undo, undo_drafts

    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        planned = plan_undo(ledger.place, session.author)
        if not force:
            _refuse_loss(planned)
        done = Appended() if dry_run else session.write(list(undo_drafts(planned)))
    document = documents.written(session.id, done) | {
        "undone": planned.target.event.id,
        "restored": [restored(one) for one in planned.restored],
    }
    with once_written(newest(done)):
        call.out.answer(document, lambda: page(call.out, planned.restored))
    call.out.words(f"{'Would take' if dry_run else 'Took'} back: {subject_of(planned.target.event)}")


def _refuse_loss(planned: Undo) -> None:
    subject = subject_of(planned.target.event)
    if planned.later:
        lines = [f"  {key}: {subject_of(event)} ({event.time})" for key, event in sorted(planned.later.items())]
        raise LedgerError(
            "\n".join([f"somebody else has written since {subject}", *lines]),
            hint="--force takes it back all the same; `ledger history KEY` shows the writes",
        )
    if planned.unsettled:
        raise LedgerError(
            f"{subject} settled a conflict at {', '.join(planned.unsettled)}, which an undo cannot bring back",
            hint="`ledger history KEY` shows what was beaten; --force gives back what stood, without the rest",
        )
