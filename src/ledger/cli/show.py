"""`ledger show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.changes import change_document, change_lines
from ledger.cli.output import Output
from ledger.cli.words import ago, as_yaml, columns, indented, visible
from ledger.core.clock import micros
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.compare import Change
    from ledger.actions.log import Logged
    from ledger.api import Ledger
    from ledger.storage.store import Oid

Rev = Annotated[str, typer.Argument(help="The event; see `ledger --help`.", metavar="[REV]")]


def command(context: typer.Context, rev: Rev = "main") -> None:
    """Show an event, with the change that it made to the state."""
    from ledger.actions.compare import changes_of
    from ledger.actions.find import find_commit
    from ledger.actions.log import show_event

    call = Call.of(context)
    with call.ledger() as ledger:
        try:
            one = show_event(ledger.place, rev)
        except DamageError:
            if call.form == "human":
                call.out.lines(_foreign(call.out, find_commit(ledger.place, rev), ledger, call.now()))
            raise
        changes = list(changes_of(ledger.place, one.commit.oid))
    document = documents.logged(one) | {"changes": [change_document(c) for c in changes]}
    call.out.answer(document, lambda: _page(call.out, one, changes, call.now()))


def _foreign(out: Output, oid: Oid, ledger: Ledger, now: int) -> Iterator[str]:
    """What can be read of a commit that carries no event."""
    commit = ledger.place.store.commit(oid)
    head = [
        ("commit", out.paint(oid, "id")),
        ("author", out.paint(visible(commit.author.name), "who")),
        ("time", ago(commit.committer.time * 1_000_000, now)),
        ("event", out.paint("none", "removed")),
    ]
    yield from columns(head)
    yield ""
    yield from indented(visible(commit.message.decode("utf-8", "backslashreplace")).rstrip("\n").split("\n"))


def _page(out: Output, one: Logged, changes: Sequence[Change], now: int) -> Iterator[str]:
    yield from columns([(out.paint(name, "time"), value) for name, value in _head(out, one, now)])
    yield ""
    yield from indented(visible(as_yaml(one.event.data)).split("\n"))
    for change in changes:
        yield ""
        yield from change_lines(out, change)
    if not changes:
        yield ""
        yield out.paint("It changed no state.", "time")


def _head(out: Output, one: Logged, now: int) -> Iterator[tuple[str, str]]:
    event = one.event
    yield "event", out.paint(event.id, "id")
    yield "commit", out.paint(one.commit.oid, "id")
    yield "type", f"{event.type} (version {event.v})"
    yield "session", f"{out.paint(visible(one.commit.author.name), 'who')} {event.session}"
    yield "time", f"{event.time} ({ago(micros(event.time), now)})"
    if event.changes_state:
        yield "replaces", ", ".join(sorted(event.seen)) or "nothing"
    if event.origin is not None:
        yield "origin", visible(f"{event.origin.get('source')} {event.origin.get('ref')}")
