"""Packs: what maintenance and large batches packed, read without libgit2.

libgit2 takes 60 to 110 ms to load, and a command that answers from a few packed objects takes 150 in all. For
few objects this reader is faster; `GitStore` turns to libgit2 where many are read. Formats: pack and index,
both of version 2, as in git's `gitformat-pack`.
"""

from __future__ import annotations

import bisect
import itertools
import mmap
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ledger.errors import BusyError, DamageError
from ledger.storage import codec
from ledger.storage.files import refusals
from ledger.storage.store import Kind, Oid

_KINDS: dict[int, Kind] = {1: "commit", 2: "tree", 3: "blob"}
_OFFSET_DELTA, _REF_DELTA = 6, 7
_INDEX_HEADER = b"\xfftOc\x00\x00\x00\x02"
_NAMES = 8 + 256 * 4  # where the sorted ids of an index begin
_LARGE = 0x8000_0000
_CHUNK = 4_096  # most entries, and their heads, fit into one read
_TICK_NS = 10_000_000  # two changes of a folder within a tick of the kernel's clock may have one time stamp
_SETTLED_NS = 2_000_000_000  # and on some file systems the stamps are whole seconds
_PAUSE = 0.005
_SEARCHES = 200
_LONGEST = 4_096  # deltas on one another; git makes 50 and allows 4,095
_BASES = 64  # contents kept, as the deltas of neighbours share them


class _Entry(NamedTuple):
    """An entry of a pack: a whole object, or a delta against the entry or the object that is its base."""

    number: int
    data: bytes
    base: int | Oid | None


class Packs:
    """The packs of a repository, found anew when maintenance replaces them."""

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "objects" / "pack"
        self._packs: dict[str, _Pack] = {}
        self._listed_ns: int | None = None

    def has(self, oid: Oid) -> bool:
        """Whether a pack holds the object."""
        return self._find(oid) is not None

    def path_of(self, oid: Oid) -> Path | None:
        """The pack that holds an object, or None."""
        found = self._find(oid)
        return None if found is None else found[0].path

    def read(self, oid: Oid) -> tuple[Kind, bytes] | None:
        """Kind and content of an object, or None; raises DamageError for one that is not what its id says."""
        found = self._find(oid)
        if found is None:
            return None
        pack, offset = found
        with refusals(pack.path):
            number, data = self._whole(pack, offset)
        kind = _KINDS.get(number)
        if kind is None or codec.object_id(kind, data) != oid:
            raise _damage(pack.path, f"object {oid} is not what its id says")
        return kind, data

    def find(self, prefix: str) -> list[Oid]:
        """The ids of packed objects that start with `prefix`, sorted."""
        for _ in self._listings():
            pass
        return sorted({oid for pack in self._packs.values() for oid in pack.find(prefix)})

    def close(self) -> None:
        """Let go of every pack."""
        for pack in self._packs.values():
            pack.close()
        self._packs.clear()
        self._listed_ns = None

    def _find(self, oid: Oid) -> tuple[_Pack, int] | None:
        name = bytes.fromhex(oid)
        found = self._look_up(name)
        listings = self._listings()
        while found is None and next(listings, self) is None:
            found = self._look_up(name)
        return found

    def _look_up(self, name: bytes) -> tuple[_Pack, int] | None:
        for pack in self._packs.values():
            offset = pack.offset(name)
            if offset is not None:
                return pack, offset
        return None

    def _listings(self) -> Iterator[None]:
        """List the folder if it changed, and again until it stands still; yields after each time."""
        changed = self._changed_ns()
        if changed in (None, self._listed_ns):
            return
        for _ in range(_SEARCHES):
            with suppress(FileNotFoundError):  # replaced since the folder was listed
                self._open_new()
                yield
                if self._is_settled(changed):
                    return
            time.sleep(_PAUSE)
            changed = self._changed_ns()
        raise BusyError(f"the packs in {self._folder} were replaced {_SEARCHES} times while they were opened")

    def _is_settled(self, listed: int | None) -> bool:
        """Whether the folder is as it was when it was listed: a listing beside a repack may show neither pack."""
        age = abs(time.time_ns() - (listed or 0))
        self._listed_ns = listed if age > _SETTLED_NS else None
        return listed == self._changed_ns() and age > _TICK_NS

    def _changed_ns(self) -> int | None:
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _open_new(self) -> None:
        with os.scandir(self._folder) as entries:
            # Whatever the name, as git does: where a repack stopped halfway, it may be all that holds an object.
            there = {e.name for e in entries if e.name.endswith(".idx")}
        for name in sorted(there - self._packs.keys()):
            # An index without its pack is passed over, as git does; `fsck` names what is then missing.
            if (self._folder / name).with_suffix(".pack").exists():
                self._packs[name] = _Pack(self._folder / name)
        for name in sorted(self._packs.keys() - there):
            self._packs.pop(name).close()

    def _whole(self, pack: _Pack, offset: int) -> tuple[int, bytes]:
        """Type and content of the entry at `offset`, with all its deltas applied."""
        deltas: list[tuple[_Pack, int, bytes]] = []
        while (kept := pack.bases.get(offset)) is None:
            number, data, base = pack.entry(offset)
            if base is None:
                kept = number, data
                break
            deltas.append((pack, offset, data))
            pack, offset = self._base(pack, offset, base)
            if len(deltas) > _LONGEST:
                raise _damage(pack.path, f"more than {_LONGEST} entries build on one another")
        number, data = kept
        for above, place, delta in reversed(deltas):
            pack.keep(offset, (number, data))
            pack, offset, data = above, place, _patched(above.path, data, delta)
        return number, data

    def _base(self, pack: _Pack, offset: int, base: int | Oid) -> tuple[_Pack, int]:
        """Where the entry lies that the one at `offset` builds on."""
        if isinstance(base, int):
            if not 0 < base < offset:
                raise _damage(pack.path, f"the entry at {offset} builds on one that does not come before it")
            return pack, base
        found = self._find(base)
        if found is None:
            raise _damage(pack.path, f"the entry at {offset} builds on object {base}, which no pack holds")
        return found


class _Pack:
    """One pack and its index, held open: a repack removes the files, not what is read from them."""

    def __init__(self, index: Path) -> None:
        self.path = index.with_suffix(".pack")
        self.bases: dict[int, tuple[int, bytes]] = {}
        with index.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _NAMES:
                raise _damage(index, "this index is cut short")
            self._index = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._index[:8] != _INDEX_HEADER:
            raise _damage(index, "this is no index of version 2")
        self._count = self._number(_NAMES - 4)
        if len(self._index) < _NAMES + 28 * self._count + 40:
            raise _damage(index, "this index is cut short")
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def offset(self, name: bytes) -> int | None:
        """Where the entry of an object begins; None if the pack lacks it."""
        place = self._place(name)
        if place == self._count or self._name(place) != name:
            return None
        offset = self._number(_NAMES + 24 * self._count + 4 * place)
        if offset < _LARGE:
            return offset
        start = _NAMES + 28 * self._count + 8 * (offset - _LARGE)
        return int.from_bytes(self._index[start : start + 8], "big")

    def find(self, prefix: str) -> Iterator[Oid]:
        """The ids that start with `prefix`, sorted."""
        first = self._place(bytes.fromhex(prefix.ljust(40, "0")))
        names = (self._name(place).hex() for place in range(first, self._count))
        return itertools.takewhile(lambda oid: oid.startswith(prefix), names)

    def entry(self, offset: int) -> _Entry:
        """The entry at `offset`, inflated."""
        data = os.pread(self._fd, _CHUNK, offset)
        try:
            number, size, start = _head(data)
            base: int | Oid | None = None
            if number == _OFFSET_DELTA:
                back, start = _distance(data, start)
                base = offset - back
            elif number == _REF_DELTA:
                base, start = data[start : start + 20].hex(), start + 20
            inflated = self._inflated(offset + start, data[start:], size)
        except (IndexError, zlib.error) as fault:
            raise _damage(self.path, f"the entry at {offset} cannot be read: {fault}") from fault
        return _Entry(number, inflated, base)

    def keep(self, offset: int, whole: tuple[int, bytes]) -> None:
        """Remember what others build on."""
        if len(self.bases) >= _BASES:
            self.bases.clear()
        self.bases[offset] = whole

    def close(self) -> None:
        """Give back what is held open."""
        self._index.close()
        os.close(self._fd)

    def _inflated(self, start: int, data: bytes, size: int) -> bytes:
        inflater = zlib.decompressobj()
        found = inflater.decompress(data, size + 1)
        while not inflater.eof and len(found) <= size:
            start += len(data)
            data = os.pread(self._fd, max(_CHUNK, size // 2), start)
            if not data and not inflater.unconsumed_tail:
                raise zlib.error("it is cut short")
            found += inflater.decompress(inflater.unconsumed_tail + data, size + 1 - len(found))
        if len(found) != size:
            raise zlib.error(f"it holds {len(found)} bytes, not {size}")
        return found

    def _place(self, name: bytes) -> int:
        """The first place whose id is not below `name`."""
        first = name[0]
        low = self._number(8 + 4 * (first - 1)) if first else 0
        return bisect.bisect_left(range(self._number(8 + 4 * first)), name, low, key=self._name)

    def _name(self, place: int) -> bytes:
        start = _NAMES + 20 * place
        return self._index[start : start + 20]

    def _number(self, start: int) -> int:
        return int.from_bytes(self._index[start : start + 4], "big")


def _head(data: bytes) -> tuple[int, int, int]:
    """Type and size of an entry, and where they end: four bits of the size, then seven a byte."""
    byte = data[0]
    number, size, shift, place = byte >> 4 & 7, byte & 15, 4, 1
    while byte & 0x80:
        byte = data[place]
        size |= (byte & 0x7F) << shift
        shift, place = shift + 7, place + 1
    return number, size, place


def _distance(data: bytes, place: int) -> tuple[int, int]:
    """How far back the base of a delta lies, and where that is said."""
    byte = data[place]
    distance, place = byte & 0x7F, place + 1
    while byte & 0x80:
        byte = data[place]
        distance, place = (distance + 1) << 7 | byte & 0x7F, place + 1
    return distance, place


def _patched(path: Path, base: bytes, delta: bytes) -> bytes:
    """What a delta makes of its base."""
    try:
        before, place = _varint(delta, 0)
        after, place = _varint(delta, place)
        parts = []
        while place < len(delta):
            part, place = _instruction(base, delta, place)
            parts.append(part)
    except IndexError as fault:
        raise _damage(path, "a delta is cut short") from fault
    made = b"".join(parts)
    if (before, after) != (len(base), len(made)):
        raise _damage(path, "a delta does not fit its base")
    return made


def _instruction(base: bytes, delta: bytes, place: int) -> tuple[bytes, int]:
    """One part of the result: copied from the base, or new; and where the next instruction begins."""
    code = delta[place]
    place += 1
    if not code & 0x80:
        return delta[place : place + code], place + code
    fields = [0] * 7
    for bit in range(7):
        if code & 1 << bit:
            fields[bit] = delta[place]
            place += 1
    start = int.from_bytes(bytes(fields[:4]), "little")
    size = int.from_bytes(bytes(fields[4:]), "little") or 0x10000
    return base[start : start + size], place


def _varint(data: bytes, place: int) -> tuple[int, int]:
    byte = data[place]
    value, shift, place = byte & 0x7F, 7, place + 1
    while byte & 0x80:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        shift, place = shift + 7, place + 1
    return value, place


def _damage(path: Path, what: str) -> DamageError:
    return DamageError(f"{path}: {what}", hint="run: ledger verify --full")
