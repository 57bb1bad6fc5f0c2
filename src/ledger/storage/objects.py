"""What every store does alike once it can read and write single objects: trees, walks and ancestry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from ledger.storage import graph
from ledger.storage.store import Commit, Kind, Oid, Order, TreeEntry
from ledger.storage.trees import Trees


class ObjectsStore(ABC):
    """The part of an `EventStore` that follows from its objects; a store adds objects, refs and bulk."""

    _trees: Trees

    @abstractmethod
    def commit(self, oid: Oid) -> Commit:
        """The commit `oid`."""

    @abstractmethod
    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an object; NotFoundError if there is none of that kind."""

    @abstractmethod
    def write_object(self, kind: Kind, data: bytes) -> Oid:
        """Store an object and return its id."""

    def commit_raw(self, oid: Oid) -> bytes:
        """The bytes of commit `oid`."""
        return self.read_object("commit", oid)

    def read_file(self, tree: Oid, path: str) -> bytes | None:
        """The bytes of the file at `path`, or None."""
        return self._trees.read_file(tree, path)

    def files(self, tree: Oid, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Every file under a folder with its bytes, sorted by path."""
        return self._trees.files(tree, prefix)

    def paths(self, tree: Oid, prefix: str = "") -> list[str]:
        """Every file under a folder, sorted."""
        return self._trees.paths(tree, prefix)

    def tree_entries(self, tree: Oid, prefix: str = "") -> list[TreeEntry]:
        """The names directly in one folder."""
        return self._trees.entries(tree, prefix)

    def changed_paths(self, old_tree: Oid | None, new_tree: Oid | None) -> list[str]:
        """The files that differ between two trees, sorted."""
        return self._trees.changed(old_tree, new_tree)

    def edit_tree(
        self,
        tree: Oid | None,
        changes: Mapping[str, bytes | None],
        *,
        take: tuple[Oid, Sequence[str]] | None = None,
    ) -> Oid:
        """Write the edited tree; see `EventStore.edit_tree`."""
        return self._trees.edit(tree, changes, take)

    def write_commit(self, raw: bytes) -> Oid:
        """Write a commit from its bytes."""
        return self.write_object("commit", raw)

    def walk(
        self,
        include: Sequence[Oid],
        exclude: Sequence[Oid] = (),
        *,
        first_parent: bool = False,
        order: Order = "newest",
    ) -> Iterator[Commit]:
        """The commits of a range; see `EventStore.walk`."""
        sort = graph.newest_first if order == "newest" else graph.parents_first
        return sort(self.commit, include, exclude, first_parent)

    def merge_bases(self, a: Oid, b: Oid) -> list[Oid]:
        """All best common ancestors, sorted."""
        return graph.merge_bases(self.commit, a, b)

    def is_ancestor(self, ancestor: Oid, of: Oid) -> bool:
        """Whether `ancestor` can be reached from `of`."""
        return graph.is_ancestor(self.commit, ancestor, of)
