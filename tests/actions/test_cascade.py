"""The cascade: every way in which a session can come to harm, provoked for real, and recognised as itself alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.append import Draft
from ledger.actions.cascade import STUCK, Finding, cascade
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.storage import live, spool
from ledger.storage.layout import MAIN, session_ref

Sleeper = subprocess.Popen[bytes]
NOTE = Draft("note.added", {"text": "seen"})


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def the_one(ledger: Ledger) -> Finding:
    """The one finding that there is."""
    (found,) = cascade(ledger.place)
    return found


def told(found: Finding) -> tuple[str | None, str]:
    return found.session, found.layer


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


# What is no harm


def test_a_ledger_in_memory_has_nothing_that_could_come_to_harm(ledger: Ledger) -> None:
    ledger.session("a", "1").set("k", "v")
    assert cascade(ledger.place) == []


def test_who_was_recorded_by_processes_that_ended_is_well(disk_ledger: Ledger) -> None:
    """Imported sessions, hooks that end at once, people at the command line: nobody said what to look at."""
    disk_ledger.session("a", "1").set("k", "v")
    disk_ledger.session("a", "2").record([NOTE])
    disk_ledger.session("a", "3", private=True).record([NOTE])
    assert cascade(disk_ledger.place) == []


def test_who_waits_for_days_is_well(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    session.tell("waiting")
    age(disk_ledger.layout.live_of(session.id), 5 * 86_400)
    assert cascade(disk_ledger.place) == []


def test_an_agent_that_works_on_one_thing_for_hours_is_well(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    age(disk_ledger.layout.live_of(session.id), 5 * 3600)
    assert cascade(disk_ledger.place) == []


def test_who_is_stopped_is_frozen_and_not_dead(disk_ledger: Ledger) -> None:
    with running(disk_ledger.layout.root) as process:
        session = str(SessionId.of("a", "run"))
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        age(disk_ledger.layout.live_of(session), 3600)
        assert cascade(disk_ledger.place) == []
        process.send_signal(signal.SIGCONT)
        process.kill()


def test_a_clock_that_is_days_off_harms_nobody(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    disk_ledger.session("a", "1").start(pid=sleeper.pid)
    now = disk_ledger.place.now
    for days in (-3, 3):
        disk_ledger.place.now = lambda days=days: now() + days * 86_400_000_000  # type: ignore[misc]
        assert cascade(disk_ledger.place) == []


def test_who_has_ended_or_gone_on_is_well(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    one, two = disk_ledger.session("a", "1"), disk_ledger.session("a", "2")
    one.start(pid=sleeper.pid)
    two.start(pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert [told(found) for found in cascade(disk_ledger.place)] == [(s, "process") for s in sorted([one.id, two.id])]
    one.end()
    two.resume(pid=os.getpid())
    assert cascade(disk_ledger.place) == []


def test_a_claim_whose_first_event_is_yet_to_come_is_well(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    live.claim(disk_ledger.layout, SessionId.of("a", "1"), pid=sleeper.pid)
    assert cascade(disk_ledger.place) == []


# The process


def test_a_process_that_is_gone_is_told_with_its_id(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    found = the_one(disk_ledger)
    assert told(found) == (session.id, "process")
    assert (found.evidence["pid"], found.evidence["why"]) == (sleeper.pid, f"process {sleeper.pid} is gone")
    assert found.remedy == f"ledger recover {session.id[:8]}"


REUSED = """
import subprocess, sys, time
from pathlib import Path
from ledger.actions.cascade import cascade
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger:
    first = subprocess.Popen(["sleep", "60"])
    ledger.session("a", "1").start(pid=first.pid)
    first.kill(); first.wait()
    time.sleep(0.05)  # a process's start is told in hundredths of a second
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
    second = subprocess.Popen(["sleep", "60"])
    assert second.pid == first.pid, (first.pid, second.pid)
    print(*[(one.layer, one.evidence["why"]) for one in cascade(ledger.place)])
    second.kill()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may choose the next process id")
def test_a_process_id_that_is_another_ones_by_now_is_recognised(root: Path) -> None:
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSED, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert "('process', 'process" in done.stdout
    assert "is another one by now" in done.stdout


# The heartbeat

RUN = """
import sys, time
from ledger.api import open_ledger
with open_ledger(sys.argv[1]) as ledger, ledger.run("a", "run"):
    print("runs", flush=True)
    time.sleep(60)
"""


def running(root: Path) -> subprocess.Popen[bytes]:
    """A process that runs a session as a block, and has begun."""
    process = subprocess.Popen([sys.executable, "-c", RUN, str(root)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"runs\n"
    return process


def test_a_heartbeat_that_stops_at_work_is_told_with_its_silence(disk_ledger: Ledger) -> None:
    session = str(SessionId.of("a", "run"))
    with running(disk_ledger.layout.root) as process:
        age(disk_ledger.layout.live_of(session), live.SILENT + 30)
        found = the_one(disk_ledger)
        assert told(found) == (session, "heartbeat")
        assert found.evidence["silent"] == pytest.approx(live.SILENT + 30, abs=5)
        assert (found.evidence["pid"], found.evidence["limit"]) == (process.pid, live.SILENT)
        live.tell(disk_ledger.layout, session, "waiting")
        age(disk_ledger.layout.live_of(session), live.SILENT + 30)
        assert cascade(disk_ledger.place) == []
        process.kill()


# Integrity


def test_a_commit_that_is_cut_short_is_told_of_the_session_whose_line_it_is_on(disk_ledger: Ledger) -> None:
    session, other = disk_ledger.session("a", "1"), disk_ledger.session("a", "2")
    session.record([NOTE])
    other.record([NOTE])
    oid = disk_ledger.place.store.ref(session_ref(session.id))
    assert oid is not None
    truncate(disk_ledger, oid)
    found = the_one(disk_ledger)
    assert told(found) == (session.id, "integrity")
    assert found.evidence["ref"] == session_ref(session.id)
    assert oid[2:] in str(found.evidence["why"])


def test_damage_on_main_is_the_ledgers_and_hides_no_dead_process(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    oid = disk_ledger.place.store.ref(MAIN)
    assert oid is not None
    truncate(disk_ledger, oid)
    assert [told(one) for one in cascade(disk_ledger.place)] == [(session.id, "process"), (None, "integrity")]


def test_a_ref_that_names_nothing_is_told_of_its_session(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.record([NOTE])
    (disk_ledger.layout.git_dir / session_ref(session.id)).write_bytes(b"")
    assert [told(one) for one in cascade(disk_ledger.place)] == [(session.id, "integrity")]


def truncate(ledger: Ledger, oid: str) -> None:
    path = ledger.layout.git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    os.truncate(path, 20)
    ledger.place.store.close()  # it remembers what it has read


# The disk


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a disk")
@pytest.mark.parametrize(("option", "fault"), [("size=2m", "ENOSPC"), ("nr_inodes=2000", "ENOSPC"), ("ro", "EROFS")])
def test_a_disk_that_refuses_is_told_and_nobody_is_called_dead(tmp_path: Path, option: str, fault: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    options = [] if option == "ro" else ["-o", option]
    subprocess.run(["mount", "-t", "tmpfs", *options, "none", str(disk)], check=True)
    try:
        with create_ledger(disk / "ledger")[0] as ledger:
            ledger.session("a", "1").start(pid=os.getpid())
            assert cascade(ledger.place) == []
        use_up(disk, option)
        with open_ledger(disk / "ledger") as ledger:
            found = the_one(ledger)
            assert (told(found), found.evidence["fault"]) == ((None, "disk"), fault)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def use_up(disk: Path, option: str) -> None:
    if option == "ro":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return
    try:
        if option.startswith("size"):
            (disk / "filler").write_bytes(b"x" * 4_000_000)
        for number in range(3_000):
            (disk / str(number)).touch()
    except OSError:
        pass


def test_a_payload_that_waits_while_nobody_drains_is_a_spool_that_is_stuck(disk_ledger: Ledger) -> None:
    captured = spool.put(disk_ledger.layout, "claude-code", "Stop", 1, b"{}")
    assert cascade(disk_ledger.place) == []
    age(captured.path, STUCK + 60)
    found = the_one(disk_ledger)
    assert (told(found), found.evidence["fault"], found.evidence["waiting"]) == ((None, "disk"), "spool", 1)


# What is left without the rest


def test_a_live_file_that_is_lost_leaves_an_orphan_on_the_roster(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    disk_ledger.layout.live_of(session.id).unlink()
    found = the_one(disk_ledger)
    assert (told(found), found.evidence["left"]) == ((session.id, "orphaned"), "roster")


def test_a_live_file_whose_session_never_began_is_an_orphan_once_its_process_is_gone(
    disk_ledger: Ledger, sleeper: Sleeper
) -> None:
    session = str(SessionId.of("a", "1"))
    live.claim(disk_ledger.layout, session, pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    found = the_one(disk_ledger)
    assert (told(found), found.evidence["left"]) == ((session, "orphaned"), "live file")


def test_a_branch_whose_session_has_ended_is_an_orphan(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.record([NOTE])
    own = disk_ledger.place.store.ref(session_ref(session.id))
    session.end()
    assert disk_ledger.place.store.move_ref(session_ref(session.id), own, None)
    found = the_one(disk_ledger)
    assert (told(found), found.evidence["left"]) == ((session.id, "orphaned"), "branch")
