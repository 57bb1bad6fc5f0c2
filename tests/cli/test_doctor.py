"""Doctor: what is wrong with recording is found by trying it, each fault with the way to mend it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.actions.payloads import Claude
from tests.cli.conftest import Run

from ledger.actions.storeroom import CHECKS
from ledger.recording.payloads.dialects import DIALECTS
from ledger.storage import spool
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.testing import Clock

HOOKS = len(DIALECTS["claude-code"].HOOKS)


ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git project in which Claude Code is recorded."""
    folder = home / "project"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert run("init").code == run("hooks", "install", "claude-code", "git").code == 0
    return folder


@pytest.fixture
def layout(project: Path) -> Layout:
    return Layout(project / ".git/ledger")


def check(run: Run, name: str) -> dict[str, Any]:
    """The check of that name; that it is wrong, or not, is what the exit code says too."""
    result = run("doctor", "--json")
    answer = json.loads(result.out)
    assert result.code == (0 if answer["ok"] else 1)
    (found,) = (one for one in answer["checks"] if one["name"] == name)
    assert found["ok"] == (found["fix"] == "")
    assert (ROOT / found.pop("runbook")).is_file()
    return dict(found)


def test_where_all_is_well_it_says_so(project: Path, run: Run) -> None:
    result = run("doctor")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "ok  recording             is on"
    assert lines[1] == f"ok  launcher              {project}/.git/ledger/hook"
    assert lines[2] == f"ok  claude-code settings  {project}/.claude/settings.json: as installed"
    assert lines[3].startswith(f"ok  claude-code hooks     {HOOKS} of {HOOKS} arrive, half of them within ")
    assert lines[4].startswith("ok  git hooks             5 of 5 arrive, half of them within ")
    assert lines[5:] == [
        "ok  spool                 can be written",
        "ok  rejected              none",
        *(f"ok  {name:<21} in order" for name in CHECKS),
    ]
    assert result.err == "Recording works, and the store is whole.\n"


def test_a_probe_leaves_nothing_behind(project: Path, run: Run, layout: Layout) -> None:
    run("doctor")
    assert spool.waiting(layout) == []
    assert all(count.fired == 0 for count in spool.fired(layout).values())
    # That nobody holds a lease may have been noted by who drains; nobody was told anything.
    assert not layout.told.exists() or set(layout.told.iterdir()) <= {layout.no_leases}
    assert [json.loads(line)["type"] for line in run("log", "--jsonl").out.splitlines()] == ["ledger.created"]


def test_a_hook_of_git_that_tells_nothing_is_found(project: Path, run: Run, layout: Layout) -> None:
    layout.git_hook.write_text("#!/bin/sh\nexit 0\n")
    found = check(run, "git hooks")
    assert found["detail"].startswith("5 of 5 do not arrive: post-commit: it ran, and nothing arrived in the spool; ")
    assert found["fix"] == "ledger up"
    assert run("up", "--yes").code == 0
    assert check(run, "git hooks")["ok"]


def test_a_probe_of_gits_hooks_runs_nothing_that_is_the_users(project: Path, run: Run) -> None:
    shim = project / ".git/hooks/post-commit"
    users = shim.with_name("post-commit.before-ledger")
    users.write_text(f"#!/bin/sh\ntouch {project}/ran\n")
    users.chmod(0o755)
    assert check(run, "git hooks")["ok"]
    assert not (project / "ran").exists()
    subprocess.run([shim], cwd=project, check=True)
    assert (project / "ran").exists()


def test_what_a_probe_was_given_to_read_goes_with_it(project: Path, run: Run, layout: Layout) -> None:
    run("set", "auth/decision", "device flow")
    for _ in range(2):
        result = run("doctor")
        assert result.code == 0, result.out
        assert [one.event for one in spool.waiting(layout)] == []
        assert spool.rejected(layout) == []
    assert run("inject", "--show").out == ""


def test_a_launcher_that_is_gone_is_found_and_up_mends_it(project: Path, run: Run, layout: Layout) -> None:
    layout.hook.unlink()
    assert check(run, "launcher")["detail"] == f"{layout.hook} is not there: every hook does nothing"
    wrong = check(run, "claude-code hooks")
    assert f"{HOOKS} of {HOOKS} do not arrive" in wrong["detail"]
    assert wrong["fix"] == "ledger up"
    assert run("up", "--yes").code == 0
    assert check(run, "claude-code hooks")["ok"]


def test_a_launcher_that_may_not_be_run_is_found(project: Path, run: Run, layout: Layout) -> None:
    layout.hook.chmod(0o600)
    assert check(run, "launcher")["detail"] == f"{layout.hook} may not be run"


def test_a_launcher_of_another_python_is_found(project: Path, run: Run, layout: Layout) -> None:
    layout.hook.write_text(layout.hook.read_text().replace(sys.executable, "/nowhere/python"))
    assert check(run, "launcher")["detail"] == "it was written for another Python than the one that runs this"


def test_a_hook_that_was_changed_and_does_nothing_any_more_is_found(project: Path, run: Run) -> None:
    """What stands in the file looks like ours; only trying it tells."""
    path = project / ".claude/settings.json"
    path.write_text(path.read_text().replace("exec sh -c", "true; : sh -c", 1))
    event = DIALECTS["claude-code"].HOOKS[0].event
    assert check(run, "claude-code settings")["detail"].endswith(f"{event} is not as it was installed")
    wrong = check(run, "claude-code hooks")
    assert wrong["detail"] == f"1 of {HOOKS} do not arrive: {event}: it ran, and nothing arrived in the spool"


def test_a_hook_that_fails_is_told_with_its_code(project: Path, run: Run) -> None:
    path = project / ".claude/settings.json"
    path.write_text(path.read_text().replace("exec sh -c", "exit 3; : sh -c", 1))
    assert "it ended with 3" in check(run, "claude-code hooks")["detail"]


def test_a_hook_that_reports_as_another_is_found(project: Path, run: Run) -> None:
    path = project / ".claude/settings.json"
    event = DIALECTS["claude-code"].HOOKS[0].event
    path.write_text(path.read_text().replace(f"ledger claude-code {event}", "ledger claude-code Elsewhere"))
    assert f"{event}: it arrived as claude-code Elsewhere" in check(run, "claude-code hooks")["detail"]


def test_a_pause_is_a_reason_and_no_hook_is_tried(project: Path, run: Run) -> None:
    run("pause", "--because", "secrets on screen")
    paused = check(run, "recording")
    assert paused["fix"] == "ledger unpause"
    assert "secrets on screen" in paused["detail"]
    names = [one["name"] for one in json.loads(run("doctor", "--json").out)["checks"]]
    assert "claude-code hooks" not in names


def test_the_emergency_stop_and_ledger_off_are_reasons(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("off", "all")
    assert check(run, "recording")["fix"] == "ledger on all"
    run("on", "all")
    monkeypatch.setenv("LEDGER_OFF", "1")
    assert check(run, "recording")["detail"] == "LEDGER_OFF is set here: hooks that see it keep nothing"


def test_a_spool_that_cannot_be_written_is_found(project: Path, run: Run, layout: Layout) -> None:
    (layout.spool / "tmp").rmdir()
    (layout.spool / "tmp").write_bytes(b"")
    assert check(run, "spool")["detail"] == "cannot be written: Not a directory"


def test_what_was_rejected_is_told_with_the_reason(project: Path, run: Run, layout: Layout) -> None:
    with Lock(layout.drain_lock).hold(10):  # what drains behind a hook would have its own reason
        spool.reject(layout, spool.put(layout, "claude-code", "Stop", 1, b"{"), b"{", "it is cut short")
    assert check(run, "rejected")["detail"] == "1 could not be recorded: it is cut short"


def test_files_that_are_no_payloads_are_named(project: Path, run: Run, layout: Layout) -> None:
    (layout.spool / "new" / "shopping list").write_bytes(b"milk")
    assert "shopping list" in check(run, "strangers")["detail"]


def test_hooks_that_fired_and_left_no_event_are_a_gap(project: Path, run: Run, layout: Layout, clock: Clock) -> None:
    spool.count(layout, "claude-code", "Stop", "x")
    assert check(run, "claude-code events")["detail"] == "its hooks have fired, and no event came of it"


def test_a_single_payload_that_was_lost_among_others_is_named(project: Path, run: Run, layout: Layout) -> None:
    claude = Claude(layout)
    for _ in range(3):
        spool.count(layout, "claude-code", "PostToolUse", "x")
        claude.use(f"toolu_{_}")
    run("status")
    fired = layout.spool / "fired" / "claude-code~PostToolUse"
    os.utime(fired, (0, 0))
    assert check(run, "claude-code events")["ok"]
    spool.count(layout, "claude-code", "PostToolUse", "x")  # a hook that was killed before it kept anything
    assert "came to anything" not in check(run, "claude-code events")["detail"]  # it may be at work
    os.utime(fired, (0, 0))
    found = check(run, "claude-code events")
    assert found["detail"] == "fired, and no payload came to anything: PostToolUse: 1 of 4"
    shutil.rmtree(layout.spool / "done")
    assert check(run, "claude-code events")["detail"] != found["detail"]
    claude.use("toolu_new")
    spool.count(layout, "claude-code", "PostToolUse", "x")
    run("status")
    os.utime(fired, (0, 0))
    assert "came to anything" not in check(run, "claude-code events")["detail"]


def test_hooks_that_fired_and_became_events_are_no_gap(project: Path, run: Run, layout: Layout) -> None:
    spool.count(layout, "claude-code", "Stop", "x")
    os.utime(layout.spool / "fired" / "claude-code~Stop", (0, 0))
    run("session", "start", "--agent", "claude-code", "--key", "k")
    assert check(run, "claude-code events")["ok"]


def test_gits_hooks_that_are_gone_are_named(project: Path, run: Run) -> None:
    (project / ".git/hooks/post-commit").unlink()
    missing = check(run, "git hooks")
    assert missing["detail"].startswith("post-commit missing")
    assert missing["fix"] == "ledger hooks install git"


def test_without_hooks_there_is_nothing_to_record(ledger: Run) -> None:
    assert check(ledger, "settings") == {
        "name": "settings",
        "ok": False,
        "detail": "no agent's settings have our hooks",
        "fix": "ledger up",
    }
