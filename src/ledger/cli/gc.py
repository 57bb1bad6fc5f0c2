"""`ledger gc`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.words import columns, size

if TYPE_CHECKING:
    from ledger.storage.maintenance import Maintained

Full = Annotated[
    bool, typer.Option("--full", help="Pack everything anew, and drop what nothing has reached for two weeks.")
]


def command(context: typer.Context, full: Full = False) -> None:
    """Pack what lies loose; nothing that a ref reaches is lost, and writers may go on meanwhile."""
    from ledger.actions.find import main_tip
    from ledger.storage.maintenance import gc

    call = Call.of(context)
    began = time.perf_counter()
    with call.ledger() as ledger:
        main_tip(ledger.place)  # one without a first event is no ledger yet
        done = gc(ledger.layout, is_full=full)
    document = {"repositories": [_document(one) for one in done], "seconds": round(time.perf_counter() - began, 6)}
    call.out.answer(document, lambda: _page(done))


def _document(one: Maintained) -> dict[str, Any]:
    return {"repository": one.repository.name, "before": one.before._asdict(), "after": one.after._asdict()}


def _page(done: Sequence[Maintained]) -> Iterator[str]:
    rows = [
        (
            one.repository.name,
            f"{size(one.before.bytes)} -> {size(one.after.bytes)}",
            f"{one.after.packed:,} objects in {one.after.packs:,} packs, {one.after.loose:,} loose",
        )
        for one in done
    ]
    yield from columns(rows)
