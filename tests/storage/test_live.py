"""Live files: one process a session, death proven and never guessed."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.core.ids import SessionId
from ledger.errors import BusyError, InvalidError, NotFoundError, RefusedError, StorageError, UsageError
from ledger.storage import live
from ledger.storage.layout import Layout
from ledger.storage.process import Machine, find_process

ID = str(SessionId.of("agent", "run"))
OTHER = str(SessionId.of("agent", "other"))
DAYS = 2 * 86_400

HOLDER = """
import sys, time
from pathlib import Path
from ledger.storage import live
from ledger.storage.layout import Layout
live.BEAT = 0.05
held = live.claim(Layout(Path(sys.argv[1])), sys.argv[2], lasting=True)
print("claimed", flush=True)
time.sleep(60)
"""

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def holder(layout: Layout) -> Iterator[Sleeper]:
    """A process that stays and holds a session, with a heartbeat of 20 a second."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(layout.root), ID], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"claimed\n"
        yield process
        process.kill()


def end(process: Sleeper) -> None:
    process.kill()
    process.wait()


def verdict(layout: Layout, session: str = ID) -> str | None:
    found = live.look(layout, session)
    return None if found is None else found.verdict


def rewrite(layout: Layout, **told: object) -> None:
    """Change what a live file says, as if another process or machine had written it."""
    path = layout.live / ID
    path.write_text(json.dumps(json.loads(path.read_text()) | told))


# Verdicts


def test_a_session_that_nobody_claimed_has_no_live_file(layout: Layout) -> None:
    assert live.look(layout, ID) is None
    assert live.look_at_all(layout) == {}
    assert not live.is_dead(layout, ID)


def test_a_claimant_that_runs_is_alive(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    assert verdict(layout) == "alive"
    assert list(live.look_at_all(layout)) == [ID]


def test_a_claimant_that_is_gone_is_dead(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    end(sleeper)
    found = live.look(layout, ID)
    assert found is not None
    assert (found.verdict, found.why) == ("dead", f"process {sleeper.pid} is gone")
    assert live.is_dead(layout, ID)


def test_a_zombie_is_dead(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert verdict(layout) == "dead"


def test_another_process_with_the_same_id_is_not_the_claimant(layout: Layout, sleeper: Sleeper) -> None:
    """Reborn: the id is in use, by a process that started at another time."""
    live.claim(layout, ID, pid=sleeper.pid)
    rewrite(layout, started="1")
    assert verdict(layout) == "dead"


def test_a_claim_from_before_a_restart_of_the_machine_is_dead(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    rewrite(layout, boot="11111111-2222-4333-8444-555555555555")
    found = live.look(layout, ID)
    assert found is not None
    assert (found.verdict, found.why) == ("dead", f"{socket.gethostname()} has been restarted since")


@pytest.mark.parametrize(
    "told",
    [{"host": "elsewhere", "boot": "11111111-2222-4333-8444-555555555555"}, {"pids": "pid:[1]"}],
    ids=["another host", "another container"],
)
def test_a_process_that_cannot_be_asked_after_is_unknown_however_long_it_is_silent(
    layout: Layout, told: dict[str, str]
) -> None:
    live.claim(layout, ID)
    rewrite(layout, pid=2**22 - 1, **told)
    assert verdict(layout) == "unknown"
    os.utime(layout.live / ID, (1, 1))
    assert verdict(layout) == "unknown"


def test_a_host_may_change_its_name(layout: Layout) -> None:
    """Its start has an id that stays."""
    live.claim(layout, ID)
    rewrite(layout, host="before")
    assert verdict(layout) == "alive"
    live.claim(layout, ID)


def test_two_hosts_whose_starts_have_no_ids_are_told_apart_by_name(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "this_machine", lambda: Machine("here", "", ""))
    live.claim(layout, ID)
    assert verdict(layout) == "alive"
    rewrite(layout, host="elsewhere", pid=2**22 - 1)
    assert verdict(layout) == "unknown"


def test_a_stopped_process_is_frozen_and_alive_again_when_it_goes_on(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    assert verdict(layout) == "frozen"
    assert not live.is_dead(layout, ID)
    sleeper.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, sleeper.pid, os.WCONTINUED)
    assert verdict(layout) == "alive"


def test_a_process_that_stays_beats(layout: Layout, holder: Sleeper) -> None:
    path = layout.live / ID
    os.utime(path, (1, 1))
    deadline = time.monotonic() + 10
    while path.stat().st_mtime < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert verdict(layout) == "alive"


def test_a_process_that_stays_and_is_silent_is_frozen(layout: Layout) -> None:
    with live.claim(layout, ID, lasting=True):
        ago = time.time() - live.SILENT - 10
        os.utime(layout.live / ID, (ago, ago))
        assert verdict(layout) == "frozen"


def test_a_shell_may_be_silent_for_days_and_lives(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    os.utime(layout.live / ID, (1, 1))
    assert verdict(layout) == "alive"


def test_the_lock_of_a_killed_process_proves_its_death_where_its_id_is_in_use_again(
    layout: Layout, holder: Sleeper, sleeper: Sleeper
) -> None:
    """A process id with its start time is not unique; the lock is."""
    reborn = find_process(sleeper.pid)
    assert reborn is not None
    assert verdict(layout) == "alive"
    end(holder)
    rewrite(layout, pid=reborn.pid, started=reborn.started)
    found = live.look(layout, ID)
    assert found is not None
    assert (found.verdict, found.why) == ("dead", f"process {reborn.pid} has let go of it")


@pytest.mark.parametrize("shift", [-DAYS, DAYS])
def test_a_clock_that_is_days_off_makes_nobody_seem_dead_or_silent(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, shift: int
) -> None:
    with live.claim(layout, ID, lasting=True):
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + shift)
        found = live.look(layout, ID)
        assert found is not None
        assert found.verdict == "alive"
        assert found.age < live.SILENT


@pytest.mark.parametrize("seconds", [-DAYS, DAYS])
def test_a_heartbeat_from_before_a_jump_of_the_clock_is_no_proof_of_death(
    layout: Layout, sleeper: Sleeper, seconds: int
) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    then = time.time() + seconds
    os.utime(layout.live / ID, (then, then))
    assert verdict(layout) == "alive"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"{}", b"[]", b"\xff\xfe", b'{"pid": "1"}', b"[" * 5000, b"\0" * 1024],
    ids=["empty", "cut", "fields", "list", "binary", "types", "deep", "zeros"],
)
def test_a_file_that_cannot_be_read_is_named_so_and_can_be_claimed(layout: Layout, content: bytes) -> None:
    (layout.live / ID).write_bytes(content)
    assert verdict(layout) == "unreadable"
    assert live.look_at_all(layout)[ID].claim is None
    assert not live.tell(layout, ID, "waiting")
    live.claim(layout, ID)
    assert verdict(layout) == "alive"


def test_a_file_cut_at_any_byte_is_unreadable_or_whole(layout: Layout) -> None:
    live.claim(layout, ID)
    path = layout.live / ID
    whole = path.read_bytes()
    end_of_it = len(whole.rstrip())
    for size in range(end_of_it):
        path.write_bytes(whole[:size])
        assert verdict(layout) == "unreadable"
    path.write_bytes(whole[:end_of_it])
    assert verdict(layout) == "alive"


def test_what_is_no_file_of_ours_is_unreadable_and_never_followed(layout: Layout, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (layout.live / ID).symlink_to(target)
    os.mkfifo(layout.live / OTHER)
    assert {one.verdict for one in live.look_at_all(layout).values()} == {"unreadable"}
    live.claim(layout, ID)
    live.touch(layout, ID)
    assert target.read_text() == "untouched"
    assert not (layout.live / ID).is_symlink()


# Claims


def test_the_first_of_two_wins_while_it_lives(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    with pytest.raises(BusyError, match=f"process {sleeper.pid} ") as refused:
        live.claim(layout, ID)
    assert "ledger session end" in str(refused.value.hint)
    assert verdict(layout) == "alive"
    end(sleeper)
    live.claim(layout, ID)
    found = live.look(layout, ID)
    assert found is not None
    assert found.claim is not None
    assert found.claim.pid == os.getpid()


def test_a_frozen_claimant_is_not_robbed(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(BusyError, match="is stopped"):
        live.claim(layout, ID)


def test_a_claimant_elsewhere_is_robbed_only_after_a_long_silence(layout: Layout) -> None:
    live.claim(layout, ID)
    rewrite(layout, host="elsewhere", boot="x")
    with pytest.raises(BusyError, match="on elsewhere"):
        live.claim(layout, ID)
    ago = time.time() - live.STALE - 10
    os.utime(layout.live / ID, (ago, ago))
    live.claim(layout, ID)
    assert verdict(layout) == "alive"


def test_a_damaged_file_whose_holder_stays_is_not_taken(layout: Layout, holder: Sleeper) -> None:
    with (layout.live / ID).open("r+b") as file:
        file.truncate(10)
    with pytest.raises(BusyError, match="another process"):
        live.claim(layout, ID)


def test_a_process_may_claim_again_what_it_holds(layout: Layout) -> None:
    first = live.claim(layout, ID, lasting=True)
    second = live.claim(layout, ID, lasting=True)
    first.leave()
    assert verdict(layout) == "alive"
    second.leave()
    assert verdict(layout) is None


def _claim(root: str, start: object, won: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    try:
        live.claim(Layout(Path(root)), ID)
    except BusyError:
        won.put(None)  # type: ignore[attr-defined]
    else:
        won.put(os.getpid())  # type: ignore[attr-defined]
    time.sleep(5)


def test_of_two_that_take_over_at_once_one_wins(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    end(sleeper)
    context = multiprocessing.get_context("spawn")
    start, won = context.Event(), context.Queue()
    racers = [context.Process(target=_claim, args=(str(layout.root), start, won)) for _ in range(4)]
    for racer in racers:
        racer.start()
    start.set()
    winners = [pid for pid in (won.get(timeout=30) for _ in racers) if pid is not None]
    found = live.look(layout, ID)
    for racer in racers:
        racer.kill()
        racer.join()
    assert found is not None
    assert found.claim is not None
    assert winners == [found.claim.pid]


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a\0b", "x" * 300, "", ".", "..", ID.upper(), f"{ID}/..", f"{ID}\n"]
)
def test_what_is_no_session_id_is_refused_and_is_no_path(layout: Layout, name: str) -> None:
    before = sorted(layout.root.rglob("*"))
    for action in (live.claim, live.touch, live.look, live.leave, live.is_dead):
        with pytest.raises(InvalidError, match="session id"):
            action(layout, name)  # type: ignore[operator]
    with pytest.raises(InvalidError):
        live.tell(layout, name, "waiting")
    with pytest.raises(InvalidError):
        live.require_ours(layout, name)
    assert sorted(layout.root.rglob("*")) == before


def test_a_claim_needs_a_process_that_runs(layout: Layout, sleeper: Sleeper) -> None:
    end(sleeper)
    for pid in (sleeper.pid, 2**62):
        with pytest.raises(NotFoundError, match=str(pid)):
            live.claim(layout, ID, pid=pid)
    assert verdict(layout) is None


def test_only_a_process_itself_can_promise_to_stay(layout: Layout, sleeper: Sleeper) -> None:
    with pytest.raises(UsageError):
        live.claim(layout, ID, pid=sleeper.pid, lasting=True)


def test_a_live_file_is_its_owners_alone_and_is_made_where_its_folder_is_missing(layout: Layout) -> None:
    shutil.rmtree(layout.live)
    live.claim(layout, ID)
    assert (layout.live / ID).stat().st_mode & 0o777 == 0o600
    assert verdict(layout) == "alive"


# What a session says of itself


def test_what_a_session_does_is_told_by_any_process_and_leaves_the_lock_alone(layout: Layout, holder: Sleeper) -> None:
    assert live.tell(layout, ID, "waiting")
    found = live.look(layout, ID)
    assert found is not None
    assert found.claim is not None
    assert (found.verdict, found.claim.doing, found.is_locked) == ("alive", "waiting", True)
    assert abs(found.claim.since - time.time()) < 60
    assert not live.tell(layout, OTHER, "waiting")


def test_a_file_that_is_rewritten_all_the_time_is_never_unreadable(layout: Layout) -> None:
    with live.claim(layout, ID) as held:
        over = threading.Event()

        def rewrite_it() -> None:
            while not over.is_set():
                held.tell("waiting")
                held.tell("working")

        writer = threading.Thread(target=rewrite_it)
        writer.start()
        found = {verdict(layout) for _ in range(500)}
        over.set()
        writer.join()
    assert found == {"alive"}


def test_a_heartbeat_is_a_touch_and_needs_a_claim(layout: Layout) -> None:
    assert not live.touch(layout, ID)
    assert not (layout.live / ID).exists()
    held = live.claim(layout, ID)
    os.utime(layout.live / ID, (1, 1))
    assert held.touch()
    assert (layout.live / ID).stat().st_mtime > 2


def test_leaving_takes_the_file_and_the_heartbeat_along(layout: Layout) -> None:
    before = threading.active_count()
    held = live.claim(layout, ID, lasting=True)
    assert threading.active_count() == before + 1
    held.leave()
    held.leave()
    assert threading.active_count() == before
    assert verdict(layout) is None


def test_who_was_robbed_takes_nothing_along(layout: Layout) -> None:
    held = live.claim(layout, ID)
    rewrite(layout, nonce="another")
    held.leave()
    assert verdict(layout) == "alive"
    live.leave(layout, ID)
    assert verdict(layout) is None


def test_a_session_that_another_process_runs_is_not_ours(layout: Layout, sleeper: Sleeper) -> None:
    live.require_ours(layout, ID)
    live.claim(layout, ID, pid=os.getppid())
    live.require_ours(layout, ID)
    live.leave(layout, ID)
    live.claim(layout, ID, pid=sleeper.pid)
    with pytest.raises(RefusedError, match=f"process {sleeper.pid} "):
        live.require_ours(layout, ID)
    end(sleeper)
    live.require_ours(layout, ID)


def test_a_session_elsewhere_is_not_ours_until_it_is_silent_for_long(layout: Layout) -> None:
    live.claim(layout, ID)
    rewrite(layout, host="elsewhere", boot="x")
    with pytest.raises(RefusedError, match="on elsewhere"):
        live.require_ours(layout, ID)
    ago = time.time() - live.STALE - 10
    os.utime(layout.live / ID, (ago, ago))
    live.require_ours(layout, ID)


def test_where_nothing_can_be_written_ages_are_told_by_the_local_clock(layout: Layout) -> None:
    (layout.live / ".clock").mkdir()
    live.claim(layout, ID)
    assert abs(live.file_clock(layout) - time.time()) < 5
    assert verdict(layout) == "alive"


def test_a_claim_that_cannot_be_written_is_an_error_of_the_disk_and_leaves_nothing(layout: Layout) -> None:
    (layout.live / ID).mkdir()
    with pytest.raises(StorageError):
        live.claim(layout, ID)
    assert {path.name for path in layout.live.iterdir()} - {".clock", ".beat"} == {ID}
    assert verdict(layout) == "unreadable"


def beat(layout: Layout, pid: int, ago: float = 0.0) -> None:
    """What a hook does: it touches the file of the process that runs it."""
    layout.beats.mkdir(mode=0o700, exist_ok=True)
    layout.beat_of(pid).touch()
    os.utime(layout.beat_of(pid), times=(0, time.time() - ago))


def test_a_hook_that_ran_is_a_sign_of_life_of_every_claim_of_its_process(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    os.utime(layout.live_of(ID), times=(0, time.time() - 500))
    assert live.look(layout, ID).age == pytest.approx(500, abs=5)  # type: ignore[union-attr]
    beat(layout, sleeper.pid, ago=30)
    found = live.look(layout, ID)
    assert found is not None
    assert (found.age, found.quiet) == (pytest.approx(30, abs=5), pytest.approx(0, abs=5))


def test_a_hook_that_ran_proves_nothing_of_a_process_that_is_gone(layout: Layout, sleeper: Sleeper) -> None:
    live.claim(layout, ID, pid=sleeper.pid)
    beat(layout, sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert verdict(layout) == "dead"


def test_signs_of_life_are_swept_when_their_process_is_long_gone(layout: Layout, sleeper: Sleeper) -> None:
    beat(layout, os.getpid(), ago=5_000)
    beat(layout, sleeper.pid, ago=5_000)
    (layout.beats / "README").touch()
    assert live.sweep_beats(layout) == 0
    sleeper.kill()
    sleeper.wait()
    assert live.sweep_beats(layout) == 1
    assert {path.name for path in layout.beats.iterdir()} == {str(os.getpid()), "README"}
    beat(layout, sleeper.pid, ago=5)
    assert live.sweep_beats(layout) == 0


def test_without_a_folder_for_signs_of_life_there_are_none(layout: Layout) -> None:
    layout.beats.rmdir()
    assert live.sweep_beats(layout) == 0
