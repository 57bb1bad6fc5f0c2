"""Between trees of bytes and states of documents."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.core import canonical
from ledger.core.state import Changes, Document
from ledger.storage.store import EventStore, Oid

_REMEMBERED = 1_024  # documents carried on from state to state


class TreeReader:
    """The state that a commit's tree holds, read on demand and remembered."""

    __slots__ = ("_read", "_store", "tree")

    def __init__(self, store: EventStore, tree: Oid) -> None:
        self._store, self.tree = store, tree
        self._read: dict[str, Document | None] = {}

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""
        if path not in self._read:
            stored = self._store.read_file(self.tree, path)
            self._read[path] = None if stored is None else canonical.loads(stored)
        return self._read[path]

    def after(self, changes: Changes, tree: Oid) -> TreeReader:
        """The state after changes that gave `tree`; what was read and did not change is not read again."""
        later = TreeReader(self._store, tree)
        if len(self._read) < _REMEMBERED:
            folders = tuple(path for path in changes if path.endswith("/"))
            later._read = {path: d for path, d in self._read.items() if not (folders and path.startswith(folders))}
            later._read |= {path: d for path, d in changes.items() if path not in folders}
        return later

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document under `folder`, sorted by path."""
        for path, stored in self._store.files(self.tree, folder):
            yield path, canonical.loads(stored)


def encode(changes: Changes) -> dict[str, bytes | None]:
    """The changes as bytes for the store: the canonical text of each document."""
    return {path: None if d is None else canonical.dumps(d).encode() for path, d in changes.items()}
