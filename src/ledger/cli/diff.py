"""`ledger diff`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.changes import change_document, change_lines
from ledger.cli.options import Rev
from ledger.cli.output import Output

if TYPE_CHECKING:
    from ledger.actions.compare import Change

To = Annotated[str, typer.Argument(help="The later state.", metavar="[REV]")]
All = Annotated[bool, typer.Option("--all", help="Sessions, tasks, leases and the rest too, not keys alone.")]


def command(context: typer.Context, old: Rev, new: To = "main", everything: All = False) -> int:
    """Show what differs between two states.

    Exit code 0 says that nothing does, 1 that something does.
    """
    from ledger.actions.compare import list_changes
    from ledger.actions.find import find_commit

    call = Call.of(context)
    with call.ledger() as ledger:
        first, second = find_commit(ledger.place, old), find_commit(ledger.place, new)
        changes = [c for c in list_changes(ledger.place, first, second) if everything or _is_value(c)]
    document = {"from": first, "to": second, "changes": [change_document(c) for c in changes]}
    call.out.answer(document, lambda: _page(call.out, changes))
    if not changes:
        call.out.words("Nothing differs." if everything else "No key differs; --all compares the rest of the state.")
    return 1 if changes else 0


def _is_value(change: Change) -> bool:
    if not change.path.startswith("context/"):
        return False
    before, after = change.before or {}, change.after or {}
    return (before.get("value"), before.get("deleted", not before)) != (
        after.get("value"),
        after.get("deleted", not after),
    )


def _page(out: Output, changes: Sequence[Change]) -> Iterator[str]:
    for position, change in enumerate(changes):
        if position:
            yield ""
        yield from change_lines(out, change)
