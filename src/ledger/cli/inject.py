"""`ledger inject`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.lines import line_of
from ledger.cli.output import Output
from ledger.cli.words import visible

if TYPE_CHECKING:
    from ledger.actions.log import Logged
    from ledger.api import Ledger
    from ledger.storage.store import Commit

Show = Annotated[bool, typer.Option("--show", help="What agents were given to read, the newest first.")]
Number = Annotated[int | None, typer.Option("-n", "--number", help="At most this many.", min=1, metavar="N")]

_TYPE = b"context.read"


def command(context: typer.Context, show: Show = False, number: Number = None) -> None:
    """Print what an agent that begins now would be given to read; with --show, what agents were given.

    With --session, as that session would read it, or what that session was given.
    """
    call = Call.of(context)
    with call.ledger() as ledger:
        if not show:
            _preview(call, ledger)
            return
        wanted = None if call.named is None else call.seen(ledger)
        given = list(islice(_given(ledger, wanted), number))
    call.out.answer([documents.logged(one) for one in given], lambda: _page(call.out, given, call.now()))
    if not given:
        call.out.words("Nothing was given to an agent to read so far.")


def _preview(call: Call, ledger: Ledger) -> None:
    from ledger.actions.news import at_start
    from ledger.hooks.briefing import start

    told = start(at_start(ledger.place, call.reader(ledger)), call.now())
    call.out.answer({"text": told.text, "keys": list(told.keys)}, told.text.splitlines)
    if not told.text:
        call.out.words("There is nothing to tell yet.")


def _given(ledger: Ledger, session: str | None) -> Iterator[Logged]:
    from ledger.actions.log import list_events

    def may_be_wanted(commit: Commit) -> bool:
        return commit.message.startswith(_TYPE) and session in (None, commit.author.email)

    return (one for one in list_events(ledger.place, keep_commit=may_be_wanted) if one.event.data.get("text"))


def _page(out: Output, given: Iterable[Logged], now: int) -> Iterator[str]:
    for position, one in enumerate(given):
        if position:
            yield ""
        yield line_of(out, one, now)
        yield from visible(one.event.data["text"]).splitlines()
