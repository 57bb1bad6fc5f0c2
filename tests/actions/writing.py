"""Processes that write to one ledger at the same time, for the tests of what must survive that."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from ledger.actions.append import Draft
from ledger.api import open_ledger

_SPAWN = multiprocessing.get_context("spawn")


def write_many(root: str, session: str, count: int, uses_queue: bool, durability: str, results: object) -> None:
    """Write `count` times a value and a counter under one key each; give back ids acknowledged and retries."""
    with open_ledger(root, uses_queue=uses_queue, durability=durability) as ledger:
        me = ledger.session("writer", session)
        acked: list[str] = []
        retries = 0
        for number in range(count):
            for done in (me.set("shared/value", f"{session} {number}"), me.increment("shared/count")):
                acked += [event.id for event in done.events]
                retries += done.retries
        results.put((acked, retries))  # type: ignore[attr-defined]


def write_at_once(
    root: Path,
    sessions: list[str],
    count: int,
    *,
    uses_queue: bool = True,
    durability: str = "full",
    target: Callable[..., None] = write_many,
) -> tuple[list[str], int]:
    """Run one process for each name in `sessions`; all acknowledged event ids, and the sum of retries."""
    results = _SPAWN.Queue()
    processes = [
        _SPAWN.Process(target=target, args=(str(root), name, count, uses_queue, durability, results))
        for name in sessions
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(30)
    return [event for acked, _ in found for event in acked], sum(retries for _, retries in found)


def write_until_killed(root: str, session: str, acked: str) -> None:
    """Write for ever; each id goes to the file `acked` once it is acknowledged."""
    with open_ledger(root) as ledger, open(acked, "a", buffering=1) as told:  # noqa: PTH123 - line by line
        me = ledger.session("writer", session)
        number = 0
        while True:
            number += 1
            for done in (me.set(f"k/{number % 3}", number), me.record([Draft("note.added", {"text": "x"})])):
                told.write("".join(f"{event.id}\n" for event in done.events))
