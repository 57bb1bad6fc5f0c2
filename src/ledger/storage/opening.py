"""Where a ledger's folder is, how one is made, and whether it may be opened.

Nothing here starts git, loads libgit2 or reads the environment: a session in a git hook carries
GIT_DIR of another repository, and a ledger must not follow it.
"""

from __future__ import annotations

import os
from pathlib import Path

from ledger.errors import NotALedgerError, RefusedError
from ledger.storage.files import make_folder, refusals, sync_folder, write_file
from ledger.storage.layout import FOLDER_NAME, PLAIN_FOLDER_NAME, Layout

_GIT_PARTS = ("HEAD", "objects", "refs")
_INSIDE_GIT = ("objects", "objects/info", "objects/pack", "refs", "refs/heads")

HEAD = b"ref: refs/heads/main\n"

# SHA-1 objects and files for refs are all that libgit2 1.9.7 reads. No reflog: the journal and the
# remembered heads keep what one would. gc runs on our own schedule and never at a writer's expense.
CONFIG = b"""\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
\tsharedRepository = 0600
[gc]
\tauto = 0
[maintenance]
\tauto = false
[receive]
\tdenyNonFastForwards = true
\tdenyDeletes = true
\tfsckObjects = true
[transfer]
\tfsckObjects = true
"""


def find(start: Path) -> Path | None:
    """The ledger folder that belongs to `start`, or None; `place_for` says where a new one would go.

    Inside a git project: `ledger` in the git folder that all its worktrees share, else a `.ledger`
    within the project. Elsewhere: the nearest `.ledger` in this folder or above.
    """
    for folder in _upwards(start):
        git_dir = git_folder(folder)
        if git_dir is not None and (git_dir / FOLDER_NAME).is_dir():
            return git_dir / FOLDER_NAME
        if (folder / PLAIN_FOLDER_NAME).is_dir():
            return folder / PLAIN_FOLDER_NAME
        if git_dir is not None:
            return None
    return None


def place_for(start: Path) -> Path:
    """Where a new ledger for `start` goes: into the project's git folder, else `.ledger` right here."""
    for folder in _upwards(start):
        git_dir = git_folder(folder)
        if git_dir is not None:
            return git_dir / FOLDER_NAME
    return start.absolute() / PLAIN_FOLDER_NAME


def git_folder(folder: Path) -> Path | None:
    """The git folder that the project at `folder` shares among its worktrees, or None.

    Understands a worktree's and a submodule's `.git` file, and a bare repository.
    """
    inside = folder / ".git"
    if inside.is_file():
        named = _pointed_to(inside)
        return None if named is None else _common(named)
    for candidate in (inside, folder):
        if is_git_folder(candidate):
            return _common(candidate)
    return None


def own_git_folder(folder: Path) -> Path | None:
    """The git folder of the one worktree that begins at `folder`, or None where none does."""
    inside = folder / ".git"
    if inside.is_file():
        return _pointed_to(inside)
    return inside if is_git_folder(inside) else None


def is_git_folder(folder: Path) -> bool:
    """Whether git would take the folder for a repository's own: a project's `.git`, or a bare repository."""
    return all((folder / part).exists() for part in _GIT_PARTS)


def create(root: Path) -> Layout:
    """Make a ledger's folder, or complete one whose making was cut short; what exists is kept.

    Folders get mode 0700 and files 0600 whatever the umask; everything is synced before this returns.
    Raises RefusedError if the folder belongs to somebody else, StorageError if the disk refuses.
    """
    layout = Layout(root)
    with refusals(root):
        _make_root(root)
        _require_owner(root)
        for folder in layout.folders:
            make_folder(folder)
        for repository in layout.repositories:
            _make_repository(repository)
        if not layout.config.exists():
            write_file(layout.config, b"", durable=True)
        sync_folder(root)
    return layout


def require(root: Path) -> Layout:
    """The layout of the ledger at `root`, checked.

    Raises NotALedgerError naming all that is missing, RefusedError if it belongs to somebody else.
    """
    layout = Layout(root)
    if not root.is_dir():
        raise NotALedgerError(
            f"{root} is not a ledger: there is no such folder", hint="check the path; `ledger init` makes a ledger"
        )
    missing = missing_parts(layout)
    if missing:
        raise NotALedgerError(
            f"{root} is not a ledger: it has no {', '.join(missing)}",
            hint="`ledger init` makes one, or completes one that was left half-made",
        )
    _require_owner(root)
    return layout


def missing_parts(layout: Layout) -> list[str]:
    """What a ledger needs and `layout` lacks, as paths within it; empty for a whole one.

    HEAD and config that are there but empty count as missing: a power cut leaves them so. The folders that a writer
    makes again when it needs them, such as the index and the spool, do not.
    """
    if not layout.root.is_dir():
        return ["folder"]
    wanted = [repository / part for repository in layout.repositories for part in ("objects", "refs")]
    missing = [path for path in (*wanted, layout.journal) if not path.is_dir()]
    files = [repository / name for repository in layout.repositories for name in ("HEAD", "config")]
    missing += [path for path in files if not _has_content(path)]
    return [str(path.relative_to(layout.root)) for path in sorted(missing)]


def _upwards(start: Path) -> tuple[Path, ...]:
    here = start.absolute()
    return (here, *here.parents)


def _pointed_to(git_file: Path) -> Path | None:
    word, _, path = git_file.read_text(encoding="utf-8", errors="surrogateescape").partition(" ")
    return git_file.parent / path.rstrip("\n") if word == "gitdir:" else None


def _common(git_dir: Path) -> Path:
    pointer = git_dir / "commondir"
    if not pointer.is_file():
        return git_dir
    common = pointer.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    return (git_dir / common).resolve()


def _make_root(root: Path) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    for folder in reversed(missing):
        make_folder(folder)
        sync_folder(folder.parent)


def _make_repository(path: Path) -> None:
    make_folder(path)
    for name in _INSIDE_GIT:
        make_folder(path / name)
    # HEAD comes last: git takes a folder with a HEAD for a repository.
    for name, content in (("config", CONFIG), ("HEAD", HEAD)):
        if not _has_content(path / name):
            write_file(path / name, content, durable=True)
    for name in ("objects", "refs", "."):
        sync_folder(path / name)


def _has_content(path: Path) -> bool:
    # A power cut leaves a file empty, or full of zeros.
    return path.is_file() and bool(path.read_bytes().strip(b"\0"))


def _require_owner(root: Path) -> None:
    """The ledger must be ours, or its project's owner's where we run as root for them (sudo)."""
    owner = root.stat().st_uid
    allowed = {os.geteuid()}
    if os.geteuid() == 0:
        allowed.add(root.parent.stat().st_uid)
    if owner not in allowed:
        raise RefusedError(
            f"{root} belongs to user {owner}, and this process is user {os.geteuid()}",
            hint=f"run as its owner, or, if you trust what is in it: chown -R {os.geteuid()} {root}",
        )
