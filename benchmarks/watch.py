"""A write in one process, seen by `ledger watch` in another: from the write's acknowledgement to the line.

Once with nobody else there, and once while other sessions write as fast as they can. Beside that, what a watcher
takes of a core while nothing happens. That every write is seen, once and in order, is checked.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import _measure
from _sample import AGENT

from ledger.api import create_ledger, open_ledger

WRITES = _measure.scaled(1_000)
BUSY = 8
PAUSE = 0.02  # seconds between two of the writes that are timed: a busy agent's, not a flood
IDLE = 10.0  # seconds

Times = dict[str, float]


class Watcher:
    """A `ledger watch --jsonl` of its own process, and when each note came out of it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "ledger", "watch", "--jsonl", "--ledger", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        assert self.process.stderr.readline().startswith(b"Watching ")
        self.seen: list[tuple[str, float]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            # Read before it is looked into: the time is that of the line.
            now = time.monotonic()
            if b"timed " in line:
                self.seen.append((json.loads(line)["data"]["text"], now))

    def seconds(self) -> float:
        """The processor time that it has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.terminate()
        self._thread.join()
        self.process.wait()


def busy(folder: str, number: int, pause: float, pipe: Connection) -> None:
    """Write until the pipe says something."""
    with open_ledger(folder) as ledger:
        session = ledger.session(AGENT, f"busy-{number}")
        written = 0
        while not pipe.poll():
            session.set(f"busy/{number}", written)
            written += 1
            time.sleep(pause)
        pipe.send(written)


def timed(folder: Path, watcher: Watcher, turn: str) -> list[float]:
    """Write WRITES notes; the seconds from each acknowledgement to its line, sorted."""
    acknowledged: Times = {}
    with open_ledger(folder) as ledger:
        session = ledger.session(AGENT, "timed")
        for number in range(WRITES):
            text = f"timed {turn} {number}"
            session.note(text)
            acknowledged[text] = time.monotonic()
            time.sleep(PAUSE)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not watcher.seen or watcher.seen[-1][0] != text):
        time.sleep(0.1)
    told = [one for one in watcher.seen if f" {turn} " in one[0]]
    assert [text for text, _ in told] == list(acknowledged), "not every write was told, once and in order"
    # A line may be out before the writer has heard that its event is safe.
    return sorted(max(0.0, seen - acknowledged[text]) for text, seen in told)


def with_busy(folder: Path, watcher: Watcher, turn: str, pause: float) -> tuple[list[float], float]:
    """The same beside BUSY sessions; and how many writes a second those made."""
    context, pipes, processes = multiprocessing.get_context("spawn"), [], []
    for number in range(BUSY):
        ours, theirs = context.Pipe()
        process = context.Process(target=busy, args=(str(folder), number, pause, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    time.sleep(3)
    began = time.monotonic()
    took = timed(folder, watcher, turn)
    for pipe in pipes:
        pipe.send(None)
    written = sum(pipe.recv() for pipe in pipes)
    for process in processes:
        process.join()
    return took, written / (time.monotonic() - began)


def idle(watcher: Watcher) -> float:
    """The share of a core that a watcher takes while nothing happens."""
    time.sleep(1)
    before = watcher.seconds()
    time.sleep(IDLE)
    return (watcher.seconds() - before) / IDLE


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        with _measure.folder(place) as made:
            folder = made / "ledger"
            create_ledger(folder)[0].close()
            watcher = Watcher(folder)
            rows = [("idle", f"{idle(watcher):.2%} of a core")]
            rows.append(("alone", _told(timed(folder, watcher, "alone"))))
            for name, pause in (("10 writes a second each", 0.1), ("as fast as they can", 0.0)):
                took, rate = with_busy(folder, watcher, name.split()[0], pause)
                rows.append((f"{BUSY} busy, {name}", f"{_told(took)}, beside {rate:,.0f} writes/s"))
            watcher.close()
            _measure.facts(f"{WRITES:,} writes in one process, seen by a watcher in another ({on})", rows)


def _told(took: list[float]) -> str:
    p50, p99, most = (took[round((len(took) - 1) * share)] * 1e3 for share in (0.5, 0.99, 1))
    return f"p50 {p50:.1f}, p99 {p99:.1f}, max {most:.1f} ms"


if __name__ == "__main__":
    main()
