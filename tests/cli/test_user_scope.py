"""`--user`: the ledger of the user's own at the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.cli.conftest import Run

PLACE = Path("data_home/context-ledger/user")


def test_set_and_get_for_the_user_need_no_project(run: Run, home: Path) -> None:
    written = run("set", "style", "plain", "--user")
    assert (written.code, written.out) == (0, "")
    assert written.err.endswith("  context.set style: plain\n")
    assert run("get", "style", "--user").out == "plain\n"
    assert (home / PLACE).is_dir()
    assert run("get", "style").code == 3


def test_get_says_where_it_found_the_value(ledger: Run) -> None:
    ledger("set", "k", "1", "--user")
    assert ledger("get", "k").out == "1\n"
    assert json.loads(ledger("get", "k", "--json").out)["scope"] == "user"
    ledger("set", "k", "2")
    assert json.loads(ledger("get", "k", "--json").out)["scope"] == "shared"
    assert ledger("get", "k", "--user").out == "1\n"


def test_every_verb_takes_it(ledger: Run) -> None:
    assert [ledger(*call, "--user").code for call in (["add", "tags", "a", "b"], ["remove", "tags", "a"])] == [0, 0]
    assert [ledger(*call, "--user").code for call in (["incr", "n"], ["set", "x", "1"], ["delete", "x"])] == [0, 0, 0]
    assert [(one["key"], one["value"]) for one in json.loads(ledger("keys", "--user", "--json").out)] == [
        ("n", 1),
        ("tags", ["b"]),
    ]
    assert ledger("keys").out == ""


def test_reading_makes_nothing(ledger: Run, home: Path) -> None:
    assert ledger("keys", "--user").out == ""
    assert ledger("get", "k", "--user").code == 1
    assert not (home / PLACE).exists()


def test_the_person_writes_whichever_session_is_named(ledger: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run")
    monkeypatch.setitem(os.environ, "LEDGER_SESSION", "run")
    assert ledger("set", "k", "1", "--user").code == 0
    assert json.loads(ledger("get", "k", "--json").out)["scope"] == "user"


@pytest.mark.parametrize("second", [["--private"], ["--ledger", ".ledger"]])
def test_two_scopes_at_once_are_refused(ledger: Run, second: list[str], home: Path) -> None:
    result = ledger("set", "k", "1", "--user", *second)
    assert result.code == 2
    assert "hint: leave one of them out" in result.err
