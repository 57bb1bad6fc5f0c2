"""Many writers on one key, each a process of its own: how much is written in all, and how often they collide.

With the queue lock, as is the default, writers take turns; without it they race for the ref. That nothing is
lost is checked: every acknowledged event is on main, each once.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import _measure
from _sample import AGENT

from ledger.api import create_ledger, open_ledger
from ledger.storage.layout import MAIN

WRITERS = (1, 4, 8, 32)
WRITES = 32 * _measure.scaled(5)  # a round, among all writers
KEY = "bench/one"


class Turn(NamedTuple):
    """What one writer did in one round: from when to when, and how often another one was faster."""

    began: float
    ended: float
    retries: int


def worker(folder: str, number: int, uses_queue: bool, pipe: Connection) -> None:
    """Write as often as the pipe says, until it says 0."""
    with open_ledger(folder, uses_queue=uses_queue) as ledger:
        session = ledger.session(AGENT, f"writer-{number}")
        session.start()
        pipe.send(None)
        while (writes := pipe.recv()) > 0:
            began, retries = time.monotonic(), 0
            for write in range(writes):
                retries += session.set(KEY, f"{number} {write}").retries
            pipe.send(Turn(began, time.monotonic(), retries))


class Writers:
    """Processes that stand ready; some of them write in each round."""

    def __init__(self, folder: Path, uses_queue: bool) -> None:
        self.folder, self.expected = folder, 0
        self.retries = dict.fromkeys(WRITERS, 0)
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(max(WRITERS)):
            ours, theirs = context.Pipe()
            process = context.Process(target=worker, args=(str(folder), number, uses_queue, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def write(self, count: int) -> float:
        """Seconds a write, from the first writer's start to the last one's end."""
        pipes = self._pipes[:count]
        for pipe in pipes:
            pipe.send(WRITES // count)
        turns: list[Turn] = [pipe.recv() for pipe in pipes]
        self.expected += WRITES // count * count
        self.retries[count] += sum(turn.retries for turn in turns)
        return (max(t.ended for t in turns) - min(t.began for t in turns)) / (WRITES // count * count)

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.send(0)
            process.join()

    def written(self) -> int:
        """How many writes of the key are on main, each once."""
        with open_ledger(self.folder) as ledger:
            store = ledger.place.store
            messages = [c.message for c in store.walk([store.refs()[MAIN]]) if c.message.startswith(b"context.set ")]
        return len(set(messages))


def measure(on: str, place: Path) -> None:
    found: _measure.Series = {}
    rows = []
    with _measure.folder(place) as folder:
        for uses_queue, name in ((True, "in turn"), (False, "racing")):
            ledger, _ = create_ledger(folder / name)
            ledger.close()
            writers = Writers(folder / name, uses_queue)
            series: _measure.Series = {f"{count} {name}": [] for count in WRITERS}
            for turn in range(_measure.ROUNDS + 1):
                for count in WRITERS:
                    took = writers.write(count)
                    if turn:
                        series[f"{count} {name}"].append(took)
                    else:
                        writers.retries[count] = 0
            writers.close()
            lost = writers.expected - writers.written()
            rounds = _measure.ROUNDS * WRITES
            rows += [
                (f"{count} {name}", _told(series, count, name, writers.retries[count] / rounds)) for count in WRITERS
            ]
            rows.append((f"lost, {name}", f"{lost} of {writers.expected:,}"))
            found |= series
    _measure.table(f"writers of one key, each write ({on})", found)
    _measure.facts("throughput in all, against one writer", rows)


def _told(series: _measure.Series, count: int, name: str, retries: float) -> str:
    share = 1 / statistics.median(_measure.ratios(series, f"{count} {name}", f"{WRITERS[0]} {name}"))
    return f"{share:6.0%}, {retries:.2f} retries a write"


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        measure(on, place)


if __name__ == "__main__":
    main()
