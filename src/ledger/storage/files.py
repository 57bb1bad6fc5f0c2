"""Writing files and folders so that they last, and saying why where they do not."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import StorageError

FILE_MODE = 0o600
FOLDER_MODE = 0o700

HINTS = {
    errno.ENOSPC: "the disk is full: free some space and try again; what was acknowledged is safe",
    errno.EDQUOT: "your quota is used up: free some space and try again; what was acknowledged is safe",
    errno.EROFS: "the file system is read-only: mount it for writing, or set LEDGER_DIR to another folder",
    errno.EACCES: "you may not write there: check the owner and the modes of the folder",
    errno.EPERM: "you may not write there: check the owner and the modes of the folder",
    errno.EIO: "the disk reports a fault: check it, then run: ledger verify --full",
    errno.EMFILE: "too many files are open in this process: raise `ulimit -n`",
}


def storage_error(fault: OSError, path: str | Path) -> StorageError:
    """The error of the family for a refusal of the system: its own words, the path, and what to do."""
    reason = os.strerror(fault.errno) if fault.errno else str(fault)
    return StorageError(f"{path}: {reason}", hint=HINTS.get(fault.errno or 0))


@contextlib.contextmanager
def refusals(path: str | Path) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError about `path`."""
    try:
        yield
    except OSError as fault:
        raise storage_error(fault, fault.filename or path) from fault


def files_below(folder: str | Path) -> Iterator[Path]:
    """Every file below a folder, links included; what others remove meanwhile, and an absent folder, is passed over."""
    for place, _, names in os.walk(folder, onerror=_tell_unless_gone):
        for name in names:
            yield Path(place, name)


def modified(path: Path) -> float | None:
    """When the file was last written (seconds since 1970); None where it is gone."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return None


def touch(path: Path) -> bool:
    """Set a file's time of writing to now; False where there is none, or the system refuses. Links are not followed."""
    try:
        os.utime(path, follow_symlinks=False)
    except OSError:  # most often there is no such file; and a heartbeat that is lost takes no work with it
        return False
    return True


def _tell_unless_gone(fault: OSError) -> None:
    if not isinstance(fault, FileNotFoundError):
        raise fault


def write_all(fd: int, data: bytes | bytearray) -> None:
    """Write every byte: a disk that fills up takes a part first, and only the next call fails."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            done += os.write(fd, view[done:])


def sync_folder(path: str | Path) -> None:
    """Make the names in a folder last: a file's own fsync does not cover its name."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, whatever the umask; its parents must exist."""
    try:
        path.mkdir(mode=FOLDER_MODE)
    except FileExistsError:
        return
    path.chmod(FOLDER_MODE)


def write_file(path: Path, data: bytes, *, durable: bool, mode: int = FILE_MODE) -> None:
    """Replace a file as a whole: readers see the old bytes or the new ones, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fd = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(fd, mode)
        write_all(fd, data)
        if durable:
            os.fsync(fd)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    if durable:
        sync_folder(path.parent)
