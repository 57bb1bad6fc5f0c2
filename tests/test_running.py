"""A session that runs: alive for others, kept in its leases, and over in a defined way however the program ends."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger import running
from ledger.actions import append
from ledger.actions.append import Draft
from ledger.actions.checkpoint import Checkpoint, list_checkpoints
from ledger.actions.lease import HeldError, live_leases
from ledger.actions.presence import Present, presence
from ledger.actions.roster import past_sessions
from ledger.actions.session import Session
from ledger.actions.tip import event_of
from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.errors import BusyError, NotFoundError, UsageError
from ledger.running import RunningSession
from ledger.storage import live
from ledger.storage.locks import Lock

PROGRAM = """
import os, sys, time
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    with ledger.run("agent", "run") as me:
        me.acquire("src")
        print("begun", flush=True)
        {body}
"""

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a new ledger on disk."""
    folder = tmp_path / "ledger"
    create_ledger(folder)[0].close()
    return folder


@pytest.fixture
def ledger(root: Path) -> Iterator[Ledger]:
    """A new ledger on disk."""
    with open_ledger(root) as opened:
        yield opened


@pytest.fixture
def program(root: Path) -> Iterator[Program]:
    """Starts a program that runs the session of `agent` and holds a lease on `src`; `body` is what it does then."""
    started: list[subprocess.Popen[str]] = []

    def start(body: str = "time.sleep(60)", source: str = PROGRAM) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", source.format(body=body), str(root)]
        one = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "begun\n"
        return one

    yield start
    for one in started:
        with suppress(ProcessLookupError):
            one.send_signal(signal.SIGCONT)
            one.kill()
        one.communicate()


def the_one(ledger: Ledger) -> Present:
    """The session of the agent `agent`."""
    (found,) = [one for one in presence(ledger.place) if one.agent == "agent"]
    return found


def reason(ledger: Ledger) -> str:
    """Why the session of the agent `agent` has ended."""
    (past,) = [one for one in past_sessions(ledger.place) if one.author.agent == "agent"]
    return past.reason


def types(ledger: Ledger) -> list[str]:
    """The types of main's events, the oldest first, without the ledger's own."""
    tip = ledger.place.store.ref("refs/heads/main")
    assert tip is not None
    return [event_of(commit).type for commit in ledger.place.store.walk([tip], order="oldest")][1:]


def checkpoints(ledger: Ledger) -> list[Checkpoint]:
    return list(list_checkpoints(ledger.place))


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Return when it is so; fail after a while."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def end_well(one: subprocess.Popen[str]) -> None:
    """The program comes to its end by itself, and has nothing to say."""
    assert (one.communicate(timeout=30)[1], one.returncode) == ("", 0)


# The block


def test_within_the_block_the_session_is_seen_alive_and_after_it_has_ended(ledger: Ledger) -> None:
    with ledger.run("agent", "run", role="reviewer") as me:
        me.set("auth/decision", "device flow")
        found = the_one(ledger)
        assert (found.id, found.state, found.pid) == (me.id, "working", os.getpid())
        assert (found.key, found.role, found.host) == ("run", "reviewer", ledger.place.host)
        me.tell("waiting")
        assert the_one(ledger).state == "waiting"
    assert presence(ledger.place) == []
    assert live.look(ledger.layout, me.id) is None
    assert reason(ledger) == ""
    assert ledger.get("auth/decision").entry.cell.value == "device flow"


def test_the_roster_tells_where_the_program_runs_unless_it_says_otherwise(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", "-b", "topic", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    with ledger.run("agent", "run", host="elsewhere"):
        found = the_one(ledger)
    assert (found.worktree, found.branch, found.host) == (str(tmp_path), "topic", "elsewhere")


def test_what_the_block_raises_is_the_reason_of_the_end(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no\nway"), ledger.run("agent", "run"):
        raise ValueError("no\nway")
    assert reason(ledger) == "ValueError: no way"


def test_an_error_without_words_is_a_reason_too(ledger: Ledger) -> None:
    with pytest.raises(KeyboardInterrupt), ledger.run("agent", "run"):
        raise KeyboardInterrupt
    assert reason(ledger) == "KeyboardInterrupt"


def test_a_secret_in_the_error_is_not_in_the_reason(ledger: Ledger) -> None:
    key = "AKIA" + "Q3EGRZ7XWJ2LMN5P"
    with pytest.raises(ValueError, match="AKIA"), ledger.run("agent", "run"):
        raise ValueError("x" * 180 + f" {key} " + "x" * 180)
    assert "AKIA" not in reason(ledger)
    assert len(reason(ledger)) <= 256


def test_without_its_end_the_session_stays_on_the_roster_with_all_published_and_nothing_held(ledger: Ledger) -> None:
    with ledger.run("agent", "run", end=False) as me:
        me.acquire("src")
        me.record([Draft("note.added", {"text": "of its own"})])
    assert the_one(ledger).state == "idle"
    assert live_leases(ledger.place) == []
    assert types(ledger)[:4] == ["session.started", "lease.acquired", "note.added", "lease.released"]


def test_a_session_that_stayed_is_gone_on_with(ledger: Ledger) -> None:
    with ledger.run("agent", "run", end=False):
        pass
    with ledger.run("agent", "run", title="once more"):
        assert the_one(ledger).title == "once more"
    assert types(ledger) == ["session.started", "session.resumed", "session.ended"]


def test_a_session_that_has_ended_starts_anew(ledger: Ledger) -> None:
    for _ in range(2):
        with ledger.run("agent", "run"):
            pass
    assert types(ledger) == ["session.started", "session.ended"] * 2


def test_a_session_is_used_within_its_block_alone(ledger: Ledger) -> None:
    me = ledger.run("agent", "run")
    with pytest.raises(UsageError, match="not running"):
        me.set("a", 1)
    with me:
        me.set("a", 1)
        with pytest.raises(UsageError, match="begun once"), me:
            pass
        me.set("a", 2)
    for forbidden in (lambda: me.set("a", 3), lambda: me.acquire("src"), me.publish):
        with pytest.raises(UsageError, match="not running"):
            forbidden()
    with pytest.raises(UsageError, match="begun once"), me:
        pass
    assert ledger.get("a").entry.cell.value == 2


def test_a_session_that_was_ended_within_the_block_ends_once(ledger: Ledger) -> None:
    with ledger.run("agent", "run") as me, me.lease("src"):
        me.end("enough")
    assert reason(ledger) == "enough"
    assert types(ledger) == ["session.started", "lease.acquired", "session.ended"]


def test_a_ledger_in_memory_has_running_sessions_too() -> None:
    with memory_ledger() as ledger:
        with ledger.run("agent", "run") as me, me.lease("src"):
            me.set("a", 1)
            assert the_one(ledger).agent == "agent"
            assert me.trouble is None
        assert presence(ledger.place) == []
        assert ledger.get("a").entry.cell.value == 1


def test_every_method_of_a_session_takes_its_turn() -> None:
    """One that is added to Session without its form here could be called by two threads at once."""
    methods = {name for name, _ in inspect.getmembers(Session, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in methods if name not in vars(RunningSession)} == set()


# Threads, forks, and what is left behind


def test_threads_share_one_session(ledger: Ledger) -> None:
    faults: list[BaseException] = []

    def work(number: int, me: RunningSession) -> None:
        try:
            for turn in range(20):
                me.increment("hits")
                me.set(f"own/{number}", turn)
                assert me.get(f"own/{number}").entry.cell.value == turn
                with me.lease(f"path/{number}", ttl=1):
                    me.record([Draft("note.added", {"text": f"{number} {turn}"})])
        except BaseException as fault:
            faults.append(fault)
            raise

    with ledger.run("agent", "run") as me:
        threads = [threading.Thread(target=work, args=(number, me)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert me.trouble is None
    assert faults == []
    assert ledger.get("hits").entry.cell.value == 80
    assert types(ledger).count("note.added") == 80


def test_a_thread_that_waits_for_a_lease_keeps_no_other_from_writing(ledger: Ledger) -> None:
    with ledger.run("other", "run") as other, ledger.run("agent", "run") as me:
        with other.lease("src"):
            waiting = threading.Thread(target=lambda: me.acquire("src", wait=20))
            waiting.start()
            begun = time.monotonic()
            for turn in range(10):
                me.set("a", turn)
            assert time.monotonic() - begun < 10
            assert waiting.is_alive()
        waiting.join()
        assert [one.lease.session for one in live_leases(ledger.place)] == [me.id]


def test_whoever_waits_for_a_lease_in_vain_is_told_how_long(ledger: Ledger) -> None:
    with ledger.run("other", "run") as other, ledger.run("agent", "run") as me, other.lease("src"):
        with pytest.raises(BusyError, match=r"still so after 0\.2 s"):
            me.acquire("src", wait=0.2)
        with pytest.raises(HeldError):
            me.acquire("src")


def test_a_fork_of_the_block_can_neither_write_nor_end_nor_hold_the_session(ledger: Ledger, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with ledger.run("agent", "run") as me:
        me.set("a", 1)
        path = ledger.layout.live / me.id
        assert str(path) in open_files()
        child = os.fork()
        if child == 0:
            os._exit(as_a_fork(me, path, told))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, told.read_text()
        assert the_one(ledger).verdict == "alive"
        me.set("a", 2)
    assert types(ledger).count("session.ended") == 1


def as_a_fork(me: RunningSession, path: Path, told: Path) -> int:
    try:
        with pytest.raises(UsageError, match="of which this is a fork"):
            me.set("a", 3)
        with pytest.raises(UsageError, match="of which this is a fork"):
            me.acquire("src")
        assert str(path) not in open_files()
        me.__exit__(None, None, None)
        me._finish_at_exit()
    except BaseException as fault:  # noqa: BLE001 - nothing may be raised into the tests that the parent runs
        told.write_text(repr(fault))
        return 1
    return 0


def open_files() -> list[str]:
    names = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(str(link.readlink()))
    return names


def test_fifty_sessions_in_a_row_leave_no_thread_and_no_file_open(ledger: Ledger) -> None:
    def once() -> None:
        with suppress(ValueError), ledger.run("agent", "run") as me:
            with me.lease("src"):
                me.increment("hits")
            me.increment("hits", scope="user")
            raise ValueError

    once()
    before = threading.active_count(), len(open_files())
    for _ in range(50):
        once()
    assert (threading.active_count(), len(open_files())) == before


# Leases and publication


def test_a_lease_is_renewed_for_as_long_as_the_block_takes(ledger: Ledger) -> None:
    with ledger.run("agent", "run") as me, ledger.run("other", "run") as other, me.lease("src", ttl=2) as lease:
        time.sleep(4.5)
        with pytest.raises(HeldError):
            other.acquire("src")
        assert [one.lease.id for one in live_leases(ledger.place)] == [lease.id]
    assert 2 <= types(ledger).count("lease.renewed") <= 5
    assert live_leases(ledger.place) == []


def test_a_lease_from_before_that_has_run_out_is_not_taken_up_again(ledger: Ledger) -> None:
    session = ledger.session("agent", "run")
    session.acquire("old", ttl=1)
    time.sleep(1.1)
    with ledger.run("agent", "run") as me, me.lease("src"):
        time.sleep(0.5)
        assert [one.lease.on for one in live_leases(ledger.place)] == [("src",)]


def test_what_the_session_has_of_its_own_is_published_at_an_interval(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    with ledger.run("agent", "run") as me:
        me.record([Draft("note.added", {"text": "of its own"})])
        wait_until(lambda: "note.added" in types(ledger))


def test_a_checkpoint_is_made_after_so_many_events(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MOST_EVENTS", 8)
    with ledger.run("agent", "run") as me:
        for number in range(6):
            me.set(f"a/{number}", number)
        time.sleep(0.2)
        assert checkpoints(ledger) == []
        me.record([Draft("note.added", {"text": "x"})] * 3)
        wait_until(lambda: len(checkpoints(ledger)) == 1)
        me.set("b", 1)
        time.sleep(0.2)
        assert [(one.reason, one.session) for one in checkpoints(ledger)] == [("events", me.id)]


def test_a_checkpoint_is_made_after_a_time_in_which_something_was_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    monkeypatch.setattr(running, "LONGEST", 0.3)
    with ledger.run("agent", "run") as me:
        me.set("a", 1)
        wait_until(lambda: len(checkpoints(ledger)) == 1)
        time.sleep(0.7)
        assert [one.reason for one in checkpoints(ledger)] == ["time"]


def test_no_checkpoint_brings_back_a_session_that_another_has_ended(
    ledger: Ledger, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    with ledger.run("agent", "run") as me:
        me.set("a", 1)
        with open_ledger(root) as other:
            other.session("agent", "run").end()
        monkeypatch.setattr(running, "LONGEST", 0)
        time.sleep(0.3)
        assert checkpoints(ledger) == []
        assert me.trouble is None


def test_trouble_beside_the_block_is_shown_until_it_is_over(
    ledger: Ledger, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    monkeypatch.setattr(append, "LOCK_SECONDS", 0.05)
    with ledger.run("agent", "run") as me:
        with Lock(ledger.layout.queue_lock).hold(5):
            me.record([Draft("note.added", {"text": "of its own"})])
            wait_until(lambda: me.trouble is not None)
            assert isinstance(me.trouble, BusyError)
        wait_until(lambda: me.trouble is None)
        assert "note.added" in types(ledger)


def test_trouble_that_the_end_makes_good_is_not_raised(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    monkeypatch.setattr(append, "LOCK_SECONDS", 0.05)
    with ledger.run("agent", "run") as me:
        me.record([Draft("note.added", {"text": "of its own"})])
        lock = Lock(ledger.layout.queue_lock).take(5)
        wait_until(lambda: me.trouble is not None)
        monkeypatch.setattr(running, "_SHORTEST_ROUND", 60)
        time.sleep(0.3)
        os.close(lock)
        assert me.trouble is not None
    assert types(ledger) == ["session.started", "note.added", "session.ended"]


def test_a_fault_beside_the_block_is_raised_at_its_end(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError("beside")

    monkeypatch.setattr("ledger.actions.lease.renew_if_due", broken)
    me = ledger.run("agent", "run")
    with pytest.raises(ZeroDivisionError, match="beside"), me:
        hold_until_trouble(me)
    assert reason(ledger) == ""


def hold_until_trouble(me: RunningSession) -> None:
    me.acquire("src")
    wait_until(lambda: me.trouble is not None)


def test_an_end_that_fails_hides_no_error_of_the_block(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="first") as raised, Lock(ledger.layout.queue_lock).hold(5):
        fail_within(ledger, monkeypatch)
    assert any("queue is held" in note for note in raised.value.__notes__)
    assert threading.active_count() == before
    assert live.look_at_all(ledger.layout) == {}


def fail_within(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    session = ledger.run("agent", "run")
    monkeypatch.setattr(append, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(RunningSession, "start", lambda _: None)  # it would need the queue, which somebody has
    with session:
        raise ValueError("first")


def test_a_session_ended_by_somebody_else_is_not_brought_back_from_beside(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SYNC", 0.05)
    with ledger.run("agent", "run") as me:
        me.acquire("src", ttl=1)
        ledger.session("agent", "run").end("by hand")
        time.sleep(1)
        assert me.trouble is None
    assert types(ledger) == ["session.started", "lease.acquired", "session.ended"]


# Processes


def test_a_killed_program_leaves_a_crashed_session_whose_lease_is_free_at_once(
    ledger: Ledger, program: Program
) -> None:
    one = program("me.set('a', 1); print('set', flush=True); time.sleep(60)")
    assert one.stdout is not None
    assert one.stdout.readline() == "set\n"
    one.kill()
    one.wait()
    found = the_one(ledger)
    assert (found.state, found.pid, found.verdict) == ("crashed", one.pid, "dead")
    assert ledger.get("a").entry.cell.value == 1
    with ledger.run("other", "run") as other:
        assert other.acquire("src").holds


def test_a_crashed_session_is_gone_on_with_by_its_key(ledger: Ledger, program: Program) -> None:
    one = program()
    one.kill()
    one.wait()
    with ledger.run("agent", "run"):
        assert (the_one(ledger).state, the_one(ledger).pid) == ("working", os.getpid())


STOPPED = """
import sys, time
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger, ledger.run("agent", "run") as me:
    try:
        with me.lease("src", ttl=4):
            print("begun", flush=True)
            {body}
    except Exception as error:
        print(type(error).__name__, flush=True)
"""


@pytest.mark.parametrize("body", ["sys.stdin.readline()", "while me.trouble is None: time.sleep(0.02)"])
def test_a_stopped_program_is_frozen_and_loses_its_lease_only_when_that_runs_out(
    ledger: Ledger, program: Program, body: str
) -> None:
    """It is told so at the end of its block, whether it or the thread beside it is first to see."""
    one = program(body, STOPPED)
    one.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, one.pid, os.WSTOPPED | os.WNOWAIT)
    assert (the_one(ledger).state, the_one(ledger).verdict) == ("idle", "frozen")
    with ledger.run("other", "run") as other:
        with pytest.raises(HeldError):
            other.acquire("src")
        assert other.acquire("src", wait=10).holds
        one.send_signal(signal.SIGCONT)
        assert one.communicate("\n", timeout=30) == ("HeldError\n", "")
    assert one.returncode == 0


def test_a_second_process_with_the_key_is_refused_and_told_who_has_it(ledger: Ledger, program: Program) -> None:
    one = program()
    with pytest.raises(BusyError, match=f"process {one.pid} on") as refused, ledger.run("agent", "run"):
        pass
    assert "with another key" in str(refused.value.hint)
    assert the_one(ledger).pid == one.pid
    assert the_one(ledger).verdict == "alive"


def test_a_second_session_of_the_key_in_one_process_is_refused_too(ledger: Ledger) -> None:
    with ledger.run("agent", "run") as me:
        with pytest.raises(BusyError, match=f"process {os.getpid()} on"), ledger.run("agent", "run"):
            pass
        assert the_one(ledger).verdict == "alive"
        me.set("a", 1)
    assert types(ledger) == ["session.started", "context.set", "session.ended"]


def test_of_threads_that_begin_one_session_at_once_one_gets_it(root: Path) -> None:
    start, over = threading.Barrier(4), threading.Barrier(4)
    won: list[bool] = []

    def begin() -> None:
        with open_ledger(root) as ledger:
            start.wait(20)
            try:
                with ledger.run("agent", "run"):
                    won.append(True)
                    over.wait(20)
            except BusyError:
                won.append(False)
                over.wait(20)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("sys.exit()", "SystemExit"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import threading; threading.Thread(target=time.sleep, args=(0.2,)).start()", ""),
    ],
)
def test_a_program_that_ends_within_the_block_ends_its_session(
    ledger: Ledger, program: Program, body: str, expected: str
) -> None:
    end_well(program(body))
    assert reason(ledger) == expected


UNCLOSED = """
import sys, threading, time
from ledger.api import open_ledger
ledger = open_ledger(sys.argv[1])
me = ledger.run("agent", "run").__enter__()
me.acquire("src")
{body}
print("begun", flush=True)
"""


@pytest.mark.parametrize("body", ["", "threading.Thread(target=lambda: time.sleep(60), daemon=True).start()"])
def test_an_interpreter_that_ends_without_leaving_the_block_ends_the_session(
    ledger: Ledger, program: Program, body: str
) -> None:
    end_well(program(body, UNCLOSED))
    assert reason(ledger) == "the program ended"
    assert live_leases(ledger.place) == []


def test_a_process_that_leaves_without_a_word_has_crashed(ledger: Ledger, program: Program) -> None:
    program("os._exit(0)").wait()
    assert the_one(ledger).state == "crashed"


def test_a_program_that_is_asked_to_stop_by_its_terminal_ends_its_session(ledger: Ledger, program: Program) -> None:
    one = program()
    one.send_signal(signal.SIGINT)
    one.wait()
    assert reason(ledger) == "KeyboardInterrupt"


def test_what_cannot_begin_leaves_nothing(ledger: Ledger) -> None:
    before = threading.active_count()
    with pytest.raises(Exception, match="nonsense"), ledger.run("agent", "run", nonsense=1):
        pass
    assert threading.active_count() == before
    assert live.look(ledger.layout, str(SessionId.of("agent", "run"))) is None
    with pytest.raises(NotFoundError):
        ledger.session_named("run")
