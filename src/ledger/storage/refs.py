"""Refs as files, moved under git's own lock files and never without comparing first.

Written here and not through libgit2 because libgit2 hides an empty ref from its list and cannot
overwrite it, does not say why a lock failed, creates files by the umask, and syncs for the whole
process or not at all. The protocol on disk is git's: `<ref>.lock` taken with O_EXCL, the value
compared under it, rename; so git and libgit2 may work on the same refs meanwhile.

A lock file of ours is locked besides, by the kernel, and has a mode that git gives to none: so one that a killed
writer left is known as that, and keeps nobody waiting. One that git left is known by its age alone.
"""

# This is the hot path, on text paths: a Path costs 2 to 5 µs a call.
# ruff: noqa: PTH102, PTH104, PTH108, PTH112, PTH116, PTH123

from __future__ import annotations

import os
import random
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ledger.errors import BusyError, DamageError, InvalidError, Problem
from ledger.storage import codec, locks
from ledger.storage.files import (
    FILE_MODE,
    FOLDER_MODE,
    files_below,
    modified,
    storage_error,
    sync_folder,
    write_all,
    write_file,
)
from ledger.storage.layout import is_ref_name, require_ref_name
from ledger.storage.store import Oid

_LOCK_SECONDS = 1.0  # git itself holds a ref's lock for well under a millisecond
_PACKED_SECONDS = 0.2  # and of all packed ones for a few; a branch that could not be deleted does no harm
_LONGEST_PAUSE = 0.010
_OURS = 0o400  # the mode of a lock file of ours; it needs no more than that to be renamed
_SYMBOLIC = b"ref: "
_PACKED = re.compile(rb"([0-9a-f]{40}) (refs/[^\0-\x20\x7f]+)")
_IGNORED = (b"#", b"^")  # the header, and the peeled value of a tag


class BadRef(NamedTuple):
    """A file among the refs that names no commit, and why."""

    path: Path
    reason: str


class Refs:
    """The refs of one repository."""

    def __init__(self, git_dir: Path, *, durable: bool) -> None:
        self._root = str(git_dir)
        self._durable = durable
        self._packed: dict[str, Oid] = {}
        self._packed_stamp: tuple[int, int, int] | None = None

    def read(self, name: str) -> Oid | None:
        """The value of a ref, or None. Raises DamageError if its file holds something else."""
        value = self._loose(name)
        return self._packed_refs().get(name) if value is None else value

    def list(self, prefix: str) -> dict[str, Oid]:
        """Every ref that starts with `prefix`, sorted; symbolic refs are left out."""
        # Files first, as git does: a ref that is packed between the two looks is met twice, and not missed.
        loose = {name: value for name in self._loose_names(prefix) if (value := self._loose(name)) is not None}
        packed = {name: oid for name, oid in self._packed_refs().items() if name.startswith(prefix)}
        return dict(sorted((packed | loose).items()))

    def move(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Compare and swap; see `EventStore.move_ref`."""
        require_ref_name(name)
        path = f"{self._root}/{name}"
        try:
            with self._locked(path) as lock:
                if self.read(name) != old:
                    return False
                if new is None:
                    self._delete(name, path)
                elif new != old:
                    lock.publish(f"{new}\n".encode(), path)
                return True
        except OSError as fault:
            raise storage_error(fault, path) from fault

    def _loose(self, name: str) -> Oid | None:
        path = f"{self._root}/{name}"
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.read(4096)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as fault:
            raise storage_error(fault, path) from fault
        if data.startswith(_SYMBOLIC):
            return None
        return _value(path, data)

    def _loose_names(self, prefix: str) -> Iterator[str]:
        top = f"{self._root}/{prefix.rpartition('/')[0] or 'refs'}"
        for folder, _, files in os.walk(top):
            for file in files:
                name = f"{folder}/{file}"[len(self._root) + 1 :]
                if name.startswith(prefix) and is_ref_name(name):
                    yield name

    def _packed_refs(self) -> dict[str, Oid]:
        path = f"{self._root}/packed-refs"
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return {}
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._packed_stamp:
            with open(path, "rb") as file:
                self._packed = dict(_packed_lines(path, file.read()))
            self._packed_stamp = stamp
        return self._packed

    @contextmanager
    def _locked(self, path: str, seconds: float = _LOCK_SECONDS) -> Iterator[_RefLock]:
        lock = _RefLock(f"{path}.lock", self._durable)
        lock.take(seconds)
        try:
            yield lock
        finally:
            lock.release()

    def _delete(self, name: str, path: str) -> None:
        packed = f"{self._root}/packed-refs"
        # As git does. Locked to the end, or who packs refs at this moment has seen this one and packs it after it is
        # gone; and the packed line goes first, or a crash in between would bring back an old value.
        with self._locked(packed, _PACKED_SECONDS):
            if name in self._packed_refs():
                with open(packed, "rb") as file:
                    kept = _without(file.read(), name)
                write_file(Path(packed), kept, durable=self._durable)
            try:
                os.unlink(path)
            except (FileNotFoundError, IsADirectoryError):
                return
        if self._durable:
            sync_folder(path.rpartition("/")[0])


class _RefLock:
    """git's lock file of one ref, which becomes its new value."""

    def __init__(self, path: str, durable: bool) -> None:
        self._path = path
        self._durable = durable
        self._fd = -1

    def take(self, seconds: float) -> None:
        """Create the lock file, waiting so long for another writer; raises BusyError after that."""
        deadline = time.monotonic() + seconds
        while not self._try():
            if time.monotonic() > deadline:
                raise BusyError(f"{self._path} is held by another writer", hint=_left_behind(self._path))
            time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 - jitter, not a secret

    def publish(self, data: bytes, path: str) -> None:
        """Make `data` the content of the locked file."""
        write_all(self._fd, data)
        if self._durable:
            os.fsync(self._fd)
        os.rename(self._path, path)
        os.fchmod(self._fd, FILE_MODE)
        self._let_go()
        if self._durable:
            sync_folder(path.rpartition("/")[0])

    def release(self) -> None:
        """Remove the lock file, unless it became the new value."""
        if self._fd < 0:
            return
        # A signal may raise just after it became the new value: a lock of that name is then somebody else's.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._fd)):
                os.unlink(self._path)
        self._let_go()

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        locks.let_go(fd)

    def _try(self) -> bool:
        try:
            fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _OURS)
        except FileExistsError:
            self._remove_left()
            return False
        except FileNotFoundError:
            _make_parents(self._path.rpartition("/")[0], durable=self._durable)
            return False
        except NotADirectoryError as fault:
            raise InvalidError(
                "this ref cannot be written:", [Problem(self._path, "another ref stands in its way")]
            ) from fault
        if self._has(fd):
            self._fd = fd
        return self._fd >= 0

    def _remove_left(self) -> None:
        """Remove the lock file if a writer of ours left it that was killed: nobody holds it any more."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # gone by now, or none of ours
            return
        if stat.S_IMODE(os.fstat(fd).st_mode) != _OURS:
            os.close(fd)
        elif self._has(fd):
            os.unlink(self._path)
            locks.let_go(fd)

    def _has(self, fd: int) -> bool:
        """Lock the open file, or close it; whether it is held, and still the lock file: others may have removed it."""
        if not locks.claim(fd):
            os.close(fd)
            return False
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(fd)):
                return True
        locks.let_go(fd)
        return False


def bad_refs(git_dir: Path) -> list[BadRef]:
    """The files among the refs that name no commit, found by listing the folder.

    libgit2 leaves such refs out of its list, so a lost session would look like no session.
    """
    found = [BadRef(path, reason) for path in _ref_files(git_dir) if (reason := _fault(path))]
    packed = git_dir / "packed-refs"
    try:
        _packed_lines(str(packed), packed.read_bytes())
    except FileNotFoundError:
        pass
    except DamageError as damage:
        found.append(BadRef(packed, damage.message))
    return found


def left_locks(git_dir: Path, *, older_than: float = 60.0) -> list[Path]:
    """Lock files older than this many seconds: whoever took them was killed.

    They are reported, never removed here: remove one only while holding the lock of recovery.
    """
    places = [*git_dir.glob("*.lock"), *(path for path in files_below(git_dir / "refs") if path.suffix == ".lock")]
    return sorted(path for path in places if time.time() - (modified(path) or time.time()) > older_than)


def left_by_packing(git_dir: Path, *, older_than: float = 60.0) -> list[Path]:
    """What a git left that was killed while it packed refs, older than this many seconds: no other packs past it."""
    places = (git_dir / "packed-refs.lock", git_dir / "packed-refs.new")
    return [path for path in places if time.time() - (modified(path) or time.time()) > older_than]


def set_ref_file(git_dir: Path, name: str, oid: Oid) -> None:
    """Put a damaged or missing ref right, durably; a ref that reads well is refused.

    For recovery only, under its lock, and after the damaged file was moved to quarantine.
    """
    if not Refs(git_dir, durable=True).move(name, oid, None):
        raise InvalidError("this ref cannot be set:", [Problem(name, "it has a value already")])


def _value(path: str, data: bytes) -> Oid:
    text = data.rstrip(b"\n").decode("ascii", "replace")
    if not codec.is_oid(text):
        raise DamageError(f"{path} holds no object id ({len(data)} bytes)", hint="run: ledger verify --full")
    return text


def _packed_lines(path: str, data: bytes) -> list[tuple[str, Oid]]:
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        match = _PACKED.fullmatch(line)
        if match:
            found.append((match[2].decode("utf-8", "surrogateescape"), match[1].decode("ascii")))
        elif not line.startswith(_IGNORED):
            raise DamageError(f"{path}: line {number} is damaged", hint="run: ledger verify --full")
    return found


def _without(packed: bytes, name: str) -> bytes:
    """The packed refs without one of them, and without the peeled value that may follow it."""
    kept: list[bytes] = []
    skipping = False
    for line in packed.splitlines(keepends=True):
        skipping = line[41:].rstrip(b"\n") == name.encode() or (skipping and line.startswith(b"^"))
        if not skipping:
            kept.append(line)
    return b"".join(kept)


def _make_parents(folder: str, *, durable: bool) -> None:
    # git removes folders left empty, so this may have to be done more than once.
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = folder.rpartition("/")[0]
    for path in reversed(missing):
        try:
            os.mkdir(path, FOLDER_MODE)
        except FileExistsError:
            continue
        if durable:
            sync_folder(path.rpartition("/")[0])


def _left_behind(lock: str) -> str:
    return f"if no ledger or git process runs, it was left by a killed one: remove {lock}"


def _ref_files(git_dir: Path) -> list[Path]:
    return sorted(path for path in files_below(git_dir / "refs") if path.suffix != ".lock")


def _fault(path: Path) -> str | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # deleted since it was listed: its session published everything
        return None
    if data.startswith(_SYMBOLIC) or codec.is_oid(data.rstrip(b"\n").decode("ascii", "replace")):
        return None
    return "is empty" if not data.strip(b"\0") else "holds no object id"
