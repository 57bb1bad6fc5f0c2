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


def main_of(worktree: Path) -> Path:
    """The main worktree of a linked one, where git keeps the two side by side as usual; else the worktree itself.

    One whose git folder has another name, a bare repository's for example, has no main worktree.
    """
    own, common = opening.own_git_folder(worktree), opening.git_folder(worktree)
    if own is None or common is None or own.resolve() == common.resolve() or common.name != ".git":
        return worktree
    return common.parent


def staged(worktree: Path, name: str) -> bytes | None:
    """The bytes of a file of the worktree as git has them in its index; None where git does not track it."""
    own = opening.own_git_folder(worktree)
    ran = None if own is None else run_git(own, ["cat-file", "blob", f":{name}"])
    return ran.out if ran is not None and ran.code == 0 else None


def is_passed_over(worktree: Path, name: str) -> bool:
    """Whether `git status` says nothing of an untracked file of that name: some rule ignores it, or git is not here."""
    own = opening.own_git_folder(worktree)
    if own is None:
        return True
    asked = ["-C", str(worktree), "--work-tree=.", "check-ignore", "--quiet", "--", name]
    return run_git(own, asked).code == 0


def changed_files(worktree: Path) -> list[str] | None:
    """The files of a worktree that are not as its last commit has them, new ones too; None where git cannot say."""
    own = opening.own_git_folder(worktree) if worktree.is_dir() else None
    if own is None:
        return None
    status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"]
    ran = run_git(own, ["-C", str(worktree), "--work-tree=.", *status])
    found = ran.out.decode("utf-8", "surrogateescape").split("\0")
    return [line[3:] for line in found if line] if ran.code == 0 else None


def _branch(git_dir: Path) -> str:
    try:
        head = (git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    if head == _ELSEWHERE:
        return run_git(git_dir, ["symbolic-ref", "--quiet", "--short", "HEAD"]).out.decode("utf-8", "replace").strip()
    return head.removeprefix(_BRANCH) if head.startswith(_BRANCH) else ""
