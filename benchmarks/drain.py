"""What does it cost to turn captured payloads into events: at once, one by one, and behind a session that thinks?

Against the same events appended by a program. Behind a scripted session, what counts is the processor time of the
process that drains, of the time that the session takes.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import _measure
import psutil

from ledger.actions.append import Draft
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.hooks import drain as behind
from ledger.storage import spool

AT_ONCE = _measure.scaled(1000)
ALONE = _measure.scaled(50)
HOOKS = _measure.scaled(10)
WAITING = 10.0  # seconds
OUTPUT = "a line of output\n" * 20


def payload(session: str, number: int) -> bytes:
    """One payload as Claude Code sends it."""
    return json.dumps(
        {
            "session_id": session,
            "transcript_path": "/nowhere/transcript.jsonl",
            "cwd": "/nowhere",
            "permission_mode": "default",
            "hook_event_name": "PostToolUse",
            "tool_name": "Bash",
            "tool_use_id": f"toolu_{number}",
            "tool_input": {"command": f"pytest -q tests/test_{number}.py"},
            "tool_response": {"stdout": OUTPUT, "stderr": "", "interrupted": False, "isImage": False},
        }
    ).encode()


def capture(ledger: Ledger, session: str, number: int) -> None:
    """Let a payload wait; it is not synced, for only what comes after that is measured."""
    name = f"claude-code~PostToolUse~{os.getpid()}~{uuid.uuid4()}"
    (ledger.layout.spool / "new" / name).write_bytes(payload(session, number))


def drain_at_once(ledger: Ledger) -> None:
    session = str(uuid.uuid4())
    for number in range(AT_ONCE):
        capture(ledger, session, number)
    require(ledger.drain().events == AT_ONCE + 1)


def append_at_once(ledger: Ledger) -> None:
    me = ledger.session("benchmark", str(uuid.uuid4()))
    require(len(me.record(list(drafts(range(AT_ONCE)))).events) == AT_ONCE)


def drafts(numbers: range) -> Iterator[Draft]:
    """The events that come of the payloads."""
    for number in numbers:
        given = {"command": f"pytest -q tests/test_{number}.py"}
        yield Draft("tool.completed", {"call": f"toolu_{number}", "tool": "Bash", "input": given, "output": OUTPUT})


def one_by_one(ledger: Ledger) -> Callable[[], None]:
    session, numbers = str(uuid.uuid4()), count()

    def work() -> None:
        for _ in range(ALONE):
            capture(ledger, session, next(numbers))
            require(ledger.drain().events > 0)

    return work


def append_one_by_one(ledger: Ledger) -> Callable[[], None]:
    me, numbers = ledger.session("benchmark", str(uuid.uuid4())), count()

    def work() -> None:
        for _ in range(ALONE):
            number = next(numbers)
            me.record(list(drafts(range(number, number + 1))))

    return work


def behind_a_session(root: Path, thinking: float) -> str:
    """What the process behind a session costs whose hooks fire `thinking` seconds after one another."""
    with create_ledger(root)[0] as ledger:
        layout = ledger.layout
    session, spent, began = str(uuid.uuid4()), _children(), time.perf_counter()
    with subprocess.Popen([sys.executable, "-I", behind.__file__, layout.root, "1.5"]) as process:
        for number in range(HOOKS):
            spool.put(layout, "claude-code", "PostToolUse", os.getpid(), payload(session, number))
            time.sleep(thinking)
        took = time.perf_counter() - began
        process.wait()
    with open_ledger(root) as ledger:
        require(SessionId.of("claude-code", session) in ledger.agents())
    cost = _children() - spent
    return f"{cost:.2f} s of a processor in {took:.1f} s: {cost / took:.1%}"


def idle(root: Path) -> str:
    """What it costs to begin, and to wait while nothing comes."""
    with create_ledger(root)[0] as ledger:
        layout = ledger.layout
    before = _children()
    subprocess.run([sys.executable, "-I", behind.__file__, root, "0"], check=True)
    begin = _children() - before
    with subprocess.Popen([sys.executable, "-I", behind.__file__, root, "60"]) as process:
        while spool.draining(layout) != process.pid:
            time.sleep(0.05)
        time.sleep(1)
        times = [sum(psutil.Process(process.pid).cpu_times()[:2])]
        time.sleep(WAITING)
        times.append(sum(psutil.Process(process.pid).cpu_times()[:2]))
        process.kill()
    return f"{begin * 1000:.0f} ms to begin, {(times[1] - times[0]) / WAITING:.2%} of a processor while nothing comes"


def require(done: bool) -> None:
    if not done:
        raise AssertionError("not every payload became an event")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    _measure.machine()
    for on, place in _measure.disks():
        with _measure.folder(place) as folder, create_ledger(folder / "ledger")[0] as ledger:
            ledger.drain()
            contestants = {"append": lambda: append_at_once(ledger), "drain": lambda: drain_at_once(ledger)}
            series = _measure.race(contestants, per=AT_ONCE)
            _measure.table(f"{AT_ONCE} events at once ({on}), each", series)
            alone = {"append": append_one_by_one(ledger), "drain": one_by_one(ledger)}
            _measure.table(f"one by one ({on}), each", _measure.race(alone, per=ALONE))
    with _measure.folder() as folder:
        rows = [("nothing", idle(folder / "idle"))]
        rows += [(f"a hook every {s:g} s", behind_a_session(folder / f"{s:g}", s)) for s in (0.1, 1.0, 4.0)]
        _measure.facts(f"the process behind {HOOKS} hooks", rows)


if __name__ == "__main__":
    main()
