"""`ledger gc`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.words import columns, size
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.storage.maintenance import Maintained

Full = Annotated[
    bool, typer.Option("--full", help="Pack everything anew, and drop what nothing has reached for two weeks.")
]
Truncate = Annotated[
    str | None,
    typer.Option("--truncate", help="Cut off the events up to REV; the state stays as it is.", metavar="REV"),
]
Because = Annotated[str, typer.Option("--because", help="Why they are cut off.", metavar="TEXT")]
NoBundle = Annotated[bool, typer.Option("--no-bundle", help="Keep nothing of what is cut off; without, a bundle.")]
Report = Annotated[
    bool, typer.Option("--report", help="Say what takes room, how fast it grows and what would help; nothing changes.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Cut. Without this it is only shown, and nothing changes.")]


def command(
    context: typer.Context,
    full: Full = False,
    report: Report = False,
    truncate: Truncate = None,
    because: Because = "",
    no_bundle: NoBundle = False,
    yes: Yes = False,
) -> None:
    """Pack what lies loose; nothing that a ref reaches is lost, and writers may go on meanwhile.

    With --truncate a new epoch begins from the state behind REV, which may be a time such as 90d. Nobody writes
    meanwhile; other clones go over to it when they bring it.
    """
    call = Call.of(context)
    if report and (full or truncate is not None):
        raise UsageError("--report changes nothing, and goes with neither --full nor --truncate")
    if report:
        from ledger.cli.growth import answer as answer_growth

        answer_growth(call)
        return
    if truncate is not None:
        from ledger.cli.truncate import answer

        answer(call, truncate, because, bundled=not no_bundle, is_meant=yes)
        return
    _pack(call, is_full=full)


def _pack(call: Call, *, is_full: bool) -> None:
    from ledger.actions.find import main_tip
    from ledger.storage.maintenance import gc

    began = time.perf_counter()
    with call.ledger() as ledger:
        main_tip(ledger.place)  # one without a first event is no ledger yet
        done = gc(ledger.layout, is_full=is_full)
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
