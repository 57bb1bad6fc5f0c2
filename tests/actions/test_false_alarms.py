"""Many sessions that are well, each in another way, and not one of them is called dead, damaged or orphaned."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ledger.actions.append import Draft
from ledger.actions.cascade import cascade
from ledger.actions.presence import presence
from ledger.api import Ledger
from ledger.storage.layout import Layout

HOUR, DAY = 3600.0, 86_400.0
MICROS = 1_000_000
NOTE = Draft("note.added", {"text": "seen"})
WAYS = ("working", "waiting", "silent", "stopped", "no process", "ended", "private", "recorded")


@contextmanager
def sleeping() -> Iterator[int]:
    """The id of a process that does nothing."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def age(layout: Layout, session: str, seconds: float) -> None:
    """Let the session's last sign of life be so long ago."""
    path = layout.live_of(session)
    then = time.time() - seconds
    os.utime(path, (then, then))


def begin(ledger: Ledger, number: int, chance: random.Random, stack: ExitStack) -> str:
    """One session that is well, in one of the ways; which."""
    way = WAYS[number % len(WAYS)]
    me = ledger.session("agent", f"run-{number}", private=way == "private")
    if way in ("no process", "recorded"):
        me.record([NOTE])
        return way
    pid = stack.enter_context(sleeping())
    me.start(pid=pid)
    if way == "waiting":
        me.tell("waiting")
        age(ledger.layout, me.id, chance.uniform(HOUR, 9 * DAY))
    elif way == "silent":
        age(ledger.layout, me.id, chance.uniform(60, 12 * HOUR))
    elif way == "stopped":
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        age(ledger.layout, me.id, chance.uniform(60, DAY))
    elif way == "ended":
        me.end()
    else:
        me.record([NOTE])
    return way


def test_of_two_hundred_sessions_that_are_well_none_is_called_dead(disk_ledger: Ledger) -> None:
    """Whatever the clock says, by days, and however long they have been silent."""
    chance = random.Random(7)
    with ExitStack() as stack:
        ways = [begin(disk_ledger, number, chance, stack) for number in range(200)]
        assert len(presence(disk_ledger.place)) == len(ways) - ways.count("ended")
        now = disk_ledger.place.now
        for hours in (0, -60, -1, 1, 60):
            disk_ledger.place.now = lambda hours=hours: now() + hours * int(HOUR) * MICROS  # type: ignore[misc]
            assert cascade(disk_ledger.place) == []
