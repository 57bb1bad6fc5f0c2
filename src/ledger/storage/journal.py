"""The journal: a write-ahead log, one file a session, that makes an acknowledged event survive a power cut.

An event is in its commit and the tree follows from the law, so the raw commit is all that must be
synced before an event is acknowledged; objects and refs follow unsynced. One record:

    LJ1 <bytes> <crc32> <oid> <ref:ref or -> <oid or ->
    <the raw commit>

The CRC covers the rest of the line and the commit. The last two fields say which refs move to the
commit, and which commit it supersedes: one whose move of a ref was lost to another writer.
"""

from __future__ import annotations

import os
import re
import threading
import zlib
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from ledger.errors import StorageError, UsageError
from ledger.storage.files import FILE_MODE, storage_error, sync_folder, write_all, write_file
from ledger.storage.store import Oid

CUT_ABOVE = 4 * 1024 * 1024  # bytes
BATCH_SECONDS = 0.005

_HEAD = re.compile(rb"LJ1 (\d{1,10}) ([0-9a-f]{8}) (([0-9a-f]{40}) (\S+) ([0-9a-f]{40}|-))\n")
_LONGEST_HEAD = 4096
_NONE = "-"


class JournalRecord(NamedTuple):
    """One commit that is about to be acknowledged.

    `refs` are the refs that move to it (none within a batch, except for its last). `raw` is the
    commit; empty where the record only says that `supersedes` does not count.
    """

    oid: Oid
    raw: bytes
    refs: tuple[str, ...] = ()
    supersedes: Oid | None = None


class Reading(NamedTuple):
    """What a journal holds: its records, and how many of its bytes they make up."""

    records: tuple[JournalRecord, ...]
    good: int
    size: int

    @property
    def is_torn(self) -> bool:
        """Whether something follows the last good record: a write that was cut short."""
        return self.good < self.size


class Journal:
    """The journal of one session; hold the session's lock while appending.

    `durability` is "full" (each append is synced before it returns), "batch" (synced within 5 ms,
    many appends at once) or "none" (nothing is written at all).
    """

    def __init__(self, path: Path, durability: str = "full") -> None:
        if durability not in {"full", "batch", "none"}:
            raise UsageError(f"no such durability: {durability!r}", hint="it is full, batch or none")
        self.path = path
        self._durability = durability
        self._file = _File(path)
        self._is_between = True
        self._flusher: _Flusher | None = None

    def append(self, record: JournalRecord, *, sync: bool = True) -> None:
        """Write a record; with `sync` it, and all before it, will last (see `durability`).

        Raises StorageError if the disk refuses; then the record must not be acknowledged, and the
        next append starts a fresh file: after a failed sync the system forgets which pages it lost.
        """
        if self._durability == "none":
            return
        if self._is_between and self._file.size() > CUT_ABOVE:
            self.cut()
        self._file.append(encode(record))
        self._is_between = sync
        if sync:
            self._sync()

    def flush(self) -> None:
        """Sync what was appended, now."""
        if self._durability != "none":
            self._file.sync()

    def cut(self) -> None:
        """Empty the journal, after a sync of the whole file system.

        Only while holding the session's lock, and with the refs of all its records moved.
        """
        sync_file_system(self.path.parent)
        self._file.empty()

    def close(self) -> None:
        """Sync what is left and let go of the file."""
        if self._flusher is not None:
            self._flusher.close()
            self._flusher = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sync(self) -> None:
        if self._durability == "full":
            self._file.sync()
            return
        if self._flusher is None:
            self._flusher = _Flusher(self._file)
        self._flusher.request()


def encode(record: JournalRecord) -> bytes:
    """The bytes of one record."""
    # A colon cannot occur in the name of a ref.
    fields = f"{record.oid} {':'.join(record.refs) or _NONE} {record.supersedes or _NONE}".encode()
    crc = zlib.crc32(record.raw, zlib.crc32(fields))
    return b"LJ1 %d %08x %s\n%s\n" % (len(record.raw), crc, fields, record.raw)


def read(path: Path) -> Reading:
    """The records of a journal up to the first that is not whole; an absent file is an empty one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Reading((), 0, 0)
    except OSError as fault:
        raise storage_error(fault, path) from fault
    return _decoded(data)


def read_tail(path: Path, size: int) -> list[JournalRecord]:
    """The records that start within the last `size` bytes of a journal; an absent file is an empty one."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - size)
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise storage_error(fault, path) from fault
    first = data.find(b"\nLJ1 ") + 1 if start else 0
    return list(_decoded(data[first:]).records) if first or not start else []


def read_all(folder: Path) -> dict[Path, Reading]:
    """Every journal in the folder that is not empty, by its path."""
    readings = {path: read(path) for path in sorted(folder.glob("*.journal"))}
    return {path: reading for path, reading in readings.items() if reading.size}


def sync_file_system(folder: Path) -> None:
    """Write everything that the file system of `folder` still holds in memory to the disk."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        raise storage_error(fault, folder) from fault
    try:
        _sync_file_system_of(fd, folder)
    finally:
        os.close(fd)


def _sync_file_system_of(fd: int, folder: Path) -> None:
    import ctypes  # 4 ms, of which a hook that answers has none to spare

    # Linux has syncfs; elsewhere sync does more than is needed, and enough.
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(fd) != 0:
        raise storage_error(OSError(ctypes.get_errno(), "syncfs failed"), folder)


class _File:
    """The file of a journal, which others may append to, cut or replace between our appends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._inode = 0
        self._end = 0
        self._is_suspect = False
        self._guard = threading.Lock()

    def size(self) -> int:
        """The length of the file; 0 if there is none."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, frame: bytes) -> None:
        """Write a frame behind the last good one, as a whole or not at all."""
        with self._guard:
            try:
                self._open_at_end()
                self._write(frame)
            except OSError as fault:
                raise storage_error(fault, self._path) from fault

    def sync(self) -> None:
        """Make what was appended last. After a failure the file is never trusted again."""
        with self._guard:
            if self._is_suspect:
                raise StorageError(f"{self._path}: an earlier sync failed", hint="append the record again")
            if self._fd < 0:
                return
            fd = os.dup(self._fd)
        try:
            # Outside the guard: in batches, appends go on while the disk works.
            os.fdatasync(fd)
        except OSError as fault:
            # The kernel marks the lost pages clean, so a second fsync would succeed and lie.
            self._is_suspect = True
            raise storage_error(fault, self._path) from fault
        finally:
            os.close(fd)

    def empty(self) -> None:
        """Forget every record."""
        with self._guard:
            try:
                self._open_at_end()
                os.ftruncate(self._fd, 0)
                os.fdatasync(self._fd)
            except OSError as fault:
                raise storage_error(fault, self._path) from fault
            self._end = 0

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._release()

    def _write(self, frame: bytes) -> None:
        try:
            write_all(self._fd, frame)
        except OSError:
            os.ftruncate(self._fd, self._end)
            raise
        self._end += len(frame)

    def _open_at_end(self) -> None:
        if self._is_suspect:
            self._replace()
        try:
            status = os.stat(self._path)  # noqa: PTH116 - once an append
        except FileNotFoundError:
            status = None
        if self._fd < 0 or status is None or status.st_ino != self._inode:
            self._open(is_new=status is None)
        if status is None or status.st_size != self._end:
            self._find_end()

    def _open(self, *, is_new: bool) -> None:
        self._release()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, FILE_MODE)
        self._inode = os.fstat(self._fd).st_ino
        self._end = 0
        if is_new:
            sync_folder(self._path.parent)

    def _find_end(self) -> None:
        """Stand behind the last good record, whoever wrote it; drop what a killed writer left there."""
        reading = read(self._path)
        if reading.is_torn:
            os.ftruncate(self._fd, reading.good)
        self._end = reading.good

    def _replace(self) -> None:
        """Write the records that can still be read into a fresh file, in place of the suspect one."""
        good = b"".join(map(encode, read(self._path).records))
        write_file(self._path, good, durable=True)
        self._release()
        self._is_suspect = False

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._inode = 0


class _Flusher:
    """A thread that syncs a file soon after it was asked to, once for all that asked meanwhile."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._fault: StorageError | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-journal", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Ask for a sync within BATCH_SECONDS. Raises what an earlier one met."""
        self._raise_fault()
        self._wanted.set()

    def close(self) -> None:
        """Sync what was asked for and end the thread. Raises what a sync met."""
        self._closing.set()
        self._wanted.set()
        self._thread.join()
        self._raise_fault()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._closing.wait(BATCH_SECONDS / 2)
            self._wanted.clear()
            try:
                self._file.sync()
            except StorageError as fault:
                self._fault = fault
            # `close` asks once more after it said so: nothing is left unsynced here.
            if self._closing.is_set() and not self._wanted.is_set():
                return

    def _raise_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault


def _decoded(data: bytes) -> Reading:
    records = []
    good = 0
    while (found := _record_at(data, good)) is not None:
        record, good = found
        records.append(record)
    return Reading(tuple(records), good, len(data))


def _record_at(data: bytes, start: int) -> tuple[JournalRecord, int] | None:
    head = _HEAD.match(data, start, start + _LONGEST_HEAD)
    if head is None:
        return None
    end = head.end() + int(head[1])
    raw = data[head.end() : end]
    if data[end : end + 1] != b"\n" or zlib.crc32(raw, zlib.crc32(head[3])) != int(head[2], 16):
        return None
    refs, supersedes = head[5].decode("utf-8", "surrogateescape"), head[6].decode("ascii")
    record = JournalRecord(
        head[4].decode("ascii"),
        raw,
        () if refs == _NONE else tuple(refs.split(":")),
        None if supersedes == _NONE else supersedes,
    )
    return record, end + 1
