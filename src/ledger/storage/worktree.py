"""The worktree of the project's own repository around a folder: where it begins, and the branch in it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ledger.storage import opening
from ledger.storage.program import run_git

_BRANCH = "ref: refs/heads/"
# With the reftable format HEAD holds only this; where the branch is, git alone can say.
_ELSEWHERE = "ref: refs/heads/.invalid"


class Worktree(NamedTuple):
    """The top folder of a worktree, and the name of its branch: "" where none is checked out."""

    path: Path
    branch: str


def find_worktree(start: Path) -> Worktree | None:
    """The worktree that `start` lies in, or None outside of git; reads files, and starts git only where it must."""
    for folder in (start, *start.parents):
        git_dir = opening.own_git_folder(folder)
        if git_dir is not None:
            return Worktree(folder, _branch(git_dir))
    return None


def _branch(git_dir: Path) -> str:
    try:
        head = (git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    if head == _ELSEWHERE:
        return run_git(git_dir, ["symbolic-ref", "--quiet", "--short", "HEAD"]).out.decode("utf-8", "replace").strip()
    return head.removeprefix(_BRANCH) if head.startswith(_BRANCH) else ""
