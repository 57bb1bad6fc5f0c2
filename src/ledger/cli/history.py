"""`ledger history`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.lines import line_of
from ledger.cli.options import At, Key
from ledger.errors import NotFoundError

if TYPE_CHECKING:
    from ledger.actions.history import Written

Number = Annotated[int | None, typer.Option("-n", "--number", help="At most this many.", min=1, metavar="N")]


def command(context: typer.Context, key: Key, number: Number = None, at: At = None) -> None:
    """List the writes of a key, the newest first."""
    from ledger.actions.history import list_writes

    call = Call.of(context)
    with call.ledger() as ledger:
        writes = list(islice(list_writes(ledger.place, key, at), number))
    if not writes:
        raise NotFoundError(f"nobody has written {key!r}", hint="`ledger keys` lists what there is")
    now, out = call.now(), call.out
    out.answer([_document(one) for one in writes], lambda: (line_of(out, one.logged, now) for one in writes))


def _document(one: Written) -> dict[str, Any]:
    entry = one.entry
    stands = entry is not None and not entry.deleted
    value = entry.cell.value if entry is not None and stands else None
    return documents.logged(one.logged) | {"stands": stands, "value": value}
