"""Remembered heads: where each ref was last seen, kept outside the repository.

A history that was rewritten lawfully, or a ref that was lost or turned back, shows only against
this file. It is plain text, one line a move, each line sealed with the digest of the one before:

    <ref> <oid> <seconds> <sha256 of the previous seal and this line>

Nothing here is synced: what a power cut takes from it, the journal still has.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ledger.storage import codec
from ledger.storage.files import FILE_MODE, refusals, write_all, write_file
from ledger.storage.locks import Lock
from ledger.storage.store import Oid

COMPACTED_ABOVE = 256 * 1024  # bytes
_LOCK_SECONDS = 5.0
_START = "0" * 64
_GONE = "0" * 40


class Head(NamedTuple):
    """Where a ref was seen, and when (seconds since 1970)."""

    ref: str
    oid: Oid
    time: int


class Heads:
    """The remembered heads in the file at `path`; several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path.with_name(f"{path.name}.lock"))

    def remember(self, ref: str, oid: Oid) -> None:
        """Note that `ref` was seen at `oid`; compacts the file where it grew above 256 KiB."""
        with self._lock.hold(_LOCK_SECONDS), refusals(self.path):
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
            try:
                size = _cut_torn_tail(fd)
                line = _sealed(Head(ref, oid, int(time.time())), _last_seal(fd, size))
                write_all(fd, line)
            finally:
                os.close(fd)
            if size + len(line) > COMPACTED_ABOVE:
                self._compact()

    def forget(self, ref: str) -> None:
        """Note that `ref` was deleted on purpose: it is no longer missed."""
        self.remember(ref, _GONE)

    def last(self, ref: str) -> Oid | None:
        """Where `ref` was last seen, or None."""
        return self.all().get(ref)

    def trail(self, ref: str) -> list[Oid]:
        """Everywhere that `ref` was seen since the file was last compacted, oldest first."""
        seen = filter(None, map(_parsed, _intact(self._lines())))
        return [head.oid for head in seen if head.ref == ref and head.oid != _GONE]

    def all(self) -> dict[str, Oid]:
        """Where every ref was last seen, sorted by name."""
        return {head.ref: head.oid for head in sorted(self._latest().values())}

    def is_intact(self) -> bool:
        """Whether every line carries the seal that follows from the line before."""
        lines = self._lines()
        return len(_intact(lines)) == len(lines)

    def _latest(self) -> dict[str, Head]:
        heads = {head.ref: head for line in _intact(self._lines()) if (head := _parsed(line))}
        return {ref: head for ref, head in heads.items() if head.oid != _GONE}

    def _lines(self) -> list[str]:
        with refusals(self.path):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return []
        return data.decode("utf-8", "replace").split("\n")[:-1]

    def _compact(self) -> None:
        lines: list[bytes] = []
        seal = _START
        for head in sorted(self._latest().values()):
            lines.append(_sealed(head, seal))
            seal = lines[-1].split()[-1].decode("ascii")
        write_file(self.path, b"".join(lines), durable=False)


def _sealed(head: Head, before: str) -> bytes:
    text = f"{head.ref} {head.oid} {head.time}"
    return f"{text} {_seal(before, text)}\n".encode()


def _seal(before: str, text: str) -> str:
    return hashlib.sha256(f"{before} {text}".encode()).hexdigest()


def _parsed(line: str) -> Head | None:
    parts = line.split(" ")
    if len(parts) != 4 or not codec.is_oid(parts[1]) or not parts[2].isdigit():
        return None
    return Head(parts[0], parts[1], int(parts[2]))


def _intact(lines: Iterable[str]) -> list[str]:
    """The lines whose seal follows from the seal that the line before states: damage stays local."""
    good: list[str] = []
    before = _START
    for line in lines:
        text, _, seal = line.rpartition(" ")
        if seal == _seal(before, text):
            good.append(line)
        before = seal
    return good


def _last_seal(fd: int, size: int) -> str:
    end = os.pread(fd, 65, max(0, size - 65)).decode("ascii", "replace").rstrip("\n")
    return end if len(end) == 64 else _START


def _cut_torn_tail(fd: int) -> int:
    """Drop what a killed writer left behind the last whole line; the size that remains."""
    size = os.fstat(fd).st_size
    start = max(0, size - 4096)
    tail = os.pread(fd, size - start, start)
    whole = start + tail.rfind(b"\n") + 1
    if whole != size:
        os.ftruncate(fd, whole)
    return whole
