"""Nesting: the trees of many files of any mode, from their paths; and the files of a tree again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from ledger.storage import codec
from ledger.storage.store import Kind, Oid

FOLDER = b"40000"
LINK = b"120000"
RUNNABLE = b"100755"
PLAIN = b"100644"

Put = Callable[[Kind, bytes], Oid]


class Entry(NamedTuple):
    """What stands at one path: the mode as git writes it, and the blob's id."""

    mode: bytes
    oid: Oid


class Reader(Protocol):
    """What reads objects."""

    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an object; NotFoundError if there is none of that kind."""


def write_trees(entries: Mapping[bytes, Entry], put: Put, known: Mapping[bytes, Oid]) -> dict[bytes, Oid]:
    """The tree of each folder by its path, the top's at b""; those that `known` has at that path are not put again.

    No file may lie below another one.
    """
    rows: dict[bytes, list[tuple[bytes, bytes, bytes, bytes]]] = {b"": []}
    for path, entry in entries.items():
        folder, _, name = path.rpartition(b"/")
        _require_folder(rows, folder)
        rows[folder].append((name, entry.mode, name, bytes.fromhex(entry.oid)))
    trees: dict[bytes, Oid] = {}
    for folder in sorted(rows, key=lambda path: (path != b"", path.count(b"/")), reverse=True):
        trees[folder] = oid = _write(rows[folder], put, known.get(folder))
        if folder:
            above, _, name = folder.rpartition(b"/")
            # git sorts a folder as if its name ended in a slash.
            rows[above].append((name + b"/", FOLDER, name, bytes.fromhex(oid)))
    return trees


def read_tree(store: Reader, tree: Oid, prefix: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Every file below a tree with its path; raises DamageError for a tree that cannot be read."""
    for mode, name, digest in codec.tree_rows(tree, store.read_object("tree", tree)):
        if mode.lstrip(b"0") == FOLDER:
            yield from read_tree(store, digest.hex(), prefix + name + b"/")
        else:
            yield prefix + name, Entry(mode, digest.hex())


def _require_folder(rows: dict[bytes, list[tuple[bytes, bytes, bytes, bytes]]], folder: bytes) -> None:
    while folder not in rows:
        rows[folder] = []
        folder = folder.rpartition(b"/")[0]


def _write(rows: list[tuple[bytes, bytes, bytes, bytes]], put: Put, known: Oid | None) -> Oid:
    raw = codec.join_tree((mode, name, digest) for _, mode, name, digest in sorted(rows))
    return known if known is not None and known == codec.object_id("tree", raw) else put("tree", raw)
