"""`ledger recover`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import counted, visible
from ledger.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from ledger.actions.recover import Recovered
    from ledger.api import Ledger

Name = Annotated[str | None, typer.Argument(help="A session, as for --session.", metavar="[SESSION]")]
All = Annotated[bool, typer.Option("--all", help="Every session that has come to harm.")]
Force = Annotated[bool, typer.Option("--force", help="Hold its process for dead; what it still writes is refused.")]
Deadline = Annotated[
    float, typer.Option("--deadline", help="Stop after so many seconds; 60 by default.", metavar="SECONDS", min=1)
]


def command(
    context: typer.Context,
    name: Name = None,
    every: All = False,
    force: Force = False,
    deadline: Deadline = 60.0,
) -> None:
    """Bring sessions back that have crashed or were damaged, with an account of it.

    What the journal and the spool hold is rescued, damage is moved aside and never deleted, and the session is on the
    roster again, to be gone on with. One that lives is refused. A second run finds nothing to do.
    """
    from ledger.actions.deadline import within

    call = Call.of(context)
    if every == (name is not None):
        raise UsageError(
            "which session?", hint="`ledger recover SESSION` or `--all`; `ledger sessions --check` names them"
        )
    if every and force:
        raise UsageError("--force is for one session", hint="name it: `ledger recover SESSION --force`")
    done = within(deadline, lambda: recovered(call, name, force=force))
    call.out.answer([asdict(one) for one in done], lambda: _page(call.out, done))
    call.out.words(f"{counted(len(done), 'thing')} looked after." if done else "Nothing had to be recovered.")


def recovered(call: Call, name: str | None, *, force: bool) -> list[Recovered]:
    """What recovering brought, with the ledger opened anew: for a process of its own."""
    from ledger.actions.recover import recover
    from ledger.api import open_ledger

    with open_ledger(call.folder, accepts_clock=call.accepts_clock, sources=call.sources) as ledger:
        session = None if name is None else _named(ledger, name)
        return recover(ledger.place, session, force=force, restored=ledger.restored)


def _named(ledger: Ledger, name: str) -> str:
    """The session that a name means; what is left of one that is on no roster has a name too."""
    from ledger.actions.cascade import cascade

    try:
        return ledger.session_named(name).id
    except NotFoundError:
        left = {one.session for one in cascade(ledger.place) if one.session and one.session.startswith(name)}
        if len(left) != 1:
            raise
        return left.pop()


def _page(out: Output, done: Sequence[Recovered]) -> Iterator[str]:
    for one in done:
        name = "the ledger" if one.session is None else one.session[:8]
        status = out.paint(one.status, "added" if one.status == "recovered" else "removed")
        yield f"{status}  {name}  {visible(one.reason)}"
        told = [
            counted(one.events_replayed, "event") + " replayed",
            counted(one.rescued_from_spool, "event") + " rescued",
            f"{one.lost} lost",
        ]
        yield f"    {', '.join(told)}"
        yield from (f"    moved aside: {visible(path)}" for path in one.quarantined)
        yield from (f"    holds lease {lease[:8]} until it runs out" for lease in one.leases)
        if one.remedy:
            yield f"    {one.remedy}"
