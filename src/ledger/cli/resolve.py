"""`ledger resolve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.actions.set_text import NUMERIC, as_number
from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.conflicts import shortest, shown
from ledger.cli.intake import value_given
from ledger.cli.options import JsonValue, Key, TextFile, ValueFile
from ledger.cli.words import columns, cut
from ledger.cli.write import told
from ledger.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.actions.read import Found

_WIDTH = 100

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
    """Settle the conflict at a key: take one of the values that stand there, or give one of your own.

    Of a map or a set, what a write lost is what it would have put in: to take it puts it into what stands.
    """
    has_value = any(form is not None for form in (value, json_value, file, text_file))
    if (take is not None) == has_value:
        raise UsageError("give either --take EVENT or a value", hint="`ledger conflicts KEY` shows the events")
    given = value_given(value, json_value, file, text_file) if has_value else None
    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        found = next((one for one in ledger.conflicts() if one.key == key), None)
        if value is not None and found is not None and found.entry.policy in NUMERIC:
            given = as_number(value)
        try:
            done = session.resolve(key, take=take, value=given)
        except NotFoundError as error:
            raise _explained(error, found) from error
        told(call, session.id, done)


def _explained(error: NotFoundError, found: Found | None) -> NotFoundError:
    """The error of an event that is none of the siblings, or fits several, with those there are."""
    if found is None:
        return error
    sides = [documents.winner(found), *found.losers]
    length = shortest(sides)
    rows = columns([("stands" if n == 0 else "beaten", s["event"][:length], shown(s)) for n, s in enumerate(sides)])
    listed = "\n".join(f"  {cut(row, _WIDTH)}" for row in rows)
    return NotFoundError(
        f"{error.message.splitlines()[0]}; at {found.key!r} there are:\n{listed}",
        hint=f"ledger resolve {found.key} --take {sides[-1]['event'][:length]}",
    )
