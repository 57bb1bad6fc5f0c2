"""Reached: which commit was found below which later one. That stays so for ever, and saves the walk between them.

A journal may name a commit that main has left ten thousand behind since; whoever opens the ledger asks whether main
still holds it, which takes 40 µs a commit. It is a projection: without the file all is walked.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ledger.errors import NotFoundError, StorageError
from ledger.storage import graph
from ledger.storage.codec import is_oid
from ledger.storage.files import write_file
from ledger.storage.store import Commit, EventStore, Oid

_LONG = 128  # commits: to walk these takes longer than to keep what was found
_KEPT = 64  # pairs, the newest


class Reached:
    """What was found so far, kept in the file `path`."""

    def __init__(self, store: EventStore, path: Path) -> None:
        self._store, self._path = store, path
        self._below: dict[Oid, Oid] | None = None
        self._walked = 0

    def is_ancestor(self, ancestor: Oid, of: Oid) -> bool:
        """Whether `ancestor` can be reached from `of`; raises NotFoundError for a commit that is not there."""
        before, later = self._walked, self._known(ancestor)
        found = (later is not None and self._walk(later, of)) or self._walk(ancestor, of)
        if found and self._walked - before > _LONG:
            self._keep(ancestor, of)
        return found

    def _known(self, oid: Oid) -> Oid | None:
        """A commit that is there and below which `oid` was found."""
        if self._below is None:
            self._below = _read(self._path)
        later = self._below.get(oid)
        with suppress(NotFoundError):
            return None if later is None else self._store.commit(later).oid
        return None

    def _walk(self, ancestor: Oid, of: Oid) -> bool:
        return graph.is_ancestor(self._counted, ancestor, of)

    def _counted(self, oid: Oid) -> Commit:
        self._walked += 1
        return self._store.commit(oid)

    def _keep(self, oid: Oid, later: Oid) -> None:
        pairs = [*(_read(self._path) | {oid: later}).items()][-_KEPT:]
        with suppress(OSError, StorageError):  # a disk that cannot be written may be read all the same
            write_file(self._path, "".join(f"{a} {b}\n" for a, b in pairs).encode(), durable=False)


def _read(path: Path) -> dict[Oid, Oid]:
    try:
        pairs = [line.split(" ") for line in path.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return {}
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and all(map(is_oid, pair))}
