"""Processes: found, told apart, and asked after where there is no /proc too."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from ledger.storage import process
from ledger.storage.process import find_process, is_within, shell_around, this_machine

Sleeper = subprocess.Popen[bytes]


@pytest.fixture(params=[True, False], ids=["proc", "psutil"])
def has_proc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With /proc, and as on a system that has none."""
    if request.param and not process._HAS_PROC:
        pytest.skip("this system has no /proc")
    monkeypatch.setattr(process, "_HAS_PROC", request.param)
    return bool(request.param)


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as one:
        yield one
        one.kill()


@pytest.mark.usefixtures("has_proc")
def test_a_process_is_found_with_its_parent_and_keeps_its_start(sleeper: Sleeper) -> None:
    found = find_process(sleeper.pid)
    assert found is not None
    assert (found.pid, found.parent, found.is_stopped) == (sleeper.pid, os.getpid(), False)
    assert found.started
    assert find_process(sleeper.pid) == found


@pytest.mark.usefixtures("has_proc")
def test_a_stopped_process_is_stopped(sleeper: Sleeper) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    found = find_process(sleeper.pid)
    assert found is not None
    assert found.is_stopped


@pytest.mark.usefixtures("has_proc")
def test_a_dead_process_is_none_even_before_its_parent_asked(sleeper: Sleeper) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert find_process(sleeper.pid) is None
    sleeper.wait()
    assert find_process(sleeper.pid) is None


@pytest.mark.usefixtures("has_proc")
def test_a_process_is_within_those_that_started_it(sleeper: Sleeper) -> None:
    assert is_within(os.getpid(), sleeper.pid)
    assert is_within(os.getppid(), sleeper.pid)
    assert not is_within(sleeper.pid, os.getpid())


@pytest.mark.usefixtures("has_proc")
def test_what_is_no_shell_stays_what_it_is(sleeper: Sleeper) -> None:
    assert shell_around(sleeper.pid) == sleeper.pid
    assert shell_around(2**22 - 1) == 2**22 - 1


def test_a_machine_is_named_by_its_host_and_where_it_can_be_by_its_start(has_proc: bool) -> None:
    machine = this_machine.__wrapped__()
    assert machine.host == os.uname().nodename
    assert bool(machine.boot) == bool(machine.pids) == has_proc


@pytest.mark.parametrize("pid", [-1, 0, 2**70])
def test_a_number_that_names_no_process_finds_none(pid: int) -> None:
    assert find_process(pid) is None
