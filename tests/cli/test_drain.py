"""What hooks captured is there before anything is read; and whatever is wrong with it, reading goes on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.actions.payloads import Claude
from tests.cli.conftest import Run

from ledger.storage import spool
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock


@pytest.fixture
def claude(ledger: Run) -> Claude:
    """An agent whose hooks write into the spool of the ledger here."""
    return Claude(Layout(Path(".ledger").absolute()))


def test_a_reading_command_sees_what_hooks_captured(ledger: Run, claude: Claude) -> None:
    claude.start()
    claude.ask("Add a login form")
    told = [json.loads(line) for line in ledger("log", "--jsonl").out.splitlines()]
    assert {event["type"] for event in told} >= {"session.started", "prompt.submitted"}
    assert spool.waiting(claude.layout) == []


def test_a_writing_command_can_name_the_session_that_a_hook_has_just_begun(ledger: Run, claude: Claude) -> None:
    claude.start()
    assert ledger("note", "seen", "--session", claude.key).code == 0


def test_what_cannot_be_recorded_is_told_once_and_reading_goes_on(ledger: Run, claude: Claude) -> None:
    claude.capture("Stop", b"{")
    first, second = ledger("keys"), ledger("keys")
    assert (first.code, second.code) == (0, 0)
    assert first.err == "1 captured payload could not be recorded: ledger doctor\n" + second.err


def test_while_somebody_else_drains_reading_goes_on(
    ledger: Run, claude: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.cli.call._PATIENCE", 0.05)
    ledger("set", "a/b", "c")
    claude.ask()
    with Lock(claude.layout.drain_lock).hold(0):
        found = ledger("get", "a/b")
    assert (found.code, found.out) == (0, "c\n")
    assert found.err.startswith("What hooks captured is not all recorded yet: drain is held by process ")


def test_while_writing_is_off_what_hooks_captured_waits_in_silence(ledger: Run, claude: Claude) -> None:
    ledger("set", "a/b", "c")
    ledger("off", "all")
    claude.ask()
    assert ledger("get", "a/b").err == ""
    assert json.loads(ledger("status", "--json").out)["spool"]["waiting"] == 1


def test_the_sessions_tell_that_one_ended_which_went_while_it_waited(ledger: Run, claude: Claude) -> None:
    with subprocess.Popen(["sleep", "60"]) as agent:
        claude.pid = agent.pid
        claude.start()
        claude.ask()
        claude.stop()
        (session,) = json.loads(ledger("sessions", "--json").out)
        assert session["state"] == "waiting"
        agent.kill()
    assert json.loads(ledger("sessions", "--json").out) == []
    (session,) = json.loads(ledger("sessions", "--all", "--json").out)
    assert session["state"] == "ended"
