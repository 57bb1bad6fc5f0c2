"""Taking hooks out where memory and files have gone their own ways: nothing of ours is forgotten, nothing else goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ledger.actions.install import Where, agent_named, carry_out, plan, target_of
from ledger.actions.installed import installed
from ledger.actions.uninstall import Undoing, plan_undoing, require_memory, take_out
from ledger.api import create_ledger
from ledger.errors import StorageError
from ledger.recording.registering import AGENTS, Scope
from ledger.storage.layout import Layout


@pytest.fixture
def where(home: Path) -> Where:
    """A git project with a ledger."""
    project = home / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    create_ledger(project / ".git/ledger")[0].close()
    return Where(Layout(project / ".git/ledger"), project, home, {"PATH": ""})


def install(where: Where, agent: str, scope: Scope = "shared") -> Path:
    target = target_of(where, agent_named(agent), scope)
    carry_out(where, plan(where, target))
    return target.path


def undo(where: Where) -> Undoing:
    undoing = plan_undoing(where)
    for removal in undoing.removals:
        take_out(where, removal)
    return undoing


@pytest.mark.parametrize("agent", AGENTS)
def test_what_was_written_where_there_was_nothing_is_known_again_without_memory(where: Where, agent: str) -> None:
    path = install(where, agent)
    where.layout.installed.unlink()
    undo(where)
    assert not path.exists()


def test_a_file_that_git_knows_without_us_is_not_deleted(where: Where) -> None:
    path = where.project / ".gemini/settings.json"
    path.parent.mkdir()
    path.write_text("{}\n")
    subprocess.run(["git", "-C", str(where.project), "add", "."], check=True)
    install(where, "gemini")
    where.layout.installed.unlink()
    undo(where)
    assert path.read_text() == "{}\n"


def test_hooks_of_the_user_are_kept_without_memory_and_taken_out_with_it(where: Where) -> None:
    path = install(where, "gemini", "user")
    memory = where.layout.installed.read_bytes()
    where.layout.installed.unlink()
    assert [(target.path, why) for target, why in undo(where).kept] == [(path, "they count in every project")]
    assert path.exists()
    where.layout.installed.write_bytes(memory)
    assert undo(where).kept == ()
    assert not path.exists()


def test_hooks_of_another_ledger_are_kept_and_of_one_that_is_gone_are_not(where: Where, home: Path) -> None:
    far = where._replace(layout=Layout(home / "far it's"))
    create_ledger(far.layout.root)[0].close()
    far.layout.hook.touch()
    path = install(far, "claude-code", "local")
    assert [why for _, why in undo(where).kept] == [f"they are those of the ledger in {far.layout.root}"]
    assert undo(far._replace(layout=Layout(home / "third"))).removals == ()
    far.layout.hook.unlink()
    undo(where)
    assert path.read_text() == "{}\n", "the line in it names the other ledger: so it is not what this one writes"


def test_a_command_that_somebody_has_cut_names_no_ledger(where: Where, home: Path) -> None:
    far = where._replace(layout=Layout(home / "far"))
    far.layout.root.mkdir()
    far.layout.hook.touch()
    path = install(far, "claude-code", "local")
    path.write_text(path.read_text().replace(f"exit 0' {far.layout.hook} ", "exit 0 "))
    assert undo(where).kept == ()


def test_a_ledger_elsewhere_leaves_the_hooks_of_the_projects_own(where: Where, home: Path) -> None:
    path = install(where, "gemini")
    far = where._replace(layout=Layout(home / "far"))
    assert [why for _, why in undo(far).kept] == ["they are those of the project's own ledger"]
    assert path.exists()


def test_planning_writes_nothing_and_doing_forgets_what_is_gone(where: Where) -> None:
    path = install(where, "gemini")
    path.unlink()
    before = where.layout.installed.read_bytes()
    plan_undoing(where)
    assert where.layout.installed.read_bytes() == before
    undo(where)
    assert installed(where.layout) == []
    assert not path.parent.exists()


def test_what_holds_nothing_of_ours_any_more_is_forgotten_as_it_stands(where: Where) -> None:
    path = install(where, "gemini")
    path.write_text('{"theme": "theirs"}')
    assert not any(one.is_needed for one in undo(where).removals)
    assert path.read_text() == '{"theme": "theirs"}'
    assert installed(where.layout) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_ledger_that_cannot_be_written_is_refused_before_anything_is_done(where: Where, home: Path) -> None:
    require_memory(where.layout)
    require_memory(Layout(home / "nowhere"))
    root = str(where.layout.root)
    subprocess.run(["mount", "--bind", root, root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
        with pytest.raises(StorageError, match=r"cannot be written, and nothing was changed$") as caught:
            require_memory(where.layout)
    finally:
        subprocess.run(["umount", root], check=True)
    assert "LEDGER_DIR" not in (caught.value.hint or "")


def test_a_moved_project_is_left_as_it_was_before(where: Where, home: Path) -> None:
    install(where, "gemini")
    where.project.rename(home / "moved")
    moved = where._replace(layout=Layout(home / "moved/.git/ledger"), project=home / "moved")
    undo(moved)
    assert not (home / "moved/.gemini/settings.json").exists()
