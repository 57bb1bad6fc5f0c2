"""The worktree around a folder, read without starting git where that is possible."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ledger.storage.worktree import Worktree, find_worktree


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
