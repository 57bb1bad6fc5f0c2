"""Alone: hold every writer off, in the order in which writers take their locks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ledger.storage import turning
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock, hold_all
from ledger.storage.queue import Queue

LOCK_SECONDS = 30.0


@contextmanager
def beside_beginners(layout: Layout) -> Iterator[list[Path]]:
    """Hold every writer off who has a journal, and give the journals; one that begins meanwhile is left alone.

    A writer holds one session's lock and then the queue's; this is the same order. Raises BusyError.
    """
    journals = sorted(layout.journal.glob("*.journal"))
    sessions = [layout.session_lock(path.stem) for path in journals]
    with hold_all(sessions, LOCK_SECONDS), Queue(layout.queue_lock).hold(LOCK_SECONDS):
        yield journals


@contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """Hold everybody off who writes or packs anything, for the change from one epoch to the next.

    `turning` is begun within the block, or found begun. A writer takes its session's lock and then looks for that
    file; here the file is made and then every lock taken that is there. So each writer either is waited for, or waits.
    Raises BusyError, with nothing held, where somebody does not come to an end.
    """
    with ExitStack() as held:
        for lock in (
            *(layout.maintenance_lock, layout.drain_lock, layout.import_lock, layout.checkpoint_lock),
            layout.fetch_lock,
        ):
            held.enter_context(Lock(lock).hold(LOCK_SECONDS))
        turning.begin_unless_begun(layout)
        try:
            held.enter_context(hold_all(_session_locks(layout), LOCK_SECONDS))
            held.enter_context(Queue(layout.queue_lock).hold(LOCK_SECONDS))
            yield
        finally:
            turning.discard(layout)


def _session_locks(layout: Layout) -> list[Path]:
    written = (layout.session_lock(path.stem) for path in layout.journal.glob("*.journal"))
    return sorted({*layout.locks.glob("session-*"), *written})
