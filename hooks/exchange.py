"""Exchange: the process beside living sessions that keeps this ledger in step with its remotes.

Started as `exchange.py LEDGER` behind a drain, or by a running session, where there is a remote and none runs. It stays
for as long as a session lives here, gives what came last, and is gone. What goes wrong is a line in the ledger's log
and in `ledger status`; nobody waits for it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import BusyError, LedgerError
from ledger.hooks.log import note
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock

if TYPE_CHECKING:
    from ledger.api import Ledger

STEP = 2.0  # seconds between two looks at whether something is due: a ref, and a small file a remote
ALONE = 60.0  # seconds between two looks at whether a session still lives
LAST = 20.0  # seconds that the last events wait for their turn, before this process is gone
_LOG = "exchange.log"


def main(arguments: list[str]) -> int:
    """Keep the ledger that is named in step, for as long as a session lives; always 0."""
    from ledger.hooks.drain import NICE
    from ledger.storage.terminating import CODE

    layout = Layout(Path(arguments[0]))
    os.nice(NICE)
    try:
        serve(layout)
    except SystemExit as told:
        if told.code != CODE:
            raise
    return 0


def serve(layout: Layout) -> None:
    """Exchange for as long as a session lives, unless another process does; what goes wrong is a line in the log."""
    from ledger.api import open_ledger
    from ledger.storage.terminating import in_order

    try:
        with Lock(layout.exchanging_lock).hold(0), in_order(), open_ledger(layout.root) as ledger:
            _stay(layout, ledger)
    except BusyError:
        return
    except Exception as fault:  # noqa: BLE001 - nobody reads what this process would say at its end
        note(layout, _LOG, _words(fault), what="exchange.failed")


def _stay(layout: Layout, ledger: Ledger) -> None:
    from ledger.actions.exchange import exchange, has_ungiven, is_anybody_there
    from ledger.actions.exchanging import has_remote

    looked, end = -ALONE, float("inf")
    while has_remote(layout):
        try:
            for error in exchange(ledger.place, layout):
                note(layout, _LOG, _words(error), what="exchange.refused", level="warning")
            now = time.monotonic()
            if now - looked >= ALONE:
                looked = now
                end = float("inf") if is_anybody_there(ledger.place) else min(end, now + LAST)
            if now >= end or (end < float("inf") and not has_ungiven(ledger.place, layout)):
                return
        except LedgerError as error:
            note(layout, _LOG, _words(error), what="exchange.refused", level="warning")
            return
        time.sleep(STEP)


def _words(fault: Exception) -> str:
    return fault.message if isinstance(fault, LedgerError) else f"{type(fault).__name__}: {fault}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
