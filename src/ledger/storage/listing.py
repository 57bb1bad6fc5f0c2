"""Listing: the files of a working tree that its project would keep, tracked or not, by git's own rules of ignoring.

The project's repository is only read: no index is refreshed, no lock taken, no setting of it starts a program.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ledger.storage import opening
from ledger.storage.program import failure, require_git, run_git
from ledger.storage.store import Oid

_LIST = ("ls-files", "-z", "-t", "--stage", "--cached")
_OTHERS = ("--others", "--exclude-standard")
_ASKED = ("config", "--get", "status.showUntrackedFiles")
_OTHER = b"? "
_MODULE = b"160000"


class Listing(NamedTuple):
    """Paths below the top of a working tree, as bytes.

    `files` names each with the blob that the index has there, "" for an untracked one, and `modules` the submodules
    with the commit checked out; the files of a submodule stand among the others. `absent` are the submodules that are
    not checked out, `nested` repositories that nobody tracks. What is listed need not exist, nor be a file.
    """

    files: dict[bytes, Oid]
    modules: dict[bytes, Oid]
    absent: list[bytes]
    nested: list[bytes]


def list_files(worktree: Path, leave_out: Path | None = None) -> Listing | None:
    """What git says of the working tree whose top is `worktree`; None where none begins there.

    Nothing below the folder `leave_out` is named. Raises StorageError, with git's own words, where git fails.
    """
    git_dir = opening.own_git_folder(worktree)
    if git_dir is None:
        return None
    found = Listing({}, {}, [], [])
    _read(worktree, git_dir, b"", found)
    hidden = _below(worktree, leave_out)
    return found if hidden is None else _without(found, hidden)


def ignored_by(worktree: Path, rules: Mapping[bytes, bytes], paths: Iterable[bytes]) -> set[bytes]:
    """Which of these paths git would ignore, tracked or not, were `rules` the `.gitignore` files of the working tree.

    The project's own excludes count beside them. Raises StorageError where git fails.
    """
    git_dir, asked = opening.own_git_folder(worktree), b"\0".join(paths)
    if git_dir is None or not asked:
        return set()
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        for path, data in rules.items():
            file = Path(folder, os.fsdecode(path))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        command = ["-C", folder, "--work-tree=.", "check-ignore", "--no-index", "--stdin", "-z"]
        ran = run_git(git_dir, command, data=asked + b"\0")
    if ran.code not in (0, 1):  # 1: none of them
        raise failure(command[3:], ran)
    return set(filter(None, ran.out.split(b"\0")))


def is_folder(path: bytes) -> bool:
    """Whether a path is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _read(worktree: Path, git_dir: Path, prefix: bytes, found: Listing) -> None:
    # Who keeps a home folder in git says so: what is not tracked there is no part of the project.
    is_tracked_only = run_git(git_dir, _ASKED).out.strip() == b"no"
    others = () if is_tracked_only else _OTHERS
    listed = require_git(git_dir, ["-C", str(worktree), "--work-tree=.", *_LIST, *others])
    for line in listed.split(b"\0"):
        if line.startswith(_OTHER):
            _add_other(prefix + line[2:], found)
        elif line:
            told, _, path = line[2:].partition(b"\t")
            mode, oid, _ = told.split(b" ")
            if mode == _MODULE:
                _add_module(worktree, prefix, path, found)
            else:
                found.files.setdefault(prefix + path, oid.decode("ascii"))


def _add_other(path: bytes, found: Listing) -> None:
    if path.endswith(b"/"):
        found.nested.append(path.rstrip(b"/"))
    else:
        found.files[path] = ""


def _add_module(worktree: Path, prefix: bytes, path: bytes, found: Listing) -> None:
    folder = worktree / os.fsdecode(path)
    git_dir = opening.own_git_folder(folder) if is_folder(os.fsencode(folder)) else None
    if git_dir is None:
        found.absent.append(prefix + path)
        return
    ran = run_git(git_dir, ["rev-parse", "--quiet", "--verify", "HEAD"])
    found.modules[prefix + path] = ran.out.decode("ascii", "replace").strip() if ran.code == 0 else ""
    _read(folder, git_dir, prefix + path + b"/", found)


def _below(worktree: Path, folder: Path | None) -> bytes | None:
    top = worktree.resolve()
    inside = None if folder is None else folder.resolve()
    return os.fsencode(inside.relative_to(top)) if inside is not None and inside.is_relative_to(top) else None


def _without(found: Listing, hidden: bytes) -> Listing:
    def is_shown(path: bytes) -> bool:
        return path != hidden and not path.startswith(hidden + b"/")

    files = {path: oid for path, oid in found.files.items() if is_shown(path)}
    return found._replace(files=files, nested=[path for path in found.nested if is_shown(path)])
