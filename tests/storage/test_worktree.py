"""The worktree around a folder, read without starting git where that is possible."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ledger.storage.worktree import Worktree, find_worktree, is_passed_over, main_of, staged


def git(*arguments: str | Path) -> None:
    subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one commit on the branch `main`."""
    folder = tmp_path / "project"
    git("init", "-q", "-b", "main", folder)
    git("-C", folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def test_the_worktree_is_found_from_any_folder_in_it(project: Path) -> None:
    inside = project / "a" / "b"
    inside.mkdir(parents=True)
    assert find_worktree(project) == Worktree(project, "main")
    assert find_worktree(inside) == Worktree(project, "main")


def test_a_linked_worktree_has_a_branch_of_its_own(project: Path, tmp_path: Path) -> None:
    git("-C", project, "worktree", "add", "-q", "-b", "feature/x", tmp_path / "linked")
    assert find_worktree(tmp_path / "linked") == Worktree(tmp_path / "linked", "feature/x")
    assert find_worktree(project) == Worktree(project, "main")


def test_a_detached_head_is_no_branch(project: Path) -> None:
    git("-C", project, "checkout", "-q", "--detach")
    assert find_worktree(project) == Worktree(project, "")


def test_outside_of_git_there_is_none(tmp_path: Path) -> None:
    assert find_worktree(tmp_path) is None


def test_a_worktree_whose_git_folder_is_gone_has_no_branch(project: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git("-C", project, "worktree", "add", "-q", linked)
    (linked / ".git").write_text("gitdir: /nowhere\n")
    assert find_worktree(linked) == Worktree(linked, "")


def test_git_is_asked_where_head_does_not_say_the_branch(tmp_path: Path) -> None:
    folder = tmp_path / "reftable"
    made = subprocess.run(
        ["git", "init", "-q", "--ref-format=reftable", "-b", "main", str(folder)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip("this git has no reftable format")
    assert find_worktree(folder) == Worktree(folder, "main")


def test_a_linked_worktree_has_the_main_one_where_git_keeps_it(project: Path, tmp_path: Path) -> None:
    git("-C", project, "worktree", "add", "-q", tmp_path / "linked")
    assert main_of(tmp_path / "linked") == project
    assert main_of(project) == project
    assert main_of(tmp_path) == tmp_path


def test_worktrees_of_a_bare_repository_have_no_main_one(project: Path, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", project, tmp_path / "bare.git")
    git(f"--git-dir={tmp_path}/bare.git", "worktree", "add", "-q", tmp_path / "linked")
    assert main_of(tmp_path / "linked") == tmp_path / "linked"


def test_a_file_is_read_as_git_has_it_in_its_index(project: Path, tmp_path: Path) -> None:
    (project / "a").write_text("staged")
    git("-C", project, "add", "a")
    (project / "a").write_text("changed since")
    assert staged(project, "a") == b"staged"
    assert staged(project, "b") is None
    assert staged(tmp_path, "a") is None


def test_what_any_rule_ignores_is_passed_over(project: Path, tmp_path: Path) -> None:
    (project / ".gitignore").write_text("local/\n*.log\n")
    assert [is_passed_over(project, name) for name in ("local/x", "a.log", "b")] == [True, True, False]
    assert is_passed_over(tmp_path, "b"), "where no git is, nothing shows in its status"
