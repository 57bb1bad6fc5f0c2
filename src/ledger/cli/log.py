"""`ledger log`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.lines import SHORT, line_of
from ledger.cli.words import counted
from ledger.errors import DamageError, UsageError

if TYPE_CHECKING:
    from ledger.actions.log import Logged
    from ledger.api import Ledger
    from ledger.storage.store import Commit

_NAMED = 5  # commits in one error

Number = Annotated[int | None, typer.Option("-n", "--number", help="At most this many.", min=1, metavar="N")]
At = Annotated[str | None, typer.Option("--at", help="From REV backwards.", metavar="REV")]
Type = Annotated[
    list[str] | None,
    typer.Option(
        "--type", help="Only events of this type, or of its family (context.); may be repeated.", metavar="TYPE"
    ),
]
Mine = Annotated[bool, typer.Option("--mine", help="Only the events of the session that --session names, or yours.")]


def command(
    context: typer.Context, number: Number = None, at: At = None, types: Type = None, mine: Mine = False
) -> None:
    """List the events, the newest first: those of main, and those that sessions have not brought there yet.

    Those of a private session are listed where --session names it.
    """
    from ledger.actions.log import list_events

    call, foreign = Call.of(context), list[str]()
    with call.ledger() as ledger:
        out = call.out
        session = call.seen(ledger)
        _require_types(ledger, types or ())

        def mark(commit: Commit) -> None:
            foreign.append(commit.oid)
            if call.form == "human":
                out.lines([f"{out.paint(commit.oid[:SHORT], 'id')}  {out.paint('carries no event', 'removed')}"])

        shown = list_events(ledger.place, at, pass_over=mark, session=session)
        author = session if mine else None
        wanted = islice((one for one in shown if _is_wanted(one, author, types or ())), number)
        if call.form == "human":
            now = call.now()
            out.lines(line_of(out, one, now) for one in wanted)
        elif call.form == "jsonl":
            out.stream(map(documents.logged, wanted))
        else:
            out.answer([documents.logged(one) for one in wanted], list)
    if foreign:
        raise DamageError(
            f"{counted(len(foreign), 'commit')} without an event: {', '.join(oid[:SHORT] for oid in foreign[:_NAMED])}",
            hint="`ledger verify` names all that is wrong",
        )


def _require_types(ledger: Ledger, wanted: Sequence[str]) -> None:
    """Refuse what can be no event's type here: those of the program count, those that the ledger declares, families."""
    if not wanted:
        return
    from difflib import get_close_matches

    from ledger.core.events import TYPES

    there = {*TYPES, *ledger.policy().get("types", {})}
    there |= {name[:at] for name in there for at, character in enumerate(name) if character == "."}
    unknown = [name for name in wanted if name.rstrip(".") not in there]
    if unknown:
        near = [match for name in unknown for match in get_close_matches(name, sorted(there), n=3)]
        raise UsageError(
            f"no event has the type {' or '.join(map(repr, unknown))}",
            hint=f"did you mean {' or '.join(near)}?" if near else "`ledger schema` and `ledger policy` list the types",
        )


def _is_wanted(one: Logged, author: str | None, types: Sequence[str]) -> bool:
    if author is not None and one.event.session != author:
        return False
    return not types or any(one.event.type == t or one.event.type.startswith(f"{t.rstrip('.')}.") for t in types)
