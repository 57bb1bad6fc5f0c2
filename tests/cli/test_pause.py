"""Pausing: a gap is marked as a gap, hooks fall silent at once, and the way back is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_a_pause_and_its_end_are_in_the_log_and_the_switch_is_off_between(ledger: Run) -> None:
    code, out, err = ledger("pause", "--because", "pairing with a customer")
    assert (code, out) == (0, "")
    assert err == "Paused: nothing is recorded until: ledger unpause\n"
    assert Path(".ledger/off/hooks").exists()
    assert ledger("unpause") == (0, "", "Recording again.\n")
    assert not Path(".ledger/off").exists()
    events = [json.loads(line) for line in ledger("log", "--jsonl").out.splitlines()]
    assert [(one["type"], one["data"]) for one in events[:2]] == [
        ("recording.resumed", {}),
        ("recording.paused", {"because": "pairing with a customer"}),
    ]


def test_pausing_twice_changes_nothing_and_says_since_when(ledger: Run) -> None:
    ledger("pause")
    again = ledger("pause", "--json")
    assert json.loads(again.out)["changed"] is False
    assert again.err.startswith("Already off since ")


def test_what_was_not_paused_goes_on(ledger: Run) -> None:
    assert ledger("unpause") == (0, "", "Recording was not paused.\n")


def test_a_pause_within_the_emergency_stop_is_not_the_whole_of_it(ledger: Run) -> None:
    ledger("off", "all")
    assert ledger("unpause").err == "Recording was not paused.\nEvery write is turned off still: ledger on all\n"


def test_the_line_says_who_is_here_and_what_is_in_conflict(ledger: Run) -> None:
    assert ledger("statusline").out == "ledger: 0 sessions\n"
    for name in ("a", "b"):
        ledger("session", "start", "--agent", "x", "--key", name)
        ledger("set", "k", name, "--session", name, "--saw", "none")
    assert ledger("statusline", stdin=b'{"cwd": "."}').out == "ledger: 2 sessions, 1 conflict\n"
    ledger("pause")
    answer = json.loads(ledger("statusline", "--json").out)
    assert answer["paused"] is True


def test_the_line_is_empty_where_no_ledger_is_and_whatever_the_agent_says(run: Run) -> None:
    for payload in (b"", b"not json", b"[]", b'{"cwd": 5}', b'{"workspace": {"current_dir": "/nowhere"}}'):
        assert run("statusline", stdin=payload) == (0, "", "")
