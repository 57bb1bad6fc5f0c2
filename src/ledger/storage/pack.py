"""A pack: many objects in one file, written without git.

Version 2 of both formats, no deltas (maintenance adds them later), deflate level 1. A pack becomes
visible when its index appears, so the index is renamed last.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from ledger.storage import codec
from ledger.storage.files import refusals, sync_folder, write_all
from ledger.storage.store import Kind, Oid

_TYPES: dict[Kind, int] = {"commit": 1, "tree": 2, "blob": 3}
_LEVEL = 1
_MODE = 0o400
_HEADER = struct.Struct(">4sII")
_INDEX_HEADER = b"\xfftOc\x00\x00\x00\x02"
_LARGE = 0x8000_0000
_CHUNK = 1 << 20

_drafts = itertools.count()


class _Place(NamedTuple):
    """Where an object lies in the pack: `start` of its entry, the CRC-32 of the entry's bytes."""

    kind: Kind
    start: int
    head: int
    length: int
    crc: int


class PackWriter:
    """One pack in the making: add objects, read them back, then finish or abandon it.

    Only ids and offsets are held in memory, about 250 bytes an object.
    """

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "objects" / "pack"
        # git's own prune removes old files of this name.
        self._draft = self._folder / f"tmp_pack_{os.getpid()}_{next(_drafts)}"
        with refusals(self._draft):
            self._fd = _private(self._draft)
        self._buffer = bytearray(_HEADER.pack(b"PACK", 2, 0))
        self._written = 0
        self._places: dict[Oid, _Place] = {}

    def __contains__(self, oid: Oid) -> bool:
        return oid in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, oid: Oid, kind: Kind, data: bytes) -> None:
        """Append an object, unless the pack holds it."""
        if oid in self._places:
            return
        head = _entry_head(_TYPES[kind], len(data))
        entry = head + zlib.compress(data, _LEVEL)
        start = self._written + len(self._buffer)
        self._places[oid] = _Place(kind, start, len(head), len(entry), zlib.crc32(entry))
        self._buffer += entry
        if len(self._buffer) > _CHUNK:
            self._flush()

    def read(self, oid: Oid) -> tuple[Kind, bytes] | None:
        """Kind and content of an object added before, or None."""
        place = self._places.get(oid)
        if place is None:
            return None
        if place.start + place.length > self._written:
            self._flush()
        entry = os.pread(self._fd, place.length, place.start)
        return place.kind, zlib.decompress(entry[place.head :])

    def find(self, prefix: str) -> list[Oid]:
        """The ids added so far that start with `prefix`."""
        return [oid for oid in self._places if oid.startswith(prefix)]

    def finish(self) -> Path:
        """Close the pack, sync it and make it visible; its path.

        A pack is synced whatever the durability: for a thousand objects that costs three fsyncs.
        """
        with refusals(self._draft):
            checksum = self._close_pack()
            pack = self._folder / f"pack-{checksum.hex()}.pack"
            draft = self._index_draft()
            _write_synced(draft, _index_bytes(self._places, checksum))
            self._draft.rename(pack)
            draft.rename(pack.with_suffix(".idx"))
            sync_folder(self._folder)
        return pack

    def abandon(self) -> None:
        """Throw the unfinished pack away."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._draft.unlink(missing_ok=True)
        self._index_draft().unlink(missing_ok=True)

    def _index_draft(self) -> Path:
        # Not `.idx`: whoever lists the indexes must not meet one that is half written.
        return self._draft.with_name(self._draft.name.replace("pack", "idx"))

    def _flush(self) -> None:
        with refusals(self._draft):
            write_all(self._fd, self._buffer)
        self._written += len(self._buffer)
        self._buffer.clear()

    def _close_pack(self) -> bytes:
        self._flush()
        os.pwrite(self._fd, _HEADER.pack(b"PACK", 2, len(self._places)), 0)
        # The count comes first and is known last, so the checksum takes a second pass, at 1 GB/s.
        sha = hashlib.sha1(usedforsecurity=False)
        for start in range(0, self._written, _CHUNK):
            sha.update(os.pread(self._fd, _CHUNK, start))
        write_all(self._fd, sha.digest())
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1
        return sha.digest()


def _index_bytes(places: dict[Oid, _Place], checksum: bytes) -> bytes:
    rows = sorted((bytes.fromhex(oid), place) for oid, place in places.items())
    offsets, large = _offsets([place.start for _, place in rows])
    body = b"".join(
        [
            _INDEX_HEADER,
            _fan_out([name for name, _ in rows]),
            *(name for name, _ in rows),
            *(struct.pack(">I", place.crc) for _, place in rows),
            offsets,
            large,
            checksum,
        ]
    )
    return body + codec.digest(body)


def _fan_out(names: list[bytes]) -> bytes:
    return b"".join(struct.pack(">I", bisect.bisect_left(names, bytes([n + 1]))) for n in range(255)) + (
        struct.pack(">I", len(names))
    )


def _offsets(starts: list[int]) -> tuple[bytes, bytes]:
    """The table of 4-byte offsets, and the one of 8 bytes for those beyond 2 GiB."""
    large = [start for start in starts if start >= _LARGE]
    rank = {start: place for place, start in enumerate(large)}
    small = [start if start < _LARGE else _LARGE | rank[start] for start in starts]
    return struct.pack(f">{len(small)}I", *small), struct.pack(f">{len(large)}Q", *large)


def _entry_head(kind: int, size: int) -> bytes:
    """Type and size, seven bits a byte after the first four."""
    byte, size = kind << 4 | size & 15, size >> 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    head.append(byte)
    return bytes(head)


def _private(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _MODE)


def _write_synced(path: Path, data: bytes) -> None:
    fd = _private(path)
    try:
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
