"""`ledger conflicts`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import ago, as_yaml, columns, counted, cut, differences, indented, one_line, visible
from ledger.core.clock import micros
from ledger.core.key import check_key

if TYPE_CHECKING:
    from ledger.actions.read import Found

Prefix = Annotated[str, typer.Argument(help="Only this key and those below it.", metavar="[KEY]")]
Side = dict[str, Any]

_SHORT = 18  # characters of an event id: its time, and its number within the millisecond


def command(context: typer.Context, prefix: Prefix = "") -> int:
    """List the keys at which a write was beaten unseen.

    Nothing waits for you: the later write stands, and what it beat is kept until somebody settles it. Of a KEY by
    itself, texts of many lines are shown by what differs. Exit code 0 says that there is no conflict, 1 that there is.
    """
    call = Call.of(context)
    wanted = check_key(prefix.rstrip("/")) if prefix else ""
    with call.ledger() as ledger:
        found = [f for f in ledger.conflicts() if not wanted or f.key == wanted or f.key.startswith(f"{wanted}/")]
        agents = ledger.agents()
    call.out.answer(
        [_document(one, agents) for one in found],
        lambda: _page(call.out, found, agents, call.now(), is_long=[f.key for f in found] == [wanted]),
    )
    if found:
        call.out.words(f"{counted(len(found), 'conflict')}. To settle one: ledger resolve KEY --take EVENT")
    else:
        call.out.words(f"No conflicts at or below {wanted}." if wanted else "No conflicts.")
    return 1 if found else 0


def shortest(sides: Sequence[Side]) -> int:
    """How many first characters tell the events of a conflict apart: those of one millisecond may begin alike."""
    ids = {side["event"] for side in sides}
    return next(n for n in range(_SHORT, 37) if len({i[:n] for i in ids}) == len(ids))


def shown(side: Side) -> str:
    """The value of one side on one line."""
    return "(deleted)" if side.get("deleted") else one_line(side.get("value"))


def _document(found: Found, agents: dict[str, str]) -> dict[str, Any]:
    document = documents.conflict(found)
    sides = [document["winner"], *document["losers"]]
    winner, *losers = ({**side, "agent": agents.get(side["session"])} for side in sides)
    return {"key": found.key, "winner": winner, "losers": losers}


def _page(out: Output, found: Sequence[Found], agents: dict[str, str], now: int, *, is_long: bool) -> Iterator[str]:
    for one in found:
        policy = "" if one.entry.policy == "lww" else f"  {out.paint(one.entry.policy, 'time')}"
        yield f"{out.paint(one.key, 'title')}{policy}"
        winner = documents.winner(one)
        sides = [winner, *one.losers]
        rows = _rows(out, sides, agents, now)
        for side, row in zip(sides, rows, strict=True):
            yield from indented([cut(row, out.width - 2) if out.width and not out.has_colour else row])
            if is_long and side is not winner and _has_lines(side, winner):
                yield from indented(_difference(out, winner, side), by="    ")


def _rows(out: Output, sides: Sequence[Side], agents: dict[str, str], now: int) -> Iterator[str]:
    length = shortest(sides)
    room = None if out.width is None else max(out.width - 60, 16)
    rows = []
    for number, side in enumerate(sides):
        who = f"{agents.get(side['session'], 'session')}/{side['session'][:4]}"
        when = ago(micros(side["time"]), now).ljust(10)
        value = shown(side) if room is None else cut(shown(side), room)
        what = "beaten" if number else "stands"
        cells = (what, out.paint(side["event"][:length], "id"), out.paint(who.ljust(16), "who"))
        rows.append((*cells, out.paint(when, "time"), value))
    return columns(rows)


def _has_lines(*sides: Side) -> bool:
    return any("\n" in as_yaml(side.get("value")) for side in sides if not side.get("deleted"))


def _difference(out: Output, winner: Side, loser: Side) -> Iterator[str]:
    before, after = (
        None if side.get("deleted") else as_yaml(side.get("value")).rstrip("\n") for side in (winner, loser)
    )
    for line in differences(before, after):
        style = "added" if line.startswith("+") else "removed" if line.startswith("-") else "time"
        yield out.paint(visible(line), style)  # type: ignore[arg-type]  # a conditional of literals is a str to mypy
