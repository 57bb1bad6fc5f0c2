"""`ledger keys`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.options import At
from ledger.cli.output import Output
from ledger.cli.words import ago, cells, cut, one_line
from ledger.core.clock import micros
from ledger.core.key import check_key

if TYPE_CHECKING:
    from ledger.actions.read import Found

Prefix = Annotated[str, typer.Argument(help="Only this key and those below it.", metavar="[PREFIX]")]

HAS_USER_SCOPE = True


def command(context: typer.Context, prefix: Prefix = "", at: At = None) -> None:
    """List the keys, with what stands at each."""
    call = Call.of(context)
    if prefix:
        check_key(prefix.rstrip("/"))
    with call.ledger(only_reads=True) as ledger:
        found = list(ledger.keys(prefix, at=at, session=call.reader(ledger)))
    call.out.answer([documents.entry(one) for one in found], lambda: _table(call.out, found, call.now()))
    if not found:
        call.out.words(_nothing(prefix))


def _table(out: Output, found: Sequence[Found], now: int) -> Iterator[str]:
    names = [f"{one.key}{' (yours)' if one.scope == 'session' else ''}{' !' if one.losers else ''}" for one in found]
    whens = [ago(micros(one.entry.time), now) for one in found]
    wide, long = max(map(len, names), default=0), max(map(len, whens), default=0)
    room = None if out.width is None else max(out.width - wide - long - 4, 8)
    for one, name, when in zip(found, names, whens, strict=True):
        value = one_line(one.entry.cell.value)
        shown = value if room is None else cut(value, room)
        yield f"{out.paint(name, 'title')}{' ' * (wide - cells(name))}  {out.paint(when.ljust(long), 'time')}  {shown}"


def _nothing(prefix: str) -> str:
    if prefix:
        return f"No key stands at or below {prefix!r}; `ledger keys` lists all."
    return "No keys yet. The first one: ledger set auth/decision 'Use the device flow'"
