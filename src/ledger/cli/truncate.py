"""`ledger gc --truncate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledger.cli.call import Call
from ledger.cli.words import counted, size

if TYPE_CHECKING:
    from ledger.actions.truncate import Cut, Truncated


def answer(call: Call, rev: str, because: str, *, bundled: bool, is_meant: bool) -> None:
    """Let go of the events up to a REV, or only show which they are."""
    from ledger.actions.truncate import plan_cut, truncate

    with call.ledger() as ledger:
        if not is_meant:
            cut = plan_cut(ledger.place, rev)
            call.out.answer(_document(cut), lambda: _page(cut))
            call.out.words("Nothing was changed. To cut them off, give the same with --yes")
            return
        done = truncate(ledger.place, call.writer(ledger).author, rev, because=because, bundled=bundled)
    call.out.answer(_document(done.cut, done), lambda: _done_page(done))
    if done.bundle is not None:
        call.out.words("To look into what was cut: git clone FILE, or ledger restore FILE --to DIR")


def _document(cut: Cut, done: Truncated | None = None) -> dict[str, Any]:
    return {
        "done": done is not None,
        "through": cut.through,
        "time": cut.time,
        "events": cut.events,
        "kept": cut.kept,
        "epoch": None if done is None else done.epoch,
        "root": None if done is None else done.root,
        "bundle": None if done is None or done.bundle is None else str(done.bundle),
        "before": None if done is None else done.before,
        "after": None if done is None else done.after,
        "seconds": 0.0 if done is None else round(done.seconds, 6),
    }


def _page(cut: Cut) -> Iterator[str]:
    yield f"{counted(cut.events, 'event')} up to {cut.time[:19]}Z ({cut.through[:13]}) would go, {cut.kept:,} stay."
    yield "What they came to stays: the state is the same."


def _done_page(done: Truncated) -> Iterator[str]:
    cut = done.cut
    yield f"{counted(cut.events, 'event')} up to {cut.time[:19]}Z cut, {cut.kept:,} kept; epoch {done.epoch} has begun."
    yield f"ledger.git {size(done.before)} -> {size(done.after)}"
    yield "The old history is gone." if done.bundle is None else f"The old history: {done.bundle}"
