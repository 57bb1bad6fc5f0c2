"""`ledger resolve`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import value_given
from ledger.cli.options import JsonValue, Key, TextFile, ValueFile
from ledger.cli.write import told
from ledger.errors import NotFoundError, UsageError

Value = Annotated[str | None, typer.Argument(help="A value of your own, as a text exactly.", metavar="[VALUE]")]
Take = Annotated[
    str | None,
    typer.Option("--take", help="The event whose value it shall be, by its first characters.", metavar="EVENT"),
]


def command(
    context: typer.Context,
    key: Key,
    value: Value = None,
    take: Take = None,
    json_value: JsonValue = None,
    file: ValueFile = None,
    text_file: TextFile = None,
) -> None:
    """Settle the conflict at a key: take one of the values that stand there, or give one of your own."""
    has_value = any(form is not None for form in (value, json_value, file, text_file))
    if (take is not None) == has_value:
        raise UsageError("give either --take EVENT or a value", hint="`ledger conflicts KEY` shows the events")
    given = value_given(value, json_value, file, text_file) if has_value else None
    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        try:
            done = session.resolve(key, take=take, value=given)
        except NotFoundError as error:
            error.hint = error.hint or f"`ledger conflicts {key}` shows the events"
            raise
        told(call, session.id, done)
