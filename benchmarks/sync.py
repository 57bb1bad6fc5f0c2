"""A session that slept while main gained 10^3, 10^4 and 10^5 events: what its next write costs it, and the others.

The others wait for as long as the queue is held; what is looked at before that, the sleeper alone pays. Two
sleepers: one has written to a key of its own, the other to one that main has written to meanwhile. `whole` is the
merge that reads every event of either side, for comparison.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import _measure
from _sample import AGENT, fill

from ledger.actions.append import Draft
from ledger.actions.join import merge_whole
from ledger.actions.tip import tip_at
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.maintenance import gc
from ledger.storage.queue import Queue
from ledger.storage.store import Commit, Oid

SIZES = tuple(_measure.scaled(count) for count in (1_000, 10_000, 100_000))
KEYS = {"a key of its own": "sleeper/own", "a key of main's": "area-1/topic-1"}


class CountingStore(GitStore):
    """Counts the commits that are looked at."""

    looks = 0

    def commit(self, oid: Oid) -> Commit:
        self.looks += 1
        return super().commit(oid)


class TimedQueue(Queue):
    """Keeps what was looked at, and for how long, while the queue was held."""

    def __init__(self, path: Path, store: CountingStore) -> None:
        super().__init__(path)
        self._store = store
        self.turns: list[tuple[float, int]] = []

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        with super().hold(timeout):
            start, before = time.perf_counter(), self._store.looks
            try:
                yield
            finally:
                self.turns.append((time.perf_counter() - start, self._store.looks - before))


def opened(folder: Path) -> tuple[Ledger, CountingStore, TimedQueue]:
    """A ledger that counts; its store has read nothing yet."""
    ledger = open_ledger(folder, durability="none")
    store = CountingStore(ledger.layout.git_dir)
    queue = TimedQueue(ledger.layout.queue_lock, store)
    ledger.place.store, ledger.place.queue = store, queue
    return ledger, store, queue


def sleep(folder: Path, names: list[str]) -> None:
    """Sessions that write a little of their own, each to one key, and stop."""
    with open_ledger(folder, durability="none") as ledger:
        for name, key in KEYS.items():
            for number in names:
                session = ledger.session(AGENT, f"{name} {number}")
                session.start()
                session.record([Draft("note.added", {"text": "mine"}), Draft("context.set", {"key": key, "value": 1})])


def wake(folder: Path, name: str, number: str) -> tuple[float, float, int, int]:
    """One write: seconds in all and under the queue, and commits looked at in all and under the queue."""
    ledger, store, queue = opened(folder)
    with ledger:
        session = ledger.session(AGENT, f"{name} {number}")
        start = time.perf_counter()
        session.note("awake")
        took = time.perf_counter() - start
        held, looks = queue.turns[-1]
        return took, held, store.looks, looks


def whole(folder: Path, name: str, number: str) -> float:
    """The seconds that a merge takes when every event of either side is read; every such merge was under the queue."""
    ledger, store, _ = opened(folder)
    with ledger:
        own = store.ref(session_ref(ledger.session(AGENT, f"{name} {number}").id)) or ""
        ours, theirs = tip_at(store, store.ref(MAIN) or ""), tip_at(store, own)
        return _measure.seconds(lambda: merge_whole(store, ours, theirs))


def main() -> None:
    _measure.machine()
    on, place = list(_measure.disks())[-1]
    numbers = [f"{number}" for number in range(_measure.ROUNDS)]
    with _measure.folder(place) as folder:
        root = folder / "ledger"
        create_ledger(root)[0].close()
        first = 0
        for size in SIZES:
            sleep(root, [f"{size} {number}" for number in numbers])
            with open_ledger(root, durability="none") as ledger:
                first = fill(ledger, size, first=first)
                gc(ledger.layout)
            rows = []
            for name in KEYS:
                told = whole(root, name, f"{size} {numbers[0]}")
                found = [wake(root, name, f"{size} {number}") for number in numbers]
                rows.append((name, _told(found, told)))
            _measure.facts(f"main gained {size:,} events ({on}): the next write of one that slept", rows)


def _told(found: list[tuple[float, float, int, int]], whole: float) -> str:
    took, held, looks, held_looks = ([row[n] for row in found] for n in range(4))
    return (
        f"queue held {statistics.median(held) * 1e3:.1f} ms ({max(held) * 1e3:.1f}), {max(held_looks)} looks; "
        f"in all {statistics.median(took) * 1e3:,.0f} ms, {max(looks):,} looks; whole merge {whole * 1e3:,.0f} ms"
    )


if __name__ == "__main__":
    main()
