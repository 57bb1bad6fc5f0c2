"""SIGTERM: every session ends in order within 5 s, with a checkpoint and its leases free, whoever else hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from ledger.actions.cascade import cascade
from ledger.actions.find import tips
from ledger.actions.holding import live_leases
from ledger.actions.recover import recover
from ledger.actions.roster import all_sessions
from ledger.actions.tip import event_of
from ledger.actions.verify import verify
from ledger.api import create_ledger, open_ledger
from ledger.core.event import Event
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock

SECONDS = 6.0  # 5 are promised; to look takes its time too

WORK = """
import sys, time
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger, ledger.run("agent", sys.argv[2]) as me:
    me.acquire(f"src/{sys.argv[2]}")
    me.set(f"done/{sys.argv[2]}", 0)
    print("runs", flush=True)
    while True:
        me.increment("count")
        time.sleep(0.05)
"""

HANGS = """
import sys, threading, time
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger, ledger.run("agent", sys.argv[2]) as me:
    me.set("k", 0)
    def hang():
        with me._taking_turn():
            time.sleep(600)
    threading.Thread(target=hang).start()
    time.sleep(0.2)
    print("runs", flush=True)
    time.sleep(600)
"""

# A child of this test that was stopped with the queue's lock in its hands.
HOLDS = """
import sys
from ledger.storage.layout import Layout
from ledger.storage.queue import Queue
from pathlib import Path
with Queue(Layout(Path(sys.argv[1])).queue_lock).hold(30):
    print("runs", flush=True)
    sys.stdin.read()
"""

Process = subprocess.Popen[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    create_ledger(tmp_path / "ledger")[0].close()
    return tmp_path / "ledger"


@contextmanager
def running(program: str, root: Path, name: str) -> Iterator[Process]:
    command = [sys.executable, "-c", program, str(root), name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        try:
            assert it.stdout is not None
            assert it.stdout.readline() == "runs\n"
            yield it
        finally:
            with suppress(ProcessLookupError):
                it.kill()


def ended(process: Process) -> float:
    """The seconds until a process has ended that was told to."""
    began = time.monotonic()
    process.wait(SECONDS)
    return time.monotonic() - began


def events(root: Path) -> list[Event]:
    with open_ledger(root) as ledger:
        return [event_of(commit) for commit in ledger.place.store.walk(tips(ledger.place), order="oldest")]


def test_a_session_that_is_told_to_end_ends_with_a_checkpoint_and_frees_its_leases(root: Path) -> None:
    with running(WORK, root, "one") as process:
        process.terminate()
        assert ended(process) < SECONDS
        assert process.returncode == 143
    found = [event for event in events(root) if event.type in ("checkpoint.created", "session.ended")]
    assert [event.type for event in found] == ["checkpoint.created", "session.ended"]
    assert found[0].data["reason"] == "shutdown"
    assert found[1].data["reason"] == "the program was told to end (SIGTERM)"
    with open_ledger(root) as ledger:
        assert live_leases(ledger.place) == []
        assert cascade(ledger.place) == []


def test_who_holds_the_queue_and_hangs_keeps_nobody_from_ending(root: Path) -> None:
    with running(WORK, root, "one") as process, running(HOLDS, root, "x") as holder:
        holder.send_signal(signal.SIGSTOP)
        process.terminate()
        assert ended(process) < SECONDS
        holder.send_signal(signal.SIGCONT)
    assert events(root)[-1].type == "session.ended"


def test_a_program_whose_thread_hangs_is_gone_all_the_same_and_comes_back(root: Path) -> None:
    with running(HANGS, root, "one") as process:
        process.terminate()
        assert ended(process) < SECONDS
    with open_ledger(root) as ledger:
        assert [one.layer for one in cascade(ledger.place)] == ["process"]
        assert [one.status for one in recover(ledger.place)] == ["recovered"]


def test_a_handler_of_the_programs_own_is_left_alone(root: Path) -> None:
    program = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + WORK
    with running(program, root, "one") as process:
        process.terminate()
        assert ended(process) < SECONDS
        assert process.returncode == 7
    assert events(root)[-1].type == "session.ended"


def test_after_the_block_a_signal_is_what_it_was(root: Path) -> None:
    program = (
        WORK.replace("    while True:\n", "    for _ in range(1):\n") + "print('over', flush=True)\ntime.sleep(600)\n"
    )
    with running(program, root, "one") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "over\n"
        process.terminate()
        assert ended(process) < SECONDS
        assert process.returncode == -signal.SIGTERM


def test_a_fork_dies_of_it_and_takes_nothing_along(root: Path) -> None:
    program = WORK.replace("import sys, time\n", "import os, sys, time\n").replace(
        '    print("runs", flush=True)\n',
        "    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(600)\n"
        '    print("runs", flush=True)\n    time.sleep(0.3)\n    os.kill(child, 15)\n'
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)\n",
    )
    with running(program, root, "one") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{-signal.SIGTERM}\n"
        with open_ledger(root) as ledger:
            assert len(all_sessions(ledger.place)) == 1


def terminate_many(root: Path, count: int) -> float:
    """Many sessions at work, one of them stopped with a lock that all others want; the longest time that one took."""
    with ExitStack() as stack:
        processes = [stack.enter_context(running(WORK, root, f"run-{number}")) for number in range(count - 1)]
        hung = stack.enter_context(running(HOLDS, root, "hung"))
        hung.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, hung.pid, os.WSTOPPED | os.WNOWAIT)
        assert Lock(Layout(root).queue_lock).is_held()
        began = time.monotonic()
        for process in processes:
            process.terminate()
        taken = []
        for process in processes:
            process.wait(30)
            taken.append(time.monotonic() - began)
        assert [process.returncode for process in processes] == [143] * len(processes)
        hung.send_signal(signal.SIGCONT)
    found = events(root)
    for kind in ("checkpoint.created", "session.ended"):
        assert len({event.session for event in found if event.type == kind}) == count - 1
    with open_ledger(root) as ledger:
        assert live_leases(ledger.place) == []
        assert cascade(ledger.place) == []
        assert verify(ledger.place, full=True).problems == ()
        increments = sum(event.type == "context.incremented" for event in found)
        assert ledger.get("count").entry.cell.value == increments
    return max(taken)


def test_several_that_are_told_to_end_at_once_all_do(root: Path) -> None:
    assert terminate_many(root, 4) < SECONDS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thirty_two_that_are_told_to_end_at_once_all_do(root: Path) -> None:
    longest = terminate_many(root, 32)
    print(f"32 sessions, one of them hung: the longest took {longest:.1f} s")
