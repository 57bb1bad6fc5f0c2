"""`ledger share`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.write import told

Keys = Annotated[
    list[str], typer.Argument(help="Keys in the session's own context.", metavar="KEY...", show_default=False)
]
As = Annotated[str | None, typer.Option("--as", help="The shared key, where it is another one.", metavar="KEY")]


def command(context: typer.Context, keys: Keys, to: As = None) -> None:
    """Copy what the session has of its own to shared context, where everybody sees it.

    That is what was written with --private, and anything that a private session wrote. Several keys are copied
    together or not at all. The origin of the new event names the session and the event that it comes from.
    """
    from ledger.actions.share import share

    call = Call.of(context)
    with call.ledger() as ledger:
        done = share(ledger.place, call.writer(ledger), ledger.person(), keys, to)
        told(call, done.session, done.done)
