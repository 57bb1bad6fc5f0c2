"""Recovery: crashed and damaged sessions come back, with an honest account, however often it is cut short."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.append import Draft
from ledger.actions.cascade import cascade
from ledger.actions.deadline import within
from ledger.actions.presence import presence
from ledger.actions.recover import Recovered, recover
from ledger.actions.tip import event_of
from ledger.actions.verify import verify
from ledger.api import Ledger, open_ledger
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.errors import BusyError, DamageError, LedgerError, RefusedError
from ledger.storage import spool
from ledger.storage.layout import MAIN, session_ref

NOTE = Draft("note.added", {"text": "seen"})
SESSION = str(SessionId.of("a", "run"))
Process = subprocess.Popen[bytes]

# A session in a program that stays: it writes once for each line that it is given, and says how that went.
RUN = """
import sys
from ledger.api import open_ledger
from ledger.errors import LedgerError
with open_ledger(sys.argv[1]) as ledger:
    me = ledger.session("a", "run")
    me.start()
    me.set("k", 0)
    print("runs", flush=True)
    for line in sys.stdin:
        try:
            me.resume() if line == "resume\\n" else me.set("k", line.strip())
            print("done", flush=True)
        except LedgerError as error:
            print(type(error).__name__, error.exit_code, flush=True)
"""


@pytest.fixture
def process(root: Path) -> Iterator[Process]:
    """A process that runs the session `run` of the agent `a`."""
    command = [sys.executable, "-c", RUN, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"runs\n"
        yield started
        started.kill()


@pytest.fixture
def crashed(disk_ledger: Ledger, process: Process) -> Ledger:
    """A ledger whose session `run` was killed."""
    process.kill()
    process.wait()
    return disk_ledger


def say(process: Process, line: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n".encode())
    process.stdin.flush()
    return process.stdout.readline().decode().strip()


def the_one(done: list[Recovered]) -> Recovered:
    (one,) = done
    return one


def events(ledger: Ledger, session: str = SESSION) -> list[Event]:
    tip = ledger.place.store.ref(MAIN)
    assert tip is not None
    found = map(event_of, ledger.place.store.walk([tip], order="oldest"))
    return [event for event in found if event.session == session]


def test_a_crashed_session_is_on_the_roster_again_and_the_log_gives_account(crashed: Ledger) -> None:
    done = the_one(recover(crashed.place, SESSION))
    assert (done.session, done.status, done.events_replayed, done.lost) == (SESSION, "recovered", 2, 0)
    assert done.reason.endswith("is gone")
    (found,) = [one for one in presence(crashed.place) if one.agent == "a"]
    assert found.state == "idle"
    two = events(crashed)[-2:]
    assert [event.type for event in two] == ["session.crashed", "session.recovered"]
    assert two[0].data["evidence"]["process"]["why"].endswith("is gone")
    assert (two[1].data["events_replayed"], two[1].data["lost"]) == (2, 0)
    assert verify(crashed.place).ok


def test_a_second_run_finds_nothing_to_do(crashed: Ledger) -> None:
    recover(crashed.place)
    before = crashed.place.store.ref(MAIN)
    assert recover(crashed.place) == []
    assert recover(crashed.place, SESSION) == []
    assert cascade(crashed.place) == []
    assert crashed.place.store.ref(MAIN) == before


def test_it_replays_from_the_last_checkpoint_and_counts_what_came_after(crashed: Ledger) -> None:
    me = crashed.session_named(SESSION)
    tree = crashed.place.store.commit(str(crashed.place.store.ref(MAIN))).tree
    checkpoint = me.write([Draft("checkpoint.created", {"tree": tree})]).events[0].id
    me.set("k", 2)
    me.record([NOTE])
    done = the_one(recover(crashed.place))
    assert (done.checkpoint, done.events_replayed) == (checkpoint, 2)


def test_leases_run_out_by_themselves_and_are_named(crashed: Ledger) -> None:
    lease = crashed.session_named(SESSION).acquire("src", ttl=3600).lease.id
    assert the_one(recover(crashed.place)).leases == (lease,)


def test_a_session_that_lives_is_refused_with_its_process(disk_ledger: Ledger, process: Process) -> None:
    with pytest.raises(RefusedError, match=f"process {process.pid}"):
        recover(disk_ledger.place, SESSION)
    assert recover(disk_ledger.place) == []
    assert say(process, "1") == "done"


def test_what_hooks_captured_before_the_crash_is_rescued(crashed: Ledger) -> None:
    told = {"hook_event_name": "UserPromptSubmit", "session_id": "s-1", "prompt": "Go on", "cwd": "/p"}
    spool.put(crashed.layout, "claude-code", "UserPromptSubmit", 1, json.dumps(told).encode())
    session = str(SessionId.of("claude-code", "s-1"))
    recover(crashed.place)
    assert spool.waiting(crashed.layout) == []
    assert crashed.session_named(session).id == session


# The fence


def test_a_process_that_was_declared_dead_is_refused_until_it_resumes(disk_ledger: Ledger, process: Process) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert the_one(recover(disk_ledger.place, SESSION, force=True)).status == "recovered"
    process.send_signal(signal.SIGCONT)
    assert say(process, "late") == "FencedError 4"
    assert disk_ledger.get("k").entry.cell.value == 0
    (aside,) = spool.rejected(disk_ledger.layout)
    assert "was declared dead" in aside.reason
    assert json.loads(aside.path.read_bytes())[0]["data"]["value"] == "late"
    assert say(process, "resume") == "done"
    assert say(process, "lawful") == "done"


def test_a_resumption_lets_the_new_process_in_and_not_the_old_one(disk_ledger: Ledger, process: Process) -> None:
    recover(disk_ledger.place, SESSION, force=True)
    me = disk_ledger.session_named(SESSION)
    me.resume(pid=os.getpid())
    me.set("k", "mine")
    assert say(process, "late") == "FencedError 4"
    assert disk_ledger.get("k").entry.cell.value == "mine"


def test_a_payload_of_a_process_that_was_declared_dead_is_kept_aside(disk_ledger: Ledger, process: Process) -> None:
    session = str(SessionId.of("claude-code", "s-1"))
    disk_ledger.session("claude-code", "s-1").start(pid=process.pid)
    told = {"hook_event_name": "UserPromptSubmit", "session_id": "s-1", "prompt": "Before", "cwd": "/p"}
    spool.put(disk_ledger.layout, "claude-code", "UserPromptSubmit", process.pid, json.dumps(told).encode())
    done = recover(disk_ledger.place, session, force=True)
    assert the_one(done).rescued_from_spool == 1
    late = json.dumps(told | {"prompt": "Late"}).encode()
    spool.put(disk_ledger.layout, "claude-code", "UserPromptSubmit", process.pid, late)
    drained = disk_ledger.drain()
    assert (drained.events, drained.rejected) == (0, 1)
    assert "declared dead before this came" in spool.rejected(disk_ledger.layout)[0].reason


# Damage


def truncate(ledger: Ledger, oid: str) -> None:
    path = ledger.layout.git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    os.truncate(path, 20)
    ledger.place.store.close()


def test_a_truncated_commit_of_a_session_comes_back_from_the_journal(crashed: Ledger) -> None:
    me = crashed.session_named(SESSION)
    oid = me.record([NOTE]).commits[-1]
    raw = crashed.place.store.commit_raw(oid)
    truncate(crashed, oid)
    whole, done = within(60, lambda: recover(crashed.place))
    assert (whole.session, whole.lost, len(whole.quarantined)) == (None, 0, 1)
    assert (done.session, done.status, done.lost) == (SESSION, "recovered", 0)
    assert done.quarantined == whole.quarantined
    assert crashed.place.store.commit_raw(oid) == raw
    assert verify(crashed.place).ok


def test_a_truncated_commit_that_no_journal_holds_is_reported_as_lost(crashed: Ledger) -> None:
    oid = crashed.session_named(SESSION).record([NOTE]).commits[-1]
    for path in crashed.layout.journal.glob("*.journal"):
        path.write_bytes(b"")
    truncate(crashed, oid)
    whole, done = within(60, lambda: recover(crashed.place))
    assert (whole.session, len(whole.quarantined)) == (None, 1)
    assert (done.session, done.lost) == (SESSION, 1)
    assert verify(crashed.place).ok
    assert recover(crashed.place) == []


def test_what_is_left_of_a_session_that_ended_goes(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.record([NOTE])
    own = disk_ledger.place.store.ref(session_ref(session.id))
    session.end()
    assert disk_ledger.place.store.move_ref(session_ref(session.id), own, None)
    assert the_one(recover(disk_ledger.place)).status == "cleared"
    assert disk_ledger.place.store.ref(session_ref(session.id)) is None
    assert recover(disk_ledger.place) == []


def test_a_lost_live_file_leaves_a_session_that_is_recovered_once(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=os.getpid())
    disk_ledger.layout.live_of(session.id).unlink()
    assert the_one(recover(disk_ledger.place)).status == "recovered"
    assert recover(disk_ledger.place) == []


# Cut short

RECOVER = """
import sys
from ledger.actions.recover import recover
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    print("go", flush=True)
    recover(ledger.place)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_recovery_that_is_killed_is_completed_by_the_next(crashed: Ledger, seed: int) -> None:
    command = [sys.executable, "-c", RECOVER, str(crashed.layout.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 0.12))
        child.kill()
    with open_ledger(crashed.layout.root) as again:
        recover(again.place)
        assert recover(again.place) == []
        assert cascade(again.place) == []
        types = [event.type for event in events(again)]
        assert types[-1] == "session.recovered"
        assert types.count("session.crashed") == types.count("session.recovered")
        assert verify(again.place).ok


def test_work_that_hangs_is_ended_at_its_deadline() -> None:
    began = time.monotonic()
    with pytest.raises(BusyError, match="was not done within"):
        within(0.3, lambda: time.sleep(60))
    assert time.monotonic() - began < 5


def test_an_error_crosses_over_with_its_words_and_exit_code() -> None:
    def fail() -> None:
        raise DamageError("broken", hint="mend it")

    with pytest.raises(LedgerError) as caught:
        within(5, fail)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == ("broken", "mend it", 6)


def test_work_whose_process_dies_is_told() -> None:
    with pytest.raises(LedgerError, match="died"):
        within(5, lambda: os._exit(3))
