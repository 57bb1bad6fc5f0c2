"""Settle: who went while waiting has ended, who went while working has crashed, and who lives is left alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from tests.actions.payloads import Claude, events, types

from ledger.actions.presence import presence
from ledger.api import Ledger, memory_ledger
from ledger.storage import live
from ledger.storage.switches import ALL, Switch, turn_off


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that an agent may run in."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def gone(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_a_session_whose_process_goes_while_it_waits_has_ended(
    disk_ledger: Ledger, agent: subprocess.Popen[bytes]
) -> None:
    claude = Claude(disk_ledger.layout, pid=agent.pid)
    claude.start()
    claude.ask()
    claude.stop()
    assert disk_ledger.drain().ended == ()
    gone(agent)
    assert disk_ledger.drain().ended == (claude.session,)
    assert events(disk_ledger, claude.session)[-1].data == {"reason": "its process is gone"}
    assert presence(disk_ledger.place) == []
    assert live.look(disk_ledger.layout, claude.session) is None
    assert disk_ledger.settle() == []


def test_a_session_whose_process_goes_while_it_works_has_crashed(
    disk_ledger: Ledger, agent: subprocess.Popen[bytes]
) -> None:
    claude = Claude(disk_ledger.layout, pid=agent.pid)
    claude.start()
    claude.ask()
    disk_ledger.drain()
    gone(agent)
    assert disk_ledger.settle() == []
    assert [one.state for one in presence(disk_ledger.place)] == ["crashed"]


def test_a_session_that_no_hook_recorded_is_left_to_its_owner(
    disk_ledger: Ledger, agent: subprocess.Popen[bytes]
) -> None:
    mine = disk_ledger.session("my-agent", "run-1")
    mine.start(pid=agent.pid)
    mine.tell("waiting")
    gone(agent)
    assert disk_ledger.settle() == []
    assert types(disk_ledger, mine.id) == ["session.started"]


def test_while_writing_is_off_nobody_is_ended(disk_ledger: Ledger, agent: subprocess.Popen[bytes]) -> None:
    claude = Claude(disk_ledger.layout, pid=agent.pid)
    claude.work()
    claude.start("resume")
    disk_ledger.drain()
    gone(agent)
    turn_off(disk_ledger.layout, Switch(ALL))
    assert disk_ledger.settle() == []


def test_a_ledger_in_memory_has_no_processes() -> None:
    assert memory_ledger().settle() == []
