"""Killed at any moment, whoever writes: hooks, commands, programs and drains. What was acknowledged is there, once.

A kill comes after a random time, without a look at what the process is at. Then the ledger is opened as anybody would,
what crashed is recovered, and work goes on: nobody removes a lock, nobody repairs anything by hand.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.actions.payloads import Claude

from ledger.actions.cascade import cascade
from ledger.actions.find import tips
from ledger.actions.recover import recover
from ledger.actions.replay import replay
from ledger.actions.tip import event_of
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage import launcher

HOOK = ("claude-code", "PostToolUse")


@dataclass
class Rounds:
    """What is known by now: what was acknowledged, how the writers ended, and how long each recovery took."""

    root: Path
    chance: random.Random
    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    ended: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    crashed: int = 0

    def after(self, seconds: float) -> float:
        return self.chance.uniform(0, seconds)

    def text(self) -> str:
        return f"text {self.chance.randbytes(6).hex()}"


def by_program(rounds: Rounds) -> None:
    """A program that keeps the ledger open, in a session of its own."""
    out, inside = os.pipe()
    key, count = rounds.text(), rounds.chance.randint(1, 40)
    pid = os.fork()
    if pid == 0:
        _write(rounds.root, key, count, inside)
    os.close(inside)
    time.sleep(rounds.after(0.08))
    os.kill(pid, signal.SIGKILL)
    with os.fdopen(out, "rb") as told:
        rounds.ids |= set(told.read().decode().split())
    _, how = os.waitpid(pid, 0)
    rounds.ended["program killed" if os.WIFSIGNALED(how) else "program done"] += 1


def _write(root: Path, key: str, count: int, inside: int) -> None:
    try:
        with open_ledger(root) as ledger:
            me = ledger.session("program", key)
            for done in (me.start(pid=os.getpid()), *(me.increment("count") for _ in range(count)), me.end()):
                os.write(inside, "".join(f"{event.id}\n" for event in done.events).encode())
    finally:
        os._exit(0)


def by_command(rounds: Rounds) -> None:
    """A command: exit code 0 is its acknowledgement."""
    text = rounds.text()
    command = [sys.executable, "-m", "ledger", "--ledger", str(rounds.root), "note", text]
    if _killed(rounds, command, b"", 0.7):
        rounds.ended["command killed"] += 1
    else:
        rounds.ended["command done"] += 1
        rounds.texts.add(text)


def by_hook(rounds: Rounds) -> None:
    """A hook, with the drain that it starts: that it ended is its acknowledgement."""
    text = rounds.text()
    with open_ledger(rounds.root) as ledger:
        layout = ledger.layout
    used = {"stdout": text, "stderr": "", "interrupted": False, "isImage": False}
    payload = Claude(layout, pid=1).payload(
        "PostToolUse", tool_name="Bash", tool_use_id=text, tool_input={"command": "ls"}, tool_response=used
    )
    if _killed(rounds, [str(layout.hook), *HOOK], payload, 0.02):
        rounds.ended["hook killed"] += 1
    else:
        rounds.ended["hook done"] += 1
        rounds.texts.add(text)


def by_drain(rounds: Rounds) -> None:
    """Who records what hooks captured: it acknowledges nothing, and must lose nothing."""
    program = "import sys; from ledger.api import open_ledger\nwith open_ledger(sys.argv[1]) as one: one.drain()"
    for _ in range(rounds.chance.randint(1, 4)):
        by_hook(rounds)
    killed = _killed(rounds, [sys.executable, "-c", program, str(rounds.root)], b"", 0.7)
    rounds.ended["drain killed" if killed else "drain done"] += 1


WRITERS: tuple[Callable[[Rounds], None], ...] = (by_program, by_command, by_hook, by_drain)


def _killed(rounds: Rounds, command: list[str], given: bytes, within: float) -> bool:
    """Run a process group and kill all of it after a random time; whether it was still at work."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    if process.stdin is None:
        raise AssertionError(command)
    with suppress(BrokenPipeError):
        process.stdin.write(given)
        process.stdin.close()
    try:
        code = process.wait(rounds.after(within))
    except subprocess.TimeoutExpired:
        code = None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if code not in (None, 0):
        raise AssertionError(f"{command} ended with {code}")
    return code is None


def look_after(rounds: Rounds, ledger: Ledger) -> None:
    """Recover what crashed, and time it."""
    found = cascade(ledger.place)
    # A claim whose session had written nothing when its process was killed leaves nothing to bring back.
    expected = {"process": "recovered", "orphaned": "cleared"}
    assert {one.layer for one in found} <= expected.keys(), found
    began = time.perf_counter()
    done = recover(ledger.place)
    if found:
        rounds.seconds.append(time.perf_counter() - began)
        rounds.crashed += len(found)
    ends = {one.session: one.status for one in done if one.session is not None}
    assert ends == {one.session: expected[one.layer] for one in found}, done
    assert sum(one.lost for one in done) == 0, done
    assert cascade(ledger.place) == []


def require_all(rounds: Rounds, ledger: Ledger) -> None:
    """Every acknowledged event is there, none twice, and the law holds."""
    ledger.drain()
    events = [event_of(commit) for commit in ledger.place.store.walk(tips(ledger.place))]
    times = Counter(event.id for event in events)
    assert max(times.values()) == 1
    assert rounds.ids <= times.keys()
    said = Counter(text for event in events for text in (event.data.get("text"), event.data.get("output")) if text)
    assert {text: said[text] for text in rounds.texts} == dict.fromkeys(rounds.texts, 1)
    counted = sum(event.type == "context.incremented" for event in events)
    assert counted == (ledger.get("count").entry.cell.value if counted else 0)


def kill_at_random(root: Path, rounds: int, seed: int) -> Rounds:
    known = Rounds(root, random.Random(seed))
    with create_ledger(root)[0] as ledger:
        launcher.equip(ledger.layout, sys.executable)
    for number in range(rounds):
        WRITERS[number % len(WRITERS)](known)
        with open_ledger(root) as ledger:
            look_after(known, ledger)
            if number % 25 == 24 or number == rounds - 1:
                require_all(known, ledger)
                assert verify(ledger.place).problems == ()
    with open_ledger(root) as ledger:
        assert verify(ledger.place, full=True).problems == ()
        assert replay(ledger.place).ok
    return known


def test_whoever_is_killed_when_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    known = kill_at_random(tmp_path / "ledger", 12, seed=1)
    assert sum(number for how, number in known.ended.items() if how.endswith("killed")) > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_that_holds_over_five_hundred_kills(tmp_path: Path) -> None:
    known = kill_at_random(tmp_path / "ledger", 1_150, seed=2)
    killed = sum(number for how, number in known.ended.items() if how.endswith("killed"))
    taken = sorted(known.seconds)
    print(json.dumps(dict(known.ended)), f"{killed} kills, {known.crashed} sessions crashed, all recovered")
    print(f"recovery: p50 {taken[len(taken) // 2] * 1000:.0f} ms, p99 {taken[int(len(taken) * 0.99)] * 1000:.0f} ms")
    assert killed >= 500
