"""Drain: the process behind the hooks, which turns what they captured into events while nobody waits for it.

A hook starts it as `drain.py LEDGER` where none runs. It stays for a while, because most payloads come soon after
others and to start takes longer than to drain; then it is gone, and the next hook starts another. What goes wrong is
a line in the ledger's log: the payloads stay where they are, and the next drain tries again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import BusyError, LedgerError
from ledger.hooks.log import note
from ledger.storage import spool
from ledger.storage.files import write_file
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.terminating import CODE, in_order

if TYPE_CHECKING:
    from ledger.actions.due import Due
    from ledger.api import Ledger

# To start takes 0.25 s of a processor, to stay next to nothing: with half a minute, whatever comes more slowly than
# that costs at most 1 %.
SILENCE = 30.0
STEP = 0.1
LOOK = 2.0  # between two looks at the folder where payloads wait that the ledger's own could not take
NICE = 10

_LOG = "drain.log"


def main(arguments: list[str]) -> int:
    """Drain the ledger that is named, for as long as payloads come; always 0."""
    layout = Layout(Path(arguments[0]))
    _step_back(layout)
    try:
        serve(layout, float(arguments[1]) if len(arguments) > 1 else SILENCE)
    except SystemExit as told:
        if told.code != CODE:
            raise
    return 0


def serve(layout: Layout, silence: float) -> None:
    """Drain for as long as payloads come, unless another process does; what goes wrong is a line in the log."""
    try:
        with Lock(_lock(layout)).hold(0):
            run(layout, silence)
    except BusyError:
        _name_other(layout)
    except Exception as fault:  # noqa: BLE001 - nobody reads what this process would say at its end
        note(layout, _LOG, _words(fault), what="drain.failed")


def run(layout: Layout, silence: float) -> None:
    """Drain whatever comes, until nothing has come for `silence` seconds."""
    from ledger.api import open_ledger

    # A drain that is told to end does so between two calls; what it was at is done again, without a trace, by the next.
    with in_order(), open_ledger(layout.root) as ledger:
        while True:
            _stay(layout, ledger, silence)
            layout.draining.unlink(missing_ok=True)
            # A hook puts its payload down and then looks for us; we go and then look for payloads: one of us sees.
            if not _is_new(layout, _drained(layout, ledger)):
                return


def _stay(layout: Layout, ledger: Ledger, silence: float) -> None:
    left: set[str] = set()
    end = time.monotonic() + silence
    while True:
        _name_us(layout)
        if _is_new(layout, left):
            left = _drained(layout, ledger)
            end = time.monotonic() + silence
        elif time.monotonic() >= end:
            return
        _wait(layout, left, min(end, time.monotonic() + LOOK))


def _wait(layout: Layout, left: set[str], until: float) -> None:
    """Wait for something new in the ledger's own spool: to list an empty folder takes 4 µs."""
    while time.monotonic() < until and left.issuperset(_names(layout)):
        time.sleep(STEP)


def _names(layout: Layout) -> list[str]:
    try:
        return os.listdir(layout.spool / "new")  # noqa: PTH208 - twenty times a second
    except OSError:
        return []


def _is_new(layout: Layout, left: set[str]) -> bool:
    return any(one.path.name not in left for one in spool.waiting(layout))


def _drained(layout: Layout, ledger: Ledger) -> set[str]:
    """Drain once; gives back the names of what waited before and waits all the same."""
    from ledger.actions.exchanging import start_if_needed
    from ledger.hooks.ahead import look_ahead

    before = {one.path.name for one in spool.waiting(layout)}
    try:
        done = ledger.drain()
        for problem in done.unread:
            note(layout, _LOG, problem, what="payload.unread", level="warning")
        look_ahead(ledger)
        _checkpoint(layout, ledger, done.due)
        start_if_needed(layout)
        _maintain(layout)
        _index(ledger)
    except LedgerError as error:
        note(layout, _LOG, _words(error), what="drain.refused", level="warning")
    return before & {one.path.name for one in spool.waiting(layout)}


def _maintain(layout: Layout) -> None:
    """Pack what has come to lie loose, behind everything else; whoever packs already is left to it."""
    from ledger.storage import maintenance

    if maintenance.is_due(layout):
        with suppress(BusyError):
            maintenance.gc(layout)


def _index(ledger: Ledger) -> None:
    """Bring the index of the events up to date, so that nobody who asks has to wait for that."""
    from ledger.actions.indexing import ask
    from ledger.storage.event_index import EventIndex

    with suppress(BusyError):
        ask(ledger.place, EventIndex.heads)


def _checkpoint(layout: Layout, ledger: Ledger, due: Sequence[Due]) -> None:
    """Make the checkpoints that are due; last of all, for a first capture of the code may take seconds."""
    from ledger.actions.due import checkpoint_if_due

    for one in due:
        try:
            checkpoint_if_due(ledger.place, one)
        except LedgerError as error:
            session = one.author.session
            words = f"no checkpoint of {session}: {_words(error)}"
            note(layout, _LOG, words, what="checkpoint.failed", level="warning", session=session)


def _words(fault: Exception) -> str:
    return fault.message if isinstance(fault, LedgerError) else f"{type(fault).__name__}: {fault}"


def _lock(layout: Layout) -> Path:
    return layout.locks / "draining"


def _name_us(layout: Layout) -> None:
    # The hook that started another one meanwhile has put that one's name here.
    if spool.draining(layout) != os.getpid():
        write_file(layout.draining, f"{os.getpid()}\n".encode(), durable=False)


def _name_other(layout: Layout) -> None:
    holder = Lock(_lock(layout)).holder()
    if holder is not None:
        with suppress(OSError):
            write_file(layout.draining, f"{holder}\n".encode(), durable=False)


def _step_back(layout: Layout) -> None:
    """Be out of everybody's way: of the agent's terminal and its signals, of its folder, and behind in the queue."""
    with suppress(OSError):
        os.setsid()
    with suppress(OSError):
        os.chdir(layout.root)
    os.nice(NICE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
