"""Alerts: what is one, that each is told once, and once more when it is over."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ledger.actions.alerts import Alerts, Limits, standing
from ledger.actions.append import Draft
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.switches import SYNC, Switch, turn_off, turn_on
from ledger.testing import Clock, fixed


def kinds(ledger: Ledger, **limits: float) -> list[tuple[str, str | None]]:
    return [(one.kind, one.session) for one in standing(ledger.place, Limits(**limits))]


def test_a_ledger_at_rest_has_none(ledger: Ledger) -> None:
    ledger.session("agent", "one").note("x")
    assert kinds(ledger) == []


def test_a_session_whose_process_is_gone_is_dead_until_it_is_resumed(disk_ledger: Ledger) -> None:
    alerts, me = Alerts(disk_ledger.place, Limits()), disk_ledger.session("agent", "one")
    with subprocess.Popen(["sleep", "60"]) as owner:
        me.start(pid=owner.pid)
        assert alerts.look() == []
        owner.kill()
    (one,) = alerts.look()
    assert (one.kind, one.session, one.agent, one.is_over) == ("dead-session", me.id, "agent", False)
    assert alerts.look() == []
    me.resume(pid=os.getpid())
    (over,) = alerts.look()
    assert (over.kind, over.session, over.is_over) == ("dead-session", me.id, True)
    assert alerts.look() == []
    me.end()


def test_a_session_at_work_from_which_nothing_comes_is_silent_and_one_that_waits_is_not(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    me.start(pid=os.getpid())
    assert kinds(disk_ledger, silent=60) == []
    assert kinds(disk_ledger, silent=-1) == [("silent-hook", me.id)]
    me.tell("waiting")
    assert kinds(disk_ledger, silent=-1) == []
    me.end()


def test_what_a_living_session_keeps_from_main_for_long_is_a_failure(tmp_path: Path) -> None:
    clock = Clock()
    with create_ledger(tmp_path / "ledger", sources=fixed(clock))[0] as ledger:
        me = ledger.session("agent", "one")
        me.start(pid=os.getpid())
        me.record([Draft("note.added", {"text": "apart"})])
        assert kinds(ledger, unpublished=60) == []
        clock.advance(61)
        assert kinds(ledger, unpublished=60) == [("sync-failure", me.id)]
        me.publish()
        assert kinds(ledger, unpublished=60) == []
        me.end()


def test_a_private_session_keeps_its_line_by_right(tmp_path: Path) -> None:
    clock = Clock()
    with create_ledger(tmp_path / "ledger", sources=fixed(clock))[0] as ledger:
        me = ledger.session("agent", "one", private=True)
        me.start(pid=os.getpid())
        clock.advance(3600)
        assert kinds(ledger, unpublished=60) == []
        me.end()


def test_main_that_cannot_be_written_is_a_failure_of_the_ledger(disk_ledger: Ledger) -> None:
    alerts = Alerts(disk_ledger.place, Limits())
    turn_off(disk_ledger.layout, Switch(SYNC, "2026-11-22T15:13:04.000000Z", "", "person", "a test"))
    (one,) = alerts.look()
    assert (one.kind, one.session, one.is_over) == ("sync-failure", None, False)
    assert one.text.startswith("main cannot be written: ")
    turn_on(disk_ledger.layout, SYNC)
    (over,) = alerts.look()
    assert over.is_over


def test_a_lock_that_a_killed_writer_left_is_named(root: Path) -> None:
    lock = root / "ledger.git/refs/heads/main.lock"
    with open_ledger(root) as ledger:
        lock.touch()
        assert kinds(ledger) == []
        os.utime(lock, (1, 1))
        (one,) = standing(ledger.place, Limits())
        assert (one.kind, one.session) == ("sync-failure", None)
        assert str(lock) in one.text
