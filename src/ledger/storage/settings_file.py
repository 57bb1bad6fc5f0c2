"""Settings files of others: read, and replaced as a whole with their mode and owner kept; links lead nowhere else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import BusyError, RefusedError
from ledger.storage.files import FILE_MODE, refusals, sync_folder, write_all

LARGEST = 16 * 1024 * 1024


def read(path: Path, within: Path) -> bytes | None:
    """The bytes of a settings file, or None where there is none.

    Raises RefusedError for what is no file, or a link that leads out of `within`; StorageError where the system
    refuses.
    """
    target = _target(path, within)
    with refusals(path):
        try:
            status = target.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            raise RefusedError(f"{path} is not a settings file", hint="move what is there out of the way")
        return target.read_bytes()


def write(path: Path, within: Path, before: bytes | None, after: bytes, *, is_own: bool) -> list[Path]:
    """Replace a file that still holds `before`; returns the folders that had to be made for it.

    A new file is its owner's alone if it `is_own`, else as the umask says. Raises RefusedError as `read` does, and for
    a file of somebody else; BusyError for one that changed meanwhile; StorageError where the system refuses.
    """
    _require_unchanged(path, within, before)
    target = _target(path, within)
    with refusals(path):
        made = _make_folders(target.parent)
        _replace(target, after, FILE_MODE if is_own else 0o666)
        sync_folder(target.parent)
    return made


def remove(path: Path, within: Path, before: bytes | None, folders: Sequence[Path]) -> None:
    """Delete a file that still holds `before` (None: is not there), and those of the folders that are empty then.

    Raises BusyError for a file that changed meanwhile, RefusedError and StorageError as `write` does.
    """
    _require_unchanged(path, within, before)
    if before is not None:
        with refusals(path):
            _target(path, within).unlink(missing_ok=True)
    for folder in reversed(folders):
        with contextlib.suppress(OSError):  # something else is in it, or it is gone
            folder.rmdir()


def make_folders(folder: Path, within: Path) -> list[Path]:
    """Make a folder and what it lies in; returns those that had to be made. Raises RefusedError and StorageError."""
    target = _target(folder, within)
    with refusals(folder):
        return _make_folders(target)


def _require_unchanged(path: Path, within: Path, before: bytes | None) -> None:
    if read(path, within) != before:
        raise BusyError(f"{path} changed while it was being looked at", hint="try again; nothing was written")


def _target(path: Path, within: Path) -> Path:
    """The file that is meant, links followed within the folder `within`."""
    with refusals(path):
        target, root = path.resolve(), within.resolve()
    if not target.is_relative_to(root):
        raise RefusedError(
            f"{path} is a link that leads out of {root}: to {target}",
            hint="make it a file of its own, then try again",
        )
    return target


def _make_folders(folder: Path) -> list[Path]:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir()
        sync_folder(one.parent)
    return list(reversed(missing))


def _replace(target: Path, data: bytes, mode: int) -> None:
    there = target.stat() if target.exists() else None
    if there is not None and os.geteuid() not in (0, there.st_uid):
        raise RefusedError(f"{target} belongs to user {there.st_uid}", hint="run as its owner")
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        if there is not None:
            os.fchown(fd, there.st_uid, there.st_gid)
            os.fchmod(fd, stat.S_IMODE(there.st_mode))
        write_all(fd, data)
        os.fsync(fd)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
