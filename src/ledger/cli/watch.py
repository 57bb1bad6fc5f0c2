"""`ledger watch`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.lines import SHORT, line_of
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.api import Ledger
    from ledger.storage.store import Commit

Since = Annotated[str | None, typer.Option("--since", help="Those behind REV first, then what lands.", metavar="REV")]
Number = Annotated[int | None, typer.Option("-n", "--number", help="End after this many.", min=1, metavar="N")]
Own = Annotated[bool, typer.Option("--own", help="With what the session that --session names writes itself.")]
WithAlerts = Annotated[
    bool, typer.Option("--alerts", help="Tell instead of dead sessions, sync failures and silent hooks.")
]
Exec = Annotated[
    str | None,
    typer.Option("--exec", help="With --alerts: run CMD for each, with the alert as JSON on stdin.", metavar="CMD"),
]
Silent = Annotated[
    float,
    typer.Option("--silent", help="With --alerts: minutes a session at work may be silent.", min=0, metavar="MIN"),
]
Unpublished = Annotated[
    float,
    typer.Option(
        "--unpublished", help="With --alerts: minutes until what is written must be on main.", min=0, metavar="MIN"
    ),
]


def command(
    context: typer.Context,
    since: Since = None,
    number: Number = None,
    own: Own = False,
    with_alerts: WithAlerts = False,
    run: Exec = None,
    silent: Silent = 10,
    unpublished: Unpublished = 10,
) -> None:
    """Tell of events as they land, one a line, until it is interrupted; what the session named writes is left out."""
    call = Call.of(context)
    if call.form == "json":
        raise UsageError("watch has no end, and so no one document", hint="--jsonl gives one document a line")
    if with_alerts and (since is not None or own):
        raise UsageError("--since and --own are about events", hint="leave out --alerts, or them")
    if run is not None and not with_alerts:
        raise UsageError("--exec is run for alerts", hint="add --alerts")
    with _ending_at_once(), call.ledger() as ledger:
        if with_alerts:
            told = _alerts(call, ledger, run, (silent, unpublished))
        else:
            told = _events(call, ledger, since, own=own)
        for _ in islice(told, number):
            pass


def _events(call: Call, ledger: Ledger, since: str | None, *, own: bool) -> Iterator[None]:
    from ledger.actions.watch import Watched, watch

    def mark(commit: Commit) -> None:
        call.out.words(f"{commit.oid[:SHORT]} carries no event")

    # Who names no session is told everything, what the person writes too.
    session = None if call.named is None else call.reader(ledger)
    told = watch(ledger.place, Watched(since, session, own, mark))
    call.out.words(f"Watching {ledger.path}. Ctrl-C ends it.")
    for one in told:
        if call.form == "jsonl":
            call.out.stream([documents.logged(one)])
        else:
            call.out.lines([line_of(call.out, one, call.now())])
        sys.stdout.flush()
        yield


def _alerts(call: Call, ledger: Ledger, run: str | None, minutes: tuple[float, float]) -> Iterator[None]:
    from ledger.actions.alerts import Limits
    from ledger.cli.alerts import command_of, document, execute, line, told

    argv, limits = command_of(run), Limits(*(60 * some for some in minutes))
    call.out.words(f"Watching {ledger.path} for alerts. Ctrl-C ends it.")
    for one in told(ledger, limits):
        now = call.now()
        if call.form == "jsonl":
            call.out.stream([document(one, now)])
        else:
            call.out.lines([line(call, one, now)])
        sys.stdout.flush()
        if argv:
            execute(call, argv, one)
        yield


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Let an interrupt (130) and SIGTERM (0) end the block at once, even while it waits for a reader."""
    was_asked = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python calls it so
        was_asked.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        _drop_the_rest()
        if not was_asked.is_set():
            raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _drop_the_rest() -> None:
    # Python writes what is left at its end, and would wait there for the same reader.
    with suppress(OSError, ValueError), open(os.devnull, "wb") as sink:  # noqa: PTH123 - a stream as in tests has no file
        os.dup2(sink.fileno(), sys.stdout.fileno())
