"""A team against one: four scripted sessions with time to think do the tasks that one does alone.

A task is taken, its part of the tree leased, thought about, recorded and completed. There are three parts, so the
four get in each other's way and can do three times as much at best; what they wait for leases, and for the writers'
queue, is told beside the tasks an hour. That every task was done once, by one session, is checked.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import _measure
from _sample import AGENT

from ledger.actions.task import complete_task, create_task, start_task
from ledger.actions.todo import list_tasks, open_tasks
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import RefusedError

TEAMS = (1, 4)
TASKS = _measure.scaled(24)
PARTS = 3
STEPS = 4  # of a task, with an event each
THINK = (0.05, 0.15)  # seconds before each step, from so many to so many


class Day(NamedTuple):
    """What one session did: its tasks, and the seconds that it thought, waited for leases, and took to write."""

    tasks: int
    thought: float
    leased: list[float]
    wrote: list[float]


def worker(folder: str, number: int, pipe: Connection) -> None:
    """Do tasks as long as there are any."""
    chance = random.Random(number)
    with open_ledger(folder) as ledger:
        session = ledger.session(AGENT, f"worker-{number}")
        session.start()
        pipe.send(None)
        pipe.recv()
        day = Day(0, 0.0, [], [])
        while (name := _taken(ledger, f"worker-{number}", day)) is not None:
            part = f"src/part-{int(name.rpartition('-')[2]) % PARTS}"
            start = time.monotonic()
            with session.lease(part, wait=60):
                day.leased.append(time.monotonic() - start)
                for step in range(STEPS):
                    think = chance.uniform(*THINK)
                    time.sleep(think)
                    day = day._replace(thought=day.thought + think)
                    _timed(day, lambda step=step: session.set(f"progress/{name}", f"step {step}"))
                _timed(day, lambda: complete_task(session, name, "done"))
            day = day._replace(tasks=day.tasks + 1)
        session.end()
        pipe.send(day)


def _taken(ledger: Ledger, key: str, day: Day) -> str | None:
    session = ledger.session(AGENT, key)
    while free := [task.name for task in open_tasks(ledger.place) if task.status == "open"]:
        start = time.monotonic()
        try:
            start_task(ledger.place, session, free[0])
        except RefusedError:  # another one was faster
            continue
        day.wrote.append(time.monotonic() - start)
        return free[0]
    return None


def _timed(day: Day, work: _measure.Work) -> None:
    day.wrote.append(_measure.seconds(work))


def team(folder: Path, count: int) -> tuple[float, list[Day]]:
    """Seconds from the first task to the last, and what each session did."""
    with create_ledger(folder)[0] as ledger:
        boss = ledger.session(AGENT, "boss")
        for number in range(TASKS):
            create_task(boss, f"Write part {number}", name=f"task-{number}")
    context = multiprocessing.get_context("spawn")
    pipes = []
    for number in range(count):
        ours, theirs = context.Pipe()
        context.Process(target=worker, args=(str(folder), number, theirs), daemon=True).start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    start = time.monotonic()
    for pipe in pipes:
        pipe.send(None)
    days = [pipe.recv() for pipe in pipes]
    took = time.monotonic() - start
    with open_ledger(folder) as ledger:
        done = [task for task in list_tasks(ledger.place) if task.status == "completed"]
    assert len(done) == TASKS == sum(day.tasks for day in days)
    return took, days


def main() -> None:
    _measure.machine()
    hours: dict[int, list[float]] = {count: [] for count in TEAMS}
    rows = []
    for turn in range(_measure.ROUNDS):
        for count in TEAMS:
            with _measure.folder() as folder:
                took, days = team(folder / f"{turn}-{count}", count)
            hours[count].append(TASKS / took * 3600)
            if turn == _measure.ROUNDS - 1:
                rows += _told(count, took, days)
    for count, found in hours.items():
        rows.append((f"{count} sessions: tasks an hour", f"{statistics.median(found):,.0f}"))
    gain = statistics.median(many / one for one, many in zip(hours[TEAMS[0]], hours[TEAMS[-1]], strict=True))
    rows.append(("the team against one", f"{gain:.2f}x"))
    _measure.facts(f"{TASKS} tasks of {STEPS} steps, {THINK[0]:g} to {THINK[1]:g} s of thought before each", rows)


def _told(count: int, took: float, days: list[Day]) -> list[tuple[str, str]]:
    wrote = sorted(seconds for day in days for seconds in day.wrote)
    leased = [seconds for day in days for seconds in day.leased]
    share = 1 / (took * count)
    p50, p99 = statistics.median(wrote), wrote[round((len(wrote) - 1) * 0.99)]
    return [
        (f"{count} sessions: thinking", f"{sum(day.thought for day in days) * share:.0%} of their time"),
        (f"{count} sessions: getting leases", f"{sum(leased) * share:.0%}, the longest {max(leased):.2f} s"),
        (
            f"{count} sessions: writing, the queue included",
            f"{sum(wrote) * share:.1%}, p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms",
        ),
    ]


if __name__ == "__main__":
    main()
