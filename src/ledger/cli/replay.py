"""`ledger replay`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import as_yaml, counted, indented, visible
from ledger.errors import DamageError, UsageError

if TYPE_CHECKING:
    from ledger.actions.replay import Replay
    from ledger.api import Ledger

Name = Annotated[
    str | None,
    typer.Argument(help="A session, as for --session; without it, everything.", metavar="[SESSION]"),
]
To = Annotated[str | None, typer.Option("--to", help="Up to REV instead of the head.", metavar="REV")]
From = Annotated[str | None, typer.Option("--from", help="From REV instead of the last checkpoint.", metavar="REV")]
State = Annotated[bool, typer.Option("--state", help="Give the folded state too.")]
Handoff = Annotated[bool, typer.Option("--handoff", help="Say what the session leaves, as far as the replay goes.")]


def command(
    context: typer.Context,
    name: Name = None,
    to: To = None,
    start: From = None,
    state: State = False,
    with_handoff: Handoff = False,
) -> int:
    """Fold a session's events again, from its last checkpoint on, and compare with what is stored.

    Exit code 6 says that what is stored is not what the events say.
    """
    from ledger.actions.replay import replay

    call = Call.of(context)
    with call.ledger() as ledger:
        wanted = name or call.named
        session = None if wanted is None else ledger.session_named(wanted).id
        if with_handoff and session is None:
            raise UsageError("whose handoff?", hint="ledger replay SESSION --handoff")
        done = replay(ledger.place, session, to=to, from_=start, state=state)
        left = _handoff(ledger, session, to) if session is not None and with_handoff else None
    call.out.answer({**done.document(), "handoff": left}, lambda: _page(call.out, done, left))
    return 0 if done.ok else DamageError.exit_code


def _handoff(ledger: Ledger, session: str, to: str | None) -> str:
    from ledger.actions.handoff import handoff

    return handoff(ledger.place, session, to).text


def _page(out: Output, done: Replay, handoff: str | None) -> Iterator[str]:
    since = "the first event" if done.start is None else done.start[:10]
    verdict = out.paint("the same", "added") if done.ok else out.paint("not the same", "removed")
    yield f"{counted(done.events_replayed, 'event')} from {since} to {done.end[:10]}: {verdict} as what is stored"
    if done.first_divergence is not None:
        first = done.first_divergence
        yield f"  first at {first.commit[:10]} (event {first.event}): {', '.join(map(visible, first.paths))}"
    for path, document in sorted((done.state or {}).items()):
        yield out.paint(path, "title")
        yield from indented(visible(as_yaml(document)).split("\n"))
    if handoff is not None:
        yield from handoff.rstrip("\n").split("\n")
