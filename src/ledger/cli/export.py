"""Write the ledger in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.options import At
from ledger.cli.output import to_json

Events = Annotated[bool, typer.Option("--events", help="The events that led there too, the oldest first.")]
Out = Annotated[Path | None, typer.Option("--out", help="Into this file instead of standard output.", metavar="FILE")]


def export_json(context: typer.Context, at: At = None, events: Events = False, out: Out = None) -> None:
    """The whole state as one JSON document, now or at REV."""
    from ledger.actions.export_json import export_json as export
    from ledger.storage.files import refusals, write_file

    call = Call.of(context)
    with call.ledger() as ledger:
        document = export(ledger.place, at, with_events=events)
    text = to_json(document, indent=None if call.form == "jsonl" else 2)
    if out is None:
        call.out.lines([text])
        return
    with refusals(out):
        write_file(out.absolute(), f"{text}\n".encode(), durable=True)
    call.out.words(f"Written: {out}")


PARTS = {"json": export_json}
