"""The process beside living sessions: what hooks record reaches the server by itself, and then nobody is left."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.actions.payloads import Claude
from tests.machines import bare

from ledger.api import create_ledger, open_ledger
from ledger.hooks import drain as behind
from ledger.hooks import exchange as beside
from ledger.storage.layout import MAIN, Layout
from ledger.storage.locks import Lock
from ledger.storage.remotes import Remote, add_remote, remove_remote


@pytest.fixture
def server(tmp_path: Path) -> Path:
    return bare(tmp_path / "server.git")


@pytest.fixture
def layout(tmp_path: Path, server: Path) -> Layout:
    with create_ledger(tmp_path / "ledger")[0] as made:
        add_remote(made.layout.git_dir, Remote("origin", str(server)))
        return made.layout


def head(server: Path) -> str:
    return Git(server)("for-each-ref", "--format=%(objectname)", MAIN)


def tip(layout: Layout) -> str:
    with open_ledger(layout.root) as ledger:
        return str(ledger.place.store.ref(MAIN))


def log(layout: Layout) -> list[dict[str, object]]:
    path = layout.logs / "exchange.log"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_what_hooks_record_reaches_the_server_by_itself(layout: Layout, server: Path, tmp_path: Path) -> None:
    claude = Claude(layout, cwd=str(tmp_path))
    claude.start()
    claude.stop()
    drain = [sys.executable, "-I", str(Path(behind.__file__).resolve()), str(layout.root), "0"]
    subprocess.run(drain, check=True, timeout=60, stdin=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while head(server) != tip(layout):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert log(layout) == []
    remove_remote(layout.git_dir, "origin")
    with Lock(layout.exchanging_lock).hold(30):  # the process sees that there is no remote, and goes
        pass


@pytest.mark.parametrize("program", [["-I", str(Path(beside.__file__).resolve())], ["-m", "ledger.hooks.exchange"]])
def test_where_no_session_lives_it_gives_what_there_is_and_goes(
    layout: Layout, server: Path, program: list[str]
) -> None:
    began = time.monotonic()
    command = [sys.executable, *program, str(layout.root)]
    subprocess.run(command, check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert head(server) == tip(layout)
    assert time.monotonic() - began < beside.LAST


def test_what_goes_wrong_is_a_line_in_the_log_and_it_goes_once_the_breaker_is_open(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_remote(layout.git_dir, "origin")
    add_remote(layout.git_dir, Remote("gone", str(layout.root / "nothing")))
    monkeypatch.setattr(beside, "STEP", 0.05)
    monkeypatch.setattr(beside, "LAST", 1.0)
    beside.serve(layout)
    (line,) = log(layout)
    assert line["what"] == "exchange.refused"
    assert "is no git repository" in str(line["text"])


def test_a_second_one_leaves_at_once(layout: Layout, server: Path) -> None:
    with Lock(layout.exchanging_lock).hold(0):
        beside.serve(layout)
    assert head(server) == ""


def test_a_ledger_that_cannot_be_opened_is_a_line_in_its_log(layout: Layout) -> None:
    (layout.git_dir / "HEAD").unlink()
    (layout.git_dir / "objects").rename(layout.root / "objects")
    beside.serve(layout)
    assert [line["what"] for line in log(layout)] == ["exchange.failed"]
