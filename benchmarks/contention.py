"""Many writers at once, each a process of its own: what is written in all, how long one waits, what is lost.

They write one key or each its own, with every acknowledgement synced or with syncs in groups. With the queue,
as is the default, writers take turns; "racing" is without it. That nothing is lost is checked: every
acknowledged event is on main, each once.
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

WRITERS = (1, 2, 4, 8, 32)
WRITES = 32 * _measure.scaled(10)  # a round, among all writers


class Kind(NamedTuple):
    """One way of writing."""

    name: str
    durability: str
    is_one_key: bool
    uses_queue: bool = True


KINDS = (
    Kind("one key, full", "full", True),
    Kind("own keys, full", "full", False),
    Kind("one key, batch", "batch", True),
    Kind("own keys, batch", "batch", False),
    Kind("one key, full, racing", "full", True, uses_queue=False),
)


class Turn(NamedTuple):
    """What one writer did in one round: from when to when, the seconds of each write, and the retries."""

    began: float
    ended: float
    took: list[float]
    retries: int


def worker(folder: str, kind: Kind, number: int, pipe: Connection) -> None:
    """Write as often as the pipe says, until it says 0."""
    key = "bench/one" if kind.is_one_key else f"bench/{number}"
    with open_ledger(folder, uses_queue=kind.uses_queue, durability=kind.durability) as ledger:
        session = ledger.session(AGENT, f"writer-{number}")
        session.start()
        pipe.send(None)
        while (writes := pipe.recv()) > 0:
            began, retries, took = time.monotonic(), 0, []
            for write in range(writes):
                start = time.monotonic()
                retries += session.set(key, f"{number} {write}").retries
                took.append(time.monotonic() - start)
            pipe.send(Turn(began, time.monotonic(), took, retries))


class Round(NamedTuple):
    """One round of some writers: seconds a write in all, the seconds of each single write, and the retries."""

    each: float
    took: list[float]
    retries: int


class Writers:
    """Processes that stand ready; some of them write in each round."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder, self.expected = folder, 0
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(max(WRITERS)):
            ours, theirs = context.Pipe()
            process = context.Process(target=worker, args=(str(folder), kind, number, theirs), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def write(self, count: int) -> Round:
        """Let `count` of them write WRITES values in all."""
        pipes = self._pipes[:count]
        for pipe in pipes:
            pipe.send(WRITES // count)
        turns: list[Turn] = [pipe.recv() for pipe in pipes]
        self.expected += WRITES // count * count
        whole = max(t.ended for t in turns) - min(t.began for t in turns)
        took = [seconds for turn in turns for seconds in turn.took]
        return Round(whole / len(took), took, sum(turn.retries for turn in turns))

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            pipe.send(0)
            process.join()

    def present(self) -> int:
        """How many writes are on main, each once."""
        with open_ledger(self.folder) as ledger:
            store = ledger.place.store
            messages = [c.message for c in store.walk([store.refs()[MAIN]]) if c.message.startswith(b"context.set ")]
        return len(set(messages))


def measure(on: str, folder: Path, kind: Kind) -> None:
    """Print what writers of one kind do, beside one writer alone."""
    create_ledger(folder)[0].close()
    writers = Writers(folder, kind)
    rounds: dict[int, list[Round]] = {count: [] for count in WRITERS}
    for turn in range(_measure.ROUNDS + 1):
        for count in WRITERS:
            done = writers.write(count)
            if turn:
                rounds[count].append(done)
    writers.close()
    present = writers.present()
    alone = [done.each for done in rounds[WRITERS[0]]]
    rows = [(f"{count} writers", _told(rounds[count], alone)) for count in WRITERS]
    rows.append(("lost", f"{writers.expected - present:,}: {present:,} present of {writers.expected:,} wanted"))
    _measure.facts(f"{kind.name} ({on}): throughput in all against one writer, and what one write took", rows)


def _told(rounds: list[Round], alone: list[float]) -> str:
    share = statistics.median(one / done.each for one, done in zip(alone, rounds, strict=True))
    took = sorted(seconds for done in rounds for seconds in done.took)
    retries = sum(done.retries for done in rounds) / len(took)
    waits = f"p50 {_ms(took, 0.5)}, p99 {_ms(took, 0.99)}, max {_ms(took, 1)} ms"
    each = statistics.median(done.each for done in rounds)
    return f"{share:5.0%}  ({1 / each:,.0f}/s)  {waits}  {retries:.2f} retries a write"


def _ms(took: list[float], share: float) -> str:
    return f"{took[round((len(took) - 1) * share)] * 1e3:.1f}"


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        for kind in KINDS:
            with _measure.folder(place) as folder:
                measure(on, folder / "ledger", kind)


if __name__ == "__main__":
    main()
