"""Does a remote that is gone, or that hangs, slow local writes down? And how long until it is noticed, and forgiven?

Three ledgers side by side, each with a running session: one without a remote, one whose remote refuses connections, one
whose remote takes them and says nothing. Beside each of the latter two runs the process that keeps it in step. Then a
server comes up where none was, and the breaker's states are told with the seconds since the first event.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import _measure

from ledger.api import Ledger, create_ledger
from ledger.running import RunningSession
from ledger.storage.exchanged import exchanged
from ledger.storage.layout import MAIN
from ledger.storage.remotes import Remote, add_remote

WRITES = _measure.scaled(2_000)
PATIENCE = 300.0


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield f"git://127.0.0.1:{listening.getsockname()[1]}/ledger.git"


def running(stack: ExitStack, folder: Path, url: str | None) -> tuple[Ledger, RunningSession]:
    """A ledger with a session that runs, and with a remote if there is to be one."""
    ledger = stack.enter_context(create_ledger(folder)[0])
    if url is not None:
        add_remote(ledger.layout.git_dir, Remote("origin", url))
    return ledger, stack.enter_context(ledger.run("bench", folder.name))


def told(ledger: Ledger) -> str:
    """The breaker's state, and the number of failures in a row."""
    breaker = exchanged(ledger.layout, "origin").breaker
    return f"{breaker.state(ledger.place.now())}, {breaker.failures} failures"


def timeline(ledger: Ledger, me: RunningSession, server: Path) -> None:
    """Print each state of the breaker as it comes, with a server that is made once it is open."""
    began, seen = time.monotonic(), ""
    print("\nthe breaker of a remote that is gone, and comes back once it is open")
    while time.monotonic() - began < PATIENCE:
        now = told(ledger)
        if now != seen:
            print(f"  {time.monotonic() - began:6.1f} s  {now}")
            if now.startswith("open"):
                subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(server)], check=True)
            seen = now
        head = subprocess.run(
            ["git", f"--git-dir={server}", "rev-parse", "-q", "--verify", MAIN],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if head and head == ledger.place.store.ref(MAIN):
            print(f"  {time.monotonic() - began:6.1f} s  in step: all {WRITES:,} writes are there")
            return
        me.note("still here") if int(time.monotonic() - began) % 20 == 0 else None
        time.sleep(0.5)
    raise AssertionError("it was not in step in time")


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder, ExitStack() as stack:
        hole = stack.enter_context(black_hole())
        server = folder / "server.git"
        alone = running(stack, folder / "alone", None)
        gone = running(stack, folder / "gone", str(server))
        hangs = running(stack, folder / "hangs", hole)
        numbers = iter(range(10 * WRITES))

        def write(session: RunningSession) -> _measure.Work:
            return lambda: session.set(f"bench/k{next(numbers) % 20}", "a value of some length, as they are")

        contestants = {
            "no remote": write(alone[1]),
            "its remote is gone": write(gone[1]),
            "its remote hangs": write(hangs[1]),
        }
        _measure.tails(f"{WRITES:,} writes each", _measure.race(contestants, WRITES))
        print(f"then: gone {told(gone[0])}; hangs {told(hangs[0])}")
        timeline(*gone, server)


if __name__ == "__main__":
    main()
