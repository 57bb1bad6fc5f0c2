"""Compare: the documents that differ between two states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ledger.core import canonical
from ledger.core.state import Document
from ledger.storage.place import Place
from ledger.storage.store import Oid


class Change(NamedTuple):
    """One document of the state before and after; None where there was or is none."""

    path: str
    before: Document | None
    after: Document | None


def list_changes(place: Place, old: Oid | None, new: Oid) -> Iterator[Change]:
    """Every document that differs between the states of two commits, sorted by path; None is the empty state."""
    store = place.store
    old_tree = None if old is None else store.commit(old).tree
    new_tree = store.commit(new).tree
    for path in store.changed_paths(old_tree, new_tree):
        yield Change(path, _document(place, old_tree, path), _document(place, new_tree, path))


def changes_of(place: Place, commit: Oid) -> Iterator[Change]:
    """What one commit changed: its state against that of its first parent."""
    parents = place.store.commit(commit).parents
    yield from list_changes(place, parents[0] if parents else None, commit)


def _document(place: Place, tree: Oid | None, path: str) -> Document | None:
    stored = None if tree is None else place.store.read_file(tree, path)
    return None if stored is None else canonical.loads(stored)
