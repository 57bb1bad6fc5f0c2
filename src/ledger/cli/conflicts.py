"""`ledger conflicts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import ago, columns, counted, cut, indented, one_line
from ledger.core.clock import micros

if TYPE_CHECKING:
    from ledger.actions.read import Found

Prefix = Annotated[str, typer.Argument(help="Only this key and those below it.", metavar="[KEY]")]


def command(context: typer.Context, prefix: Prefix = "") -> int:
    """List the keys at which a write was beaten unseen.

    Nothing waits for you: the later write stands, and what it beat is kept until somebody settles it. Exit code 0
    says that there is none, 1 that there is.
    """
    call = Call.of(context)
    wanted = prefix.rstrip("/")
    with call.ledger() as ledger:
        found = [f for f in ledger.conflicts() if not wanted or f.key == wanted or f.key.startswith(f"{wanted}/")]
        agents = ledger.agents()
    call.out.answer([_document(one, agents) for one in found], lambda: _page(call.out, found, agents, call.now()))
    if found:
        call.out.words(f"{counted(len(found), 'conflict')}. To settle one: ledger resolve KEY --take EVENT")
    else:
        call.out.words("No conflicts.")
    return 1 if found else 0


def _document(found: Found, agents: dict[str, str]) -> dict[str, Any]:
    document = documents.conflict(found)
    sides = [document["winner"], *document["losers"]]
    winner, *losers = ({**side, "agent": agents.get(side["session"])} for side in sides)
    return {"key": found.key, "winner": winner, "losers": losers}


def _page(out: Output, found: Sequence[Found], agents: dict[str, str], now: int) -> Iterator[str]:
    for one in found:
        yield out.paint(one.key, "title")
        rows = [_row(out, "stands", documents.winner(one), agents, now)]
        rows += [_row(out, "beaten", loser, agents, now) for loser in one.losers]
        yield from indented(cut(line, out.width - 2) if out.width and not out.has_colour else line for line in rows)


def _row(out: Output, what: str, side: dict[str, Any], agents: dict[str, str], now: int) -> str:
    who = f"{agents.get(side['session'], 'session')}/{side['session'][:4]}"
    value = "(deleted)" if side.get("deleted") else one_line(side.get("value"))
    shown = value if out.width is None else cut(value, max(out.width - 60, 16))
    cells = (what, out.paint(side["event"][:18], "id"), out.paint(who.ljust(16), "who"))
    when = out.paint(ago(micros(side["time"]), now).ljust(10), "time")
    return next(columns([(*cells, when, shown)]))
