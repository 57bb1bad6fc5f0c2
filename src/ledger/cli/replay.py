"""`ledger replay`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import as_yaml, counted, indented, visible
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.replay import Replay

Name = Annotated[
    str | None,
    typer.Argument(help="A session, as for --session; without it, everything.", metavar="[SESSION]"),
]
To = Annotated[str | None, typer.Option("--to", help="Up to REV instead of the head.", metavar="REV")]
From = Annotated[str | None, typer.Option("--from", help="From REV instead of the last checkpoint.", metavar="REV")]
State = Annotated[bool, typer.Option("--state", help="Give the folded state too.")]


def command(context: typer.Context, name: Name = None, to: To = None, start: From = None, state: State = False) -> int:
    """Fold a session's events again, from its last checkpoint on, and compare with what is stored.

    Exit code 6 says that what is stored is not what the events say.
    """
    from ledger.actions.replay import replay

    call = Call.of(context)
    with call.ledger() as ledger:
        wanted = name or call.named
        session = None if wanted is None else ledger.session_named(wanted).id
        done = replay(ledger.place, session, to=to, from_=start, state=state)
    call.out.answer(done.document(), lambda: _page(call.out, done))
    return 0 if done.ok else DamageError.exit_code


def _page(out: Output, done: Replay) -> Iterator[str]:
    since = "the first event" if done.start is None else done.start[:10]
    verdict = out.paint("the same", "added") if done.ok else out.paint("not the same", "removed")
    yield f"{counted(done.events_replayed, 'event')} from {since} to {done.end[:10]}: {verdict} as what is stored"
    if done.first_divergence is not None:
        first = done.first_divergence
        yield f"  first at {first.commit[:10]} (event {first.event}): {', '.join(map(visible, first.paths))}"
    for path, document in sorted((done.state or {}).items()):
        yield out.paint(path, "title")
        yield from indented(visible(as_yaml(document)).split("\n"))
