"""Four sessions share the tasks of one: how many tasks are done in an hour, and what they wait for on the way.

Each is a process that takes the next open task, leases the part of the code that it is about, thinks, shares what
it found, and completes it. The tasks are about fewer parts than there are sessions times two, so that leases meet.
The thinking is the same for one and for four: what four lose against four times one is the waiting for one another.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import _measure
from _sample import AGENT, Words

from ledger.actions.append import Draft
from ledger.actions.session import Session
from ledger.actions.task import complete_task, create_task, start_task
from ledger.actions.todo import list_tasks, open_tasks
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import RefusedError

TEAMS = (1, 4)
TASKS = _measure.scaled(40)
PARTS = 6
THINKING = 0.25  # seconds a task, in the mean
OWN = 6  # events that stay with the session, in each task
FINDINGS = 2  # values that it shares, in each task


class Told(NamedTuple):
    """What one session did: tasks done, seconds waited for leases and for single writes, and starts lost to others."""

    done: int
    leases: float
    writes: list[float]
    refused: int


class Worker:
    """One session at work."""

    def __init__(self, ledger: Ledger, number: int) -> None:
        self._ledger, self._chance, self._words = ledger, random.Random(number), Words(number)
        self._me: Session = ledger.session(AGENT, f"worker {number}")
        self._me.start()
        self._writes: list[float] = []
        self._leases = 0.0
        self._done = self._refused = 0

    def work(self) -> Told:
        """Do tasks until none is left."""
        while open_ := [task for task in open_tasks(self._ledger.place) if task.status == "open"]:
            try:
                start_task(self._ledger.place, self._me, open_[0].name)
            except RefusedError:  # another one was faster
                self._refused += 1
                continue
            self._do(open_[0].name, open_[0].about or "src")
        self._me.end()
        return Told(self._done, self._leases, self._writes, self._refused)

    def _do(self, name: str, about: str) -> None:
        start = time.monotonic()
        self._me.acquire(about, ttl=60, wait=60)
        self._leases += time.monotonic() - start
        for _ in range(OWN):
            time.sleep(self._chance.uniform(0.5, 1.5) * THINKING / OWN)
            self._me.record([Draft("tool.completed", {"call": self._words.token("c"), "tool": "Read"})])
        for number in range(FINDINGS):
            text = self._words.text(120)
            self._writes.append(_measure.seconds(lambda: self._me.set(f"{about}/finding-{number}", text)))  # noqa: B023 - called at once
        complete_task(self._me, name, "done")
        self._me.release(about)
        self._done += 1


def worker(folder: str, number: int, pipe: Connection) -> None:
    """Wait for the word to begin, then work."""
    with open_ledger(folder) as ledger:
        hand = Worker(ledger, number)
        pipe.send(None)
        pipe.recv()
        pipe.send(hand.work())


def team(folder: Path, size: int) -> tuple[float, list[Told]]:
    """The seconds that a team of this size takes for all tasks, and what each tells."""
    create_ledger(folder)[0].close()
    with open_ledger(folder) as ledger:
        for number in range(TASKS):
            person = ledger.person()
            create_task(ledger.place, person, f"Task {number}", name=f"t{number}", about=f"src/part-{number % PARTS}")
    context, pipes = multiprocessing.get_context("spawn"), []
    for number in range(size):
        ours, theirs = context.Pipe()
        context.Process(target=worker, args=(str(folder), number, theirs), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    start = time.monotonic()
    for pipe in pipes:
        pipe.send(None)
    told: list[Told] = [pipe.recv() for pipe in pipes]
    took = time.monotonic() - start
    require_done(folder, told)
    return took, told


def require_done(folder: Path, told: list[Told]) -> None:
    """Every task was done once, and the ledger keeps the law."""
    with open_ledger(folder) as ledger:
        finished = [task for task in list_tasks(ledger.place) if task.status == "completed"]
        if len(finished) != TASKS or sum(one.done for one in told) != TASKS or not verify(ledger.place).ok:
            raise AssertionError("a task was lost, or done twice, or the law is broken")


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        rows, alone = [], 0.0
        for size in TEAMS:
            with _measure.folder(place) as folder:
                took, told = team(folder / "ledger", size)
            alone = alone or took
            rows.append((f"{size} at work", _words(took, alone, told)))
        _measure.facts(f"{TASKS} tasks about {PARTS} parts, {THINKING} s of thinking each ({on})", rows)


def _words(took: float, alone: float, told: list[Told]) -> str:
    writes = sorted(seconds for one in told for seconds in one.writes)
    leases, refused = sum(one.leases for one in told), sum(one.refused for one in told)
    return (
        f"{TASKS / took * 3600:,.0f} tasks an hour, {alone / took:.2f}x of one; of {took * len(told):.1f} s in all "
        f"{leases / took / len(told):.0%} waiting for leases; {refused} starts lost to another; a shared write "
        f"p50 {writes[len(writes) // 2] * 1e3:.1f}, max {writes[-1] * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
