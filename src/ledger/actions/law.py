"""The law, one commit at a time: the tree that must follow from the parents' trees and the event.

Nothing is written: new objects live in memory, old ones are read from the store, whose ids prove them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from ledger.actions.join import merge_changes, merge_states
from ledger.actions.tip import Tip
from ledger.core import canonical, fold
from ledger.core.event import Event
from ledger.core.state import Changes, Document, Reader
from ledger.storage.codec import object_id
from ledger.storage.store import EventStore, Kind, Oid
from ledger.storage.trees import Trees

# Enough for the folders and files of a few thousand events back; what is older is read from the store again.
_KEPT = 16_384
_READERS = 64

_K = TypeVar("_K")
_V = TypeVar("_V")


class ObjectStore(EventStore, Protocol):
    """A store that gives any object by its id, as both of ours do."""

    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an object; NotFoundError if there is none of that kind."""


class Law:
    """Trees as the law wants them, over the objects of one store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.objects = Imagined(store)
        self._trees = Trees(self.objects)
        self._documents: dict[bytes, Document] = {}
        self._readers: dict[Oid | None, _LawReader] = {}

    def tree_after(
        self, event: Event, parents: Sequence[Tip], tree_of: Callable[[Oid], Oid]
    ) -> tuple[Oid | None, Changes]:
        """The tree of the commit that carries `event` on `parents`, and what the event changed by itself.

        `tree_of` gives the tree of an older commit, which a merge may need. None is the empty tree.
        Raises NewerFormatError where this program does not know the fold, DamageError for what cannot be read.
        """
        if len(parents) == 2:
            return self._merged(parents[0], parents[1], tree_of), {}
        tree = parents[0].tree if parents else None
        reader = self.reader(tree)
        changes = fold.apply(reader, event, fold.version_of(reader)[0])
        return self.edit(tree, changes), changes

    def edit(self, tree: Oid | None, changes: Changes) -> Oid | None:
        """The tree that follows from changes to documents."""
        return self._trees.edit(tree, self._encoded(changes), None) if changes else tree

    def reader(self, tree: Oid | None) -> Reader:
        """The state that a tree holds."""
        reader = self._readers.get(tree)
        if reader is None:
            reader = _LawReader(self, tree)
            _keep(self._readers, tree, reader, _READERS)
        return reader

    def document(self, tree: Oid, path: str) -> Document | None:
        """The document at a path; raises InvalidError if its text is not canonical."""
        stored = self._trees.read_file(tree, path)
        return None if stored is None else self._parsed(stored)

    def file(self, tree: Oid, path: str) -> bytes | None:
        """The bytes at a path, or None."""
        return self._trees.read_file(tree, path)

    def documents(self, tree: Oid, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document under a folder, sorted by path."""
        for path, stored in self._trees.files(tree, folder):
            yield path, self._parsed(stored)

    def differing(self, expected: Oid | None, stored: Oid | None) -> list[str]:
        """The paths at which two trees differ, sorted."""
        return self._trees.changed(expected, stored)

    def _merged(self, ours: Tip, theirs: Tip, tree_of: Callable[[Oid], Oid]) -> Oid:
        merged, _ = merge_states(self.store, ours, theirs, self.reader, tree_of)
        changes, taken = merge_changes(merged)
        return self._trees.edit(ours.tree, self._encoded(changes), (theirs.tree, taken) if taken else None)

    def _encoded(self, changes: Changes) -> dict[str, bytes | None]:
        return {path: None if d is None else self._spelled(d) for path, d in changes.items()}

    def _spelled(self, document: Document) -> bytes:
        stored = canonical.dumps(document).encode()
        _keep(self._documents, stored, document)
        return stored

    def _parsed(self, stored: bytes) -> Document:
        found = self._documents.get(stored)
        if found is None:
            found = canonical.loads(stored)
            _keep(self._documents, stored, found)
        return found


class Imagined:
    """Objects that are named as if they were written; `written` collects the ids since it was last emptied."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: dict[Oid, tuple[Kind, bytes]] = {}
        self.written: list[tuple[Kind, Oid]] = []

    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an imagined object, or of a stored one."""
        kept = self._kept.get(oid)
        if kept is not None and kept[0] == kind:
            return kept[1]
        data = self._store.read_object(kind, oid)
        _keep(self._kept, oid, (kind, data))
        return data

    def write_object(self, kind: Kind, data: bytes) -> Oid:
        """The id that the object would have."""
        oid = object_id(kind, data)
        _keep(self._kept, oid, (kind, data))
        self.written.append((kind, oid))
        return oid


class _LawReader:
    __slots__ = ("_law", "_read", "_tree")

    def __init__(self, law: Law, tree: Oid | None) -> None:
        self._law, self._tree = law, tree
        self._read: dict[str, Document | None] = {}

    def get(self, path: str) -> Document | None:
        if self._tree is None:
            return None
        if path not in self._read:
            self._read[path] = self._law.document(self._tree, path)
        return self._read[path]

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        return iter(()) if self._tree is None else self._law.documents(self._tree, folder)


def _keep(kept: dict[_K, _V], key: _K, value: _V, most: int = _KEPT) -> None:
    if len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value
