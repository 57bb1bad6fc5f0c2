"""`ledger forget`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_in
from ledger.cli.output import Output
from ledger.cli.words import columns, counted

if TYPE_CHECKING:
    from ledger.actions.forget import Forgotten, Planned

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        help="An event, by its id or the start of it, or a key with all that was ever written to it.",
        metavar="[EVENT|KEY]...",
    ),
]
Texts = Annotated[list[str] | None, typer.Option("--text", help="A text, wherever it stands.", metavar="TEXT")]
TextFile = Annotated[
    Path | None,
    typer.Option("--text-file", help="A file with such a text on each line, - for standard input.", metavar="FILE"),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option("--pattern", help="A regular expression: what it fits is forgotten.", metavar="REGEX"),
]
Because = Annotated[str, typer.Option("--because", help="Why; whoever finds a mark instead reads it.", metavar="TEXT")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only shown, and nothing changes.")]

_SHOWN = 20


def command(
    context: typer.Context,
    targets: Targets = None,
    texts: Texts = None,
    text_file: TextFile = None,
    patterns: Patterns = None,
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Take content out of the whole ledger, for good.

    A new epoch begins without it: every event is committed again, a mark stands where the content was, and what held
    it is dropped from the disk, with refused payloads, logs, bundles of earlier epochs and your own backups of this
    ledger. A text on the command line stays in your shell's history; --text-file does not.
    """
    from ledger.actions.epoch import epoch_of
    from ledger.actions.find import main_tip
    from ledger.actions.forget import forget, plan_forgetting, wanted
    from ledger.cli.backup import backups_of

    call = Call.of(context)
    with call.ledger() as ledger:
        place = ledger.place
        every = [*(texts or ()), *_lines(text_file)]
        what = wanted(place, because, targets or (), every, patterns or ())
        backups = backups_of(ledger.id)
        if not yes:
            planned = plan_forgetting(place, what, backups)
            call.out.answer(
                _document(planned, epoch_of(place.store, main_tip(place))), lambda: _page(call.out, planned)
            )
            call.out.words("Nothing was changed. To forget it for good, give the same with --yes")
            return
        done = forget(place, call.writer(ledger).author, what, backups)
    call.out.answer(_document(done.planned, done.epoch, done), lambda: _page(call.out, done.planned))
    call.out.words(f"Forgotten. Epoch {done.epoch} has begun; clones follow when they bring it.")
    call.out.words("Out of reach: what agents keep of their own, copies elsewhere, your shell's history.")


def _lines(file: Path | None) -> list[str]:
    return [] if file is None else [line for line in text_in(file).splitlines() if line]


def _document(planned: Planned, epoch: int, done: Forgotten | None = None) -> dict[str, Any]:
    return {
        "done": done is not None,
        "epoch": epoch,
        "events": [{"id": e.id, "type": e.type, "time": e.time, "session": e.session} for e in planned.events],
        "attachments": list(planned.attachments),
        "captures": list(planned.captures),
        "files": [str(path) for path in planned.files],
        "remotes": list(planned.remotes),
        "outside": [str(path) for path in planned.outside],
        "root": None if done is None else done.root,
        "seconds": 0.0 if done is None else round(done.seconds, 6),
    }


def _page(out: Output, planned: Planned) -> Iterator[str]:
    """What is forgotten, without a word of its content."""
    by_type = ", ".join(f"{name} {number}" for name, number in planned.by_type.items())
    yield out.paint(counted(len(planned.events), "event"), "title") + (f": {by_type}" if by_type else "")
    rows = [(f"  {event.id[:13]}", f"{event.time[:19]}Z", event.type) for event in planned.events[:_SHOWN]]
    yield from columns(rows)
    if len(planned.events) > _SHOWN:
        yield f"  and {len(planned.events) - _SHOWN:,} more"
    yield from _listed(out, "attachment", [oid[:12] for oid in planned.attachments])
    if planned.captures:
        yield out.paint(counted(len(planned.captures), "captured working tree"), "title") + ", of checkpoints"
    yield from _listed(out, "file", [str(path) for path in planned.files])
    if planned.outside:
        yield from _listed(out, "file", [str(path) for path in planned.outside], ", yours to change")
    if planned.remotes:
        yield from _listed(out, "remote", planned.remotes, ", to be told: it has it still")


def _listed(out: Output, noun: str, names: Sequence[str], more: str = "") -> Iterator[str]:
    if names:
        yield out.paint(counted(len(names), noun), "title") + more
        yield from (f"  {name}" for name in names[:_SHOWN])
