"""Spooling: the few calls of the system by which a payload is made safe, here or elsewhere.

`hooks/record.py` runs this while an agent waits, so nothing is loaded but what Python starts with: pathlib, typing and
dataclasses alone would take 28 ms (measured). Paths are texts, and what goes wrong is an OSError.
"""

from __future__ import annotations

import os
import stat

FOLDERS = ("tmp", "new", "rejected", "fired")  # of a spool, here or elsewhere

_CREATE = os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_HEX = frozenset("0123456789abcdef")
_PLACE_LENGTH = 32


def keep(ledger: str, hook: str, pid: int, raw: bytes) -> str:
    """Keep a payload, in the ledger's spool or else in the one elsewhere: the path at which it is safe.

    `hook` is the agent and its event, as in "codex~Stop". Raises the OSError of the ledger's own spool where neither
    takes it.
    """
    name = f"{hook}~{pid}~{os.urandom(16).hex()}"
    try:
        return _keep_here(ledger, name, raw)
    except OSError as refused:
        for spool in elsewhere(ledger)[:1]:
            try:
                make_elsewhere(spool)
                return _keep_in(spool, name, raw)
            except OSError:
                break
        raise refused from None


def count(ledger: str, hook: str, mark: str) -> None:
    """Count one run of a hook, as well as that can be done: a count that cannot be written is none."""
    for spool in (f"{ledger}/spool", *elsewhere(ledger)):
        try:
            fd = os.open(f"{spool}/fired/{hook}", _CREATE | os.O_APPEND, _FILE_MODE)
        except OSError:
            continue
        with open(fd, "wb", buffering=0) as file:
            file.write(mark.encode())
        return


def make(ledger: str) -> None:
    """Make the spool's folders, where they are missing, in a ledger that is there. Raises OSError."""
    for folder in (f"{ledger}/spool", *(f"{ledger}/spool/{name}" for name in FOLDERS)):
        _make_folder(folder)


def elsewhere(ledger: str) -> list[str]:
    """Where payloads may wait that the ledger's own folder could not take: the first is where we would put one."""
    try:
        with open(f"{ledger}/place", encoding="ascii") as file:
            place = file.read().strip()
    except (OSError, ValueError):
        return []
    if len(place) != _PLACE_LENGTH or not _HEX.issuperset(place):
        return []
    # Whoever drains may have another $TMPDIR than the agent whose hook it was.
    wanted, usual = os.environ.get("TMPDIR", ""), "/tmp"  # noqa: S108 - the folders below it must be ours
    usable = wanted.startswith("/") and os.access(wanted, os.W_OK | os.X_OK)
    roots = dict.fromkeys((wanted.rstrip("/"), usual) if usable else (usual,))
    return [f"{root}/ledger-{os.geteuid()}/{place}" for root in roots]


def is_ours(folder: str) -> bool:
    """Whether it is a folder, no link to one, that this user owns and nobody else may write."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def make_elsewhere(spool: str) -> None:
    """Make the folders of a spool elsewhere; raises OSError where somebody else has made them."""
    for folder in (os.path.dirname(spool), spool):
        try:
            os.mkdir(folder, _FOLDER_MODE)
        except FileExistsError:
            pass
        if not is_ours(folder):
            raise PermissionError(f"{folder} belongs to somebody else")
    for name in FOLDERS:
        _make_folder(f"{spool}/{name}")


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder, _FOLDER_MODE)
    except FileExistsError:
        return
    os.chmod(folder, _FOLDER_MODE)


def _keep_here(ledger: str, name: str, raw: bytes) -> str:
    try:
        return _keep_in(f"{ledger}/spool", name, raw)
    except FileNotFoundError:
        make(ledger)
        return _keep_in(f"{ledger}/spool", name, raw)


def _keep_in(spool: str, name: str, raw: bytes) -> str:
    draft, kept = f"{spool}/tmp/{name}", f"{spool}/new/{name}"  # noqa: S108 - no folder that others may write
    try:
        with open(os.open(draft, _CREATE | os.O_EXCL, _FILE_MODE), "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, kept)
    except BaseException:
        _remove(draft)
        raise
    _sync_folder(f"{spool}/new")
    return kept


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
