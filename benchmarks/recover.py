"""What it takes to bring a crashed session back, in ledgers of 10^3, 10^4 and 10^5 events; it must not grow.

The session has a checkpoint, 50 events after it, and a process that was killed. In this process, the ledger open;
and as a whole process, `ledger recover --all`. In memory where that is possible.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _measure
from growth import SINCE_CHECKPOINT, Subject, grown

from ledger.actions.append import Draft
from ledger.actions.cascade import cascade
from ledger.actions.recover import recover
from ledger.storage import live
from ledger.storage.layout import MAIN


def crash(subject: Subject) -> None:
    """A session whose process was killed after a checkpoint and some work."""
    live.leave(subject.ledger.layout, subject.session.id)
    process = subprocess.Popen(["sleep", "600"])
    try:
        subject.session.resume(pid=process.pid)
        _checkpoint(subject)
        subject.append(SINCE_CHECKPOINT)
    finally:
        process.kill()
        process.wait()


def _checkpoint(subject: Subject) -> None:
    tree = subject.ledger.place.store.commit(subject.ledger.place.store.ref(MAIN) or "").tree
    subject.session.write([Draft("checkpoint.created", {"reason": "bench", "tree": tree})])


def look(subject: Subject) -> float:
    began = time.perf_counter()
    found = cascade(subject.ledger.place)
    taken = time.perf_counter() - began
    if [one.layer for one in found] != ["process"]:
        raise AssertionError(f"the crash was not recognised as one: {found}")
    return taken


def bring_back(subject: Subject) -> float:
    began = time.perf_counter()
    (done,) = recover(subject.ledger.place)
    taken = time.perf_counter() - began
    if (done.status, done.events_replayed, done.lost) != ("recovered", SINCE_CHECKPOINT, 0):
        raise AssertionError(f"the session did not come back from its checkpoint: {done}")
    return taken


def by_command(subject: Subject) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "ledger", "--ledger", str(subject.folder), "recover", "--all"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LEDGER_SESSION": ""})
    return time.perf_counter() - began


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        subjects = {name: Subject(path) for name, path in grown(Path(folder)).items()}
        for subject in subjects.values():
            subject.prepare()
        for title, work in (("cascade", look), ("recover, in this process", bring_back), ("recover --all", by_command)):
            taken: dict[str, list[float]] = {name: [] for name in subjects}
            for _ in range(_measure.ROUNDS):
                for name, subject in subjects.items():
                    crash(subject)
                    taken[name].append(work(subject))
                    if work is look:
                        recover(subject.ledger.place)
            rows = [
                (name, f"{statistics.median(all_) * 1000:.1f} ms (worst {max(all_) * 1000:.1f})")
                for name, all_ in taken.items()
            ]
            _measure.facts(title, rows)


if __name__ == "__main__":
    main()
