"""Lineage: every commit that some tips reach, parents first, however damaged the history is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ledger.actions.law import ObjectStore
from ledger.errors import DamageError, NotFoundError
from ledger.storage.codec import object_id
from ledger.storage.store import EventStore, Oid

_PARENTS = re.compile(rb"tree [0-9a-f]{40}\n((?:parent [0-9a-f]{40}\n)*)")

# A commit is read for its parents first and checked later. What fits is kept in between, the rest read twice.
_KEPT_BYTES = 64 * 1024 * 1024


class Lineage:
    """The commits of one history in an order in which parents come first.

    Costs about 250 bytes of memory a commit. A commit that cannot be read goes to `damaged`, with the
    reason, and is left out; those that stand on it are not.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self._raw: dict[bytes, bytes] = {}
        self._room = _KEPT_BYTES
        self.damaged: dict[Oid, DamageError | NotFoundError] = {}

    def order(self, tips: Iterable[Oid]) -> list[bytes]:
        """The raw ids of all commits that `tips` reach, parents first."""
        ordered: list[bytes] = []
        waiting: dict[bytes, list[bytes] | None] = {}
        stack = [bytes.fromhex(oid) for oid in tips]
        while stack:
            oid = stack[-1]
            if oid not in waiting:
                waiting[oid] = self._parents(oid)
            unseen = [parent for parent in waiting[oid] or () if parent not in waiting]
            if unseen:
                stack += unseen
                continue
            stack.pop()
            if waiting[oid] is not None:
                waiting[oid] = None
                ordered.append(oid)
        return ordered

    def order_since(self, tips: Sequence[Oid], known: Sequence[Oid]) -> list[bytes]:
        """The same without what `known` reaches, at the cost of what is new; raises on the first damage."""
        return [bytes.fromhex(commit.oid) for commit in self.store.walk(tips, known, order="oldest")]

    def raw(self, oid: bytes) -> bytes:
        """The bytes of a commit; raises DamageError or NotFoundError."""
        kept = self._raw.pop(oid, None)
        if kept is None:
            return sound_commit(self.store, oid.hex())
        self._room += len(kept)
        return kept

    def _parents(self, oid: bytes) -> list[bytes] | None:
        try:
            raw = sound_commit(self.store, oid.hex())
        except (DamageError, NotFoundError) as damage:
            self.damaged[oid.hex()] = damage
            return None
        if self._room >= len(raw):
            self._room -= len(raw)
            self._raw[oid] = raw
        return list(parents_in(raw))


def parents_in(raw: bytes) -> Iterator[bytes]:
    """The raw ids of the parents that a commit names; none where it has no valid header."""
    header = _PARENTS.match(raw)
    named = header[1] if header else b""
    for start in range(7, len(named), 48):
        yield bytes.fromhex(named[start : start + 40].decode("ascii"))


def sound_commit(store: EventStore, oid: Oid) -> bytes:
    """The bytes of a commit whose content is what its id says.

    Raises NotFoundError where there is none, DamageError where something else is stored.
    """
    raw = store.commit_raw(oid)
    if object_id("commit", raw) != oid:
        raise DamageError(f"commit {oid} is not what its id says", hint="run: ledger verify --full")
    return raw
