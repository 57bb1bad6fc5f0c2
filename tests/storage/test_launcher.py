"""The launcher is found from wherever an agent works, and whatever a path is made of; else nothing happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import InvalidError, StorageError
from ledger.storage import launcher, opening, spool
from ledger.storage.layout import Layout

SHELLS = ("sh", "bash")


def git(*arguments: str, at: Path) -> None:
    subprocess.run(["git", *arguments], cwd=at, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project under git whose folder has everything in its name that a shell might stumble over."""
    folder = tmp_path / "a 'b' \"c\" $(d) `e` \\ ;&|*?~@PYTHON@ é"
    folder.mkdir()
    git("init", "-q", at=folder)
    git("commit", "-q", "--allow-empty", "-m", "one", at=folder)
    return folder


@pytest.fixture
def ledger(project: Path) -> Layout:
    """Its ledger, with a launcher, and a drain that need not be started."""
    layout = opening.create(project / ".git" / "ledger")
    launcher.equip(layout, sys.executable)
    quiet(layout)
    return layout


def quiet(layout: Layout) -> None:
    """Let no drain start: what is kept must still be there to be looked at."""
    python = Path("/nonexistent/python")
    layout.hook.write_bytes(layout.hook.read_bytes().replace(os.fsencode(sys.executable), os.fsencode(python)))


def run(command: str, at: Path, shell: str = "sh", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as an agent does."""
    return subprocess.run(
        [shell, "-c", command], cwd=at, input=b"{}", capture_output=True, env=os.environ | environment, check=False
    )


def kept(layout: Layout) -> int:
    """How many payloads wait."""
    return len(spool.waiting(layout))


def was_silent(done: subprocess.CompletedProcess[bytes]) -> bool:
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shared_command_finds_the_ledger_from_anywhere_in_the_project(
    project: Path, ledger: Layout, shell: str
) -> None:
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    git("worktree", "add", "-q", "../beside", at=project)
    command = launcher.shared_command("codex", "Stop")
    for at in (project, below, project.parent / "beside"):
        assert was_silent(run(command, at, shell))
    assert was_silent(run(command, project.parent, shell, CLAUDE_PROJECT_DIR=str(below)))
    assert was_silent(run(command, project.parent, shell, LEDGER_DIR=str(ledger.root)))
    assert kept(ledger) == 5


def test_a_shared_command_finds_the_ledger_of_a_submodule(project: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git("init", "-q", at=outer)
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(project), "part", at=outer)
    layout = opening.create(outer / ".git" / "modules" / "part" / "ledger")
    launcher.equip(layout, sys.executable)
    quiet(layout)
    assert was_silent(run(launcher.shared_command("codex", "Stop"), outer / "part"))
    assert kept(layout) == 1


def test_a_shared_command_finds_the_ledger_of_a_project_without_git(tmp_path: Path) -> None:
    layout = opening.create(tmp_path / "plain" / ".ledger")
    launcher.equip(layout, sys.executable)
    quiet(layout)
    (tmp_path / "plain" / "below").mkdir()
    assert was_silent(run(launcher.shared_command("codex", "Stop"), tmp_path / "plain" / "below"))
    assert kept(layout) == 1


def test_a_shared_command_does_nothing_and_says_nothing_where_there_is_no_ledger(project: Path, tmp_path: Path) -> None:
    for at in (project, tmp_path):
        for place in ("", "relative/path"):
            assert was_silent(run(launcher.shared_command("codex", "Stop"), at, CLAUDE_PROJECT_DIR=place))


def test_a_shared_command_names_no_path_of_a_machine(ledger: Layout) -> None:
    assert str(Path.home()) not in launcher.shared_command("codex", "Stop")
    assert "\n" not in launcher.shared_command("codex", "Stop")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_launcher_that_belongs_to_somebody_else_is_not_run(project: Path, ledger: Layout) -> None:
    os.chown(ledger.hook, 65534, 65534)
    assert was_silent(run(launcher.shared_command("codex", "Stop"), project))
    assert was_silent(run(launcher.local_command(ledger, "codex", "Stop"), project))
    assert kept(ledger) == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_local_command_runs_the_launcher_from_anywhere(ledger: Layout, tmp_path: Path, shell: str) -> None:
    assert was_silent(run(launcher.local_command(ledger, "codex", "Stop"), tmp_path, shell))
    assert kept(ledger) == 1


def test_a_local_command_is_silent_once_the_ledger_is_gone(ledger: Layout, tmp_path: Path) -> None:
    command = launcher.local_command(ledger, "codex", "Stop")
    ledger.hook.unlink()
    assert was_silent(run(command, tmp_path))


def test_a_process_that_runs_a_command_is_the_one_whose_hook_it_is(project: Path, ledger: Layout) -> None:
    for command in (launcher.shared_command("codex", "Stop"), launcher.local_command(ledger, "codex", "Stop")):
        run(command, project)
    assert {one.pid for one in spool.waiting(ledger)} == {os.getpid()}


def test_a_ledger_that_was_moved_with_its_project_still_keeps(project: Path, ledger: Layout, tmp_path: Path) -> None:
    moved = project.rename(tmp_path / "moved\nthere")
    assert was_silent(run(launcher.shared_command("codex", "Stop"), moved))
    assert kept(Layout(moved / ".git" / "ledger")) == 1


def test_a_launcher_is_written_once_and_again_when_anything_about_it_changes(ledger: Layout) -> None:
    launcher.equip(ledger, sys.executable)
    assert not launcher.equip(ledger, sys.executable)
    assert launcher.equip(ledger, "/usr/bin/python3")
    assert launcher.equip(ledger, "/usr/bin/python3", [("codex", "SessionStart")])
    ledger.hook.chmod(0o644)
    assert launcher.equip(ledger, "/usr/bin/python3", [("codex", "SessionStart")])
    assert ledger.hook.stat().st_mode & 0o777 == 0o700


def test_a_place_keeps_its_name(ledger: Layout) -> None:
    before = ledger.place_id.read_text()
    launcher.equip(ledger, "/usr/bin/python3")
    assert ledger.place_id.read_text() == before


def test_without_a_program_that_syncs_one_file_the_shell_does_not_try(
    ledger: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sync").write_text("#!/bin/sh\nexit 0\n")  # syncs everything, whatever it is told
    (programs / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    launcher.equip(ledger, sys.executable)
    assert b"\ndd=''\n" in ledger.hook.read_bytes()


def test_a_hook_without_a_proper_name_is_refused(ledger: Layout) -> None:
    for make in (
        lambda: launcher.shared_command("co dex", "Stop"),
        lambda: launcher.local_command(ledger, "codex", "St'op"),
        lambda: launcher.equip(ledger, sys.executable, [("codex", "*)")]),
    ):
        with pytest.raises(InvalidError):
            make()


def test_a_path_that_is_no_text_can_stand_in_no_settings(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="UTF-8"):
        launcher.local_command(Layout(tmp_path / os.fsdecode(b"\xff")), "codex", "Stop")


def test_a_ledger_that_cannot_be_written_gets_no_launcher(ledger: Layout) -> None:
    ledger.hook.unlink()
    ledger.hook.mkdir()
    with pytest.raises(StorageError):
        launcher.equip(ledger, sys.executable)
