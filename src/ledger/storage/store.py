"""The store: commits, trees and refs as bytes. It knows neither YAML nor events.

`EventStore` is the contract. Two implementations pass one suite of tests: `GitStore` (git.py) and
`MemoryStore` (memory.py); for the same input both give the same object ids.

An object id that names nothing, or something of another kind, raises NotFoundError; stored bytes
that are not what was written raise DamageError; a disk that refuses raises StorageError. No verb
moves a ref without comparing it first. A store belongs to one thread; open one for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Oid = str
"""An object id: 40 lower-case hex digits (SHA-1)."""

Order = Literal["newest", "oldest"]
Kind = Literal["commit", "tree", "blob"]

FILE = "100644"
FOLDER = "40000"

HEADS = "refs/heads/"


class Signature(NamedTuple):
    """Who, and when: `time` in seconds since 1970, always UTC (git's offset is +0000)."""

    name: str
    email: str
    time: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as stored; `message` is kept as bytes, to the last one."""

    oid: Oid
    parents: tuple[Oid, ...]
    tree: Oid
    author: Signature
    committer: Signature
    message: bytes


class TreeEntry(NamedTuple):
    """One name in a folder: `mode` as git spells it ("100644" a file, "40000" a folder)."""

    name: str
    mode: str
    oid: Oid

    @property
    def is_folder(self) -> bool:
        """Whether the entry is a folder."""
        return self.mode == FOLDER


class EventStore(Protocol):
    """Commits, trees and refs; see the module's text for the errors that all verbs share."""

    def refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """Every ref whose full name starts with `prefix`, sorted by name."""

    def ref(self, name: str) -> Oid | None:
        """The commit that ref `name` points to; None if there is no such ref."""

    def move_ref(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Move a ref from `old` to `new` if it still is at `old`; None stands for "no such ref".

        Returns False, with nothing changed, if somebody else moved it: read the tip again and
        retry. `new` must be an object that can be read (inside `bulk`, one from before the block),
        else NotFoundError. Raises BusyError if another writer keeps the ref locked for longer than
        a moment, naming the lock's file; InvalidError for a name that git would refuse.
        """

    def commit(self, oid: Oid) -> Commit:
        """The commit `oid`."""

    def commit_raw(self, oid: Oid) -> bytes:
        """The bytes of commit `oid`, without git's object header."""

    def read_file(self, tree: Oid, path: str) -> bytes | None:
        """The bytes of the file at `path`; None if there is none, or a folder."""

    def files(self, tree: Oid, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Every file with its bytes, sorted by path; `prefix` is a folder such as "tasks/", or ""."""

    def paths(self, tree: Oid, prefix: str = "") -> list[str]:
        """The paths that `files` would yield, without reading any file."""

    def tree_entries(self, tree: Oid, prefix: str = "") -> list[TreeEntry]:
        """The names directly in one folder, in git's order; empty if there is no such folder."""

    def changed_paths(self, old_tree: Oid | None, new_tree: Oid | None) -> list[str]:
        """The files that differ between two trees, sorted; None stands for the empty tree."""

    def edit_tree(
        self,
        tree: Oid | None,
        changes: Mapping[str, bytes | None],
        *,
        take: tuple[Oid, Sequence[str]] | None = None,
    ) -> Oid:
        """Write the tree that follows from `tree` (None: the empty one) and return its id.

        `changes` maps a path to its new bytes, or to None where the file goes; a path ending in
        "/" with None removes that folder. `take=(other, [path or folder/, …])` makes those places
        look as they do in `other`, by object id, absence included. Folders are removed first, then
        entries are taken, then files change. Folders left empty vanish. Raises InvalidError for a
        path that git would refuse, or where a file and a folder claim one name.
        """

    def write_commit(self, raw: bytes) -> Oid:
        """Write a commit, as `codec.encode_commit` gives it; no ref is touched."""

    def walk(
        self,
        include: Sequence[Oid],
        exclude: Sequence[Oid] = (),
        *,
        first_parent: bool = False,
        order: Order = "newest",
    ) -> Iterator[Commit]:
        """The commits reachable from `include` and not from `exclude`, each once.

        "oldest" yields parents before children. "newest" yields children before parents and
        streams; it relies on committer times that never run backwards from parent to child, as the
        ledger writes them. `first_parent` follows only the first parent of each commit.
        """

    def merge_bases(self, a: Oid, b: Oid) -> list[Oid]:
        """All best common ancestors, sorted; several after a criss-cross, none for unrelated roots.

        Relies, as `is_ancestor` does, on committer times that never run backwards from parent to child.
        """

    def is_ancestor(self, ancestor: Oid, of: Oid) -> bool:
        """Whether `ancestor` can be reached from `of`; a commit is its own ancestor."""

    def find(self, prefix: str) -> list[Oid]:
        """The commits whose id starts with `prefix` (4 or more hex digits), sorted, at most 16."""

    def bulk(self) -> AbstractContextManager[None]:
        """Collect the objects written inside the block and store them together at its end.

        Reads inside the block see them. An exception leaves nothing behind. Blocks may nest; the
        outermost one counts. On disk, 64 objects or more are synced when the block ends, whatever the
        durability: they become one pack.
        """

    def close(self) -> None:
        """Let go of files and memory; the store must not be used afterwards."""
