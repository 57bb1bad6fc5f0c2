"""The process behind the hooks: it drains what comes, is one, and is gone after a while of silence."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, types

from ledger.api import create_ledger, open_ledger
from ledger.core import fold
from ledger.hooks import drain as behind
from ledger.storage import maintenance, spool
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock

PROGRAM = Path(behind.__file__).resolve()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    with create_ledger(tmp_path / "ledger")[0] as made:
        return made.layout


def begun(layout: Layout, silence: float, *program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, *(program or ("-I", str(PROGRAM))), str(layout.root), str(silence)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def is_empty(layout: Layout) -> bool:
    return not spool.waiting(layout)


def of_session(layout: Layout, session: str) -> list[str]:
    with open_ledger(layout.root) as ledger:
        return types(ledger, session)


def test_it_makes_a_checkpoint_where_a_turn_has_changed_the_code(layout: Layout, tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "a.py").write_text("a = 1\n")
    claude = Claude(layout, cwd=str(project))
    claude.start()
    claude.stop()
    process = begun(layout, 0)
    assert process.wait(20) == 0
    assert of_session(layout, claude.session)[-1] == "checkpoint.created"


def test_it_packs_what_has_come_to_lie_loose(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "LOOSE_AT_MOST", 0)
    with open_ledger(layout.root) as ledger:
        for number in range(200):
            ledger.person().set("k", number)
    until(lambda: maintenance.is_due(layout))
    Claude(layout).start()
    behind.run(layout, 0.1)
    assert maintenance.figures(layout.git_dir).loose == 0
    assert not maintenance.is_due(layout)  # it was looked after just now
    with open_ledger(layout.root) as ledger:
        assert ledger.get("k").entry.cell.value == 199


def test_it_drains_what_waits_and_what_comes_later_and_goes(layout: Layout) -> None:
    claude = Claude(layout)
    claude.start()
    process = begun(layout, 2)
    until(lambda: is_empty(layout))
    assert spool.draining(layout) == process.pid
    claude.ask()
    until(lambda: is_empty(layout))
    assert of_session(layout, claude.session) == ["session.started", "prompt.submitted"]
    assert process.wait(20) == 0
    assert spool.draining(layout) is None


def test_a_second_one_leaves_at_once_and_names_the_first(layout: Layout) -> None:
    first = begun(layout, 20)
    until(lambda: spool.draining(layout) == first.pid)
    second = begun(layout, 20)
    layout.draining.write_text(f"{second.pid}\n")  # as the hook does that started it
    assert second.wait(20) == 0
    until(lambda: spool.draining(layout) == first.pid)
    assert first.poll() is None
    first.kill()
    first.wait()


def test_one_that_was_killed_leaves_nothing_in_the_way_of_the_next(layout: Layout) -> None:
    first = begun(layout, 20)
    until(lambda: spool.draining(layout) == first.pid)
    first.kill()
    first.wait()
    claude = Claude(layout)
    claude.start()
    second = begun(layout, 0.1, "-m", "ledger.hooks.drain")  # by its name it is the same
    assert second.wait(20) == 0
    assert of_session(layout, claude.session) == ["session.started"]


def test_the_agents_terminal_cannot_interrupt_it(layout: Layout) -> None:
    process = begun(layout, 20)
    until(lambda: spool.draining(layout) == process.pid)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    assert os.getpriority(os.PRIO_PROCESS, process.pid) >= behind.NICE
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_what_goes_wrong_is_a_line_in_the_log_without_secrets_and_ends_with_0(layout: Layout) -> None:
    claude = Claude(layout)
    secret = "ghp_" + "a1B2" * 9
    claude.transcript = f"/nowhere/{secret}.jsonl"
    claude.start()
    claude.stop()
    assert begun(layout, 0.1).wait(20) == 0
    log = layout.logs / "drain.log"
    assert "No such file" in log.read_text()
    assert secret not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_without_a_ledger_it_ends_with_0(tmp_path: Path) -> None:
    assert behind_in_a_process(tmp_path / "gone") == 0


def behind_in_a_process(root: Path) -> int:
    return subprocess.run(
        [sys.executable, "-I", PROGRAM, root, "0.1"], check=False, capture_output=True, timeout=20
    ).returncode


def test_whoever_is_second_names_whoever_holds_the_lock(layout: Layout) -> None:
    claude = Claude(layout)
    claude.start()
    with Lock(layout.locks / "draining").hold(0):
        layout.draining.write_text("99999999\n")
        behind.serve(layout, 0.1)
    assert spool.draining(layout) == os.getpid()
    assert len(spool.waiting(layout)) == 1
    behind.serve(layout, 0.1)
    assert of_session(layout, claude.session) == ["session.started"]


def test_what_keeps_it_from_draining_is_told_and_what_waits_stays(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    Claude(layout).start()
    monkeypatch.setattr(fold, "FOLD", 0)
    behind.run(layout, 0.1)
    assert "this program writes" in (layout.logs / "drain.log").read_text()
    assert len(spool.waiting(layout)) == 1


def test_a_ledger_that_cannot_be_opened_is_a_line_in_its_log(layout: Layout) -> None:
    layout.config.write_text("what is this")
    behind.serve(layout, 0.1)
    assert "config.toml" in (layout.logs / "drain.log").read_text()


def test_in_this_process_it_comes_to_the_same(layout: Layout) -> None:
    claude = Claude(layout)
    claude.work()
    behind.run(layout, 0.1)
    assert is_empty(layout)
    assert len(of_session(layout, claude.session)) == 6
