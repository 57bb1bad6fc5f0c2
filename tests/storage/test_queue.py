"""A queue excludes, lets in by order of arrival, and is held up by nobody who died or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.errors import BusyError
from ledger.storage.queue import Queue

# Holds the queue `times` times, each for `seconds`, with no pause in between; tells each time that it has it.
HOLDER = """
import sys, time
from pathlib import Path
from ledger.storage.queue import Queue
queue, times, seconds = Queue(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
for _ in range(times):
    with queue.hold(60):
        print("held", flush=True)
        time.sleep(seconds)
"""

# Writes a name into a file as soon as it is let in. It never tries out of turn, as one would whose first in line
# seems to be stopped: on a busy machine that is not told from being slow.
SIGNER = """
import sys
from pathlib import Path
from ledger.storage import queue
queue._PATIENCE = 60
with queue.Queue(Path(sys.argv[1])).hold(60), Path(sys.argv[2]).open("a") as book:
    book.write(sys.argv[3])
"""

# Adds 1 to the number in a file, as often as it is told, under the queue.
COUNTER = """
import sys
from pathlib import Path
from ledger.storage.queue import Queue
queue, number = Queue(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with queue.hold(60):
        number.write_text(str(int(number.read_text()) + 1))
"""

Start = Callable[[int, float], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "queue"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Start a process that holds the queue so and so often, for so many seconds each."""
    started = []

    def call(times: int, seconds: float) -> subprocess.Popen[str]:
        run = [sys.executable, "-c", HOLDER, str(path), str(times), str(seconds)]
        process = subprocess.Popen(run, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert heard(process) == "ready"
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tickets(path: Path) -> list[str]:
    return sorted(ticket.name for ticket in Path(f"{path}.line").glob("*"))


def await_tickets(path: Path, count: int) -> list[str]:
    while len(tickets(path)) != count:
        time.sleep(0.002)
    return tickets(path)


def test_processes_at_once_exclude_one_another(path: Path, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    run = [sys.executable, "-c", COUNTER, str(path), str(number), "200"]
    assert [process.wait() for process in [subprocess.Popen(run) for _ in range(4)]] == [0] * 4
    assert number.read_text() == "800"
    assert tickets(path) == []


def test_a_writer_that_never_pauses_keeps_nobody_out(path: Path, start: Start) -> None:
    greedy = start(400, 0.05)
    assert heard(greedy) == "held"
    with Queue(path).hold(30):
        greedy.kill()
    assert greedy.stdout is not None
    # Its own turn went on when we came; after that the bell was ours.
    assert greedy.stdout.read().count("held") <= 2


def test_those_who_wait_are_let_in_by_order_of_arrival(path: Path, tmp_path: Path) -> None:
    waiting = []
    with Queue(path).hold(0):
        for number in range(1, 5):
            run = [sys.executable, "-c", SIGNER, str(path), str(tmp_path / "book"), str(number)]
            waiting.append(subprocess.Popen(run))
            await_tickets(path, number)
    assert [process.wait() for process in waiting] == [0] * 4
    assert (tmp_path / "book").read_text() == "1234"


def test_who_waits_in_vain_is_told_who_holds_it_and_leaves_no_ticket(path: Path, start: Start) -> None:
    holder = start(1, 60)
    assert heard(holder) == "held"
    for seconds in (0.0, 0.02):
        with pytest.raises(BusyError, match=f"process {holder.pid} .waited {seconds:g} s"), Queue(path).hold(seconds):
            pass
    assert tickets(path) == []


def test_the_ticket_of_a_killed_one_holds_nobody_up(path: Path, start: Start) -> None:
    with Queue(path).hold(0):
        killed = start(1, 0)
        await_tickets(path, 1)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert len(tickets(path)) == 0  # letting go rang for it in vain
    with Queue(path).hold(0):
        killed = start(1, 0)
        left = await_tickets(path, 1)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        behind = start(1, 0)
        while left[0] in tickets(path):
            assert behind.poll() is None
            time.sleep(0.002)
    assert heard(behind) == "held"


def test_a_stopped_one_holds_the_others_up_for_a_moment_only(path: Path, start: Start) -> None:
    with Queue(path).hold(0):
        stopped = start(1, 0)
        await_tickets(path, 1)
        stopped.send_signal(signal.SIGSTOP)
        behind = start(1, 0)
        await_tickets(path, 2)
    assert heard(behind) == "held"
    stopped.send_signal(signal.SIGCONT)
    assert heard(stopped) == "held"


def test_a_ticket_that_cannot_be_opened_is_passed_over(path: Path, start: Start) -> None:
    Path(f"{path}.line", "00000000000000000001-1-00000000").mkdir(parents=True)
    with Queue(path).hold(1):
        behind = start(1, 0)
        await_tickets(path, 2)
    assert heard(behind) == "held"
    with Queue(path).hold(1):
        pass


def test_who_is_interrupted_while_it_hands_on_holds_nothing(path: Path, start: Start) -> None:
    holder = start(1, 0.3)
    assert heard(holder) == "held"
    interrupted = Interrupted(path)
    with pytest.raises(KeyboardInterrupt), interrupted.hold(30):
        pass
    with Queue(path).hold(0):
        pass


class Interrupted(Queue):
    """One whose user loses patience just as its turn has come."""

    def _ring(self) -> None:
        raise KeyboardInterrupt


def test_a_killed_holder_holds_nothing(path: Path, start: Start) -> None:
    holder = start(1, 60)
    assert heard(holder) == "held"
    behind = start(1, 0)
    await_tickets(path, 1)
    holder.kill()
    assert heard(behind) == "held"


def test_without_named_pipes_it_is_a_plain_lock(path: Path, start: Start) -> None:
    path.parent.mkdir()
    Path(f"{path}.line").touch()
    holder = start(1, 0.1)
    assert heard(holder) == "held"
    with pytest.raises(BusyError), Queue(path).hold(0.01):
        pass
    with Queue(path).hold(10):
        assert Path(path).read_text().strip() == str(os.getpid())
