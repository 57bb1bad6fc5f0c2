"""`ledger log`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.filters import Agents, Authors, Keys, Mine, Paths, Since, Types, Until, wanted_of
from ledger.cli.lines import SHORT, line_of
from ledger.cli.words import counted
from ledger.core.wanted import Wanted
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.log import Logged
    from ledger.api import Ledger
    from ledger.storage.store import Commit

_NAMED = 5  # commits in one error

Number = Annotated[int | None, typer.Option("-n", "--number", help="At most this many.", min=1, metavar="N")]
At = Annotated[str | None, typer.Option("--at", help="From REV backwards.", metavar="REV")]
Words = Annotated[
    str | None, typer.Option("--text", help="Only those with these words, asked for as in search.", metavar="WORDS")
]


def command(
    context: typer.Context,
    number: Number = None,
    at: At = None,
    types: Types = None,
    mine: Mine = False,
    agents: Agents = None,
    keys: Keys = None,
    paths: Paths = None,
    authors: Authors = None,
    since: Since = None,
    until: Until = None,
    words: Words = None,
) -> None:
    """List the events, the newest first: those of main, and those that sessions have not brought there yet.

    Those of a private session are listed where --session names it. Of the conditions all have to hold; of one that is
    given several times, one of them. TIME is a date, a time, or a while ago, as in REV.
    """
    call, foreign = Call.of(context), list[str]()
    with call.ledger() as ledger:
        out, session = call.out, call.seen(ledger)
        wanted = wanted_of(
            call,
            ledger,
            session if mine else None,
            types=types,
            agents=agents,
            keys=keys,
            paths=paths,
            authors=authors,
            since=since,
            until=until,
            words=words,
        )

        def mark(commit: Commit) -> None:
            foreign.append(commit.oid)
            if call.form == "human":
                out.lines([f"{out.paint(commit.oid[:SHORT], 'id')}  {out.paint('carries no event', 'removed')}"])

        _print(call, islice(_listed(ledger, wanted, at, session, number, mark), number))
    if foreign:
        raise DamageError(
            f"{counted(len(foreign), 'commit')} without an event: {', '.join(oid[:SHORT] for oid in foreign[:_NAMED])}",
            hint="`ledger verify` names all that is wrong",
        )


def _listed(
    ledger: Ledger, wanted: Wanted, at: str | None, session: str, number: int | None, mark: Callable[[Commit], None]
) -> Iterator[Logged]:
    if wanted == Wanted():
        from ledger.actions.log import list_events

        return list_events(ledger.place, at, pass_over=mark, session=session)
    from ledger.actions.filter import list_wanted

    return list_wanted(ledger.place, wanted, at, session, number)


def _print(call: Call, wanted: Iterable[Logged]) -> None:
    out = call.out
    if call.form == "human":
        now = call.now()
        out.lines(line_of(out, one, now) for one in wanted)
    elif call.form == "jsonl":
        out.stream(map(documents.logged, wanted))
    else:
        out.answer([documents.logged(one) for one in wanted], list)
