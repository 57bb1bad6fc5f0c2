"""MemoryStore: the contract of `EventStore` without a disk, for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import NotFoundError
from ledger.storage import codec
from ledger.storage.layout import require_ref_name
from ledger.storage.objects import ObjectsStore
from ledger.storage.store import HEADS, Commit, Kind, Oid
from ledger.storage.trees import Trees

_FOUND_AT_MOST = 16


class MemoryStore(ObjectsStore):
    """An EventStore that lives as long as the object does."""

    def __init__(self) -> None:
        self._objects: dict[Oid, tuple[Kind, bytes]] = {}
        self._refs: dict[str, Oid] = {}
        self._moving = threading.Lock()
        self._trees = Trees(self)
        self._collected: list[Oid] | None = None

    def refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """Every ref whose full name starts with `prefix`, sorted by name."""
        return {name: self._refs[name] for name in sorted(self._refs) if name.startswith(prefix)}

    def ref(self, name: str) -> Oid | None:
        """The commit that ref `name` points to, or None."""
        return self._refs.get(name)

    def move_ref(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Compare and swap; see `EventStore.move_ref`."""
        require_ref_name(name)
        if new is not None and (new not in self._objects or new in (self._collected or ())):
            raise NotFoundError(f"there is no object {new} for {name} to point to")
        with self._moving:
            if self._refs.get(name) != old:
                return False
            if new is None:
                self._refs.pop(name, None)
            else:
                self._refs[name] = new
            return True

    def commit(self, oid: Oid) -> Commit:
        """The commit `oid`."""
        return codec.decode_commit(oid, self.commit_raw(oid))

    def find(self, prefix: str) -> list[Oid]:
        """The commits whose id starts with `prefix`, sorted, at most 16."""
        codec.require_oid_prefix(prefix)
        found = (o for o, (kind, _) in self._objects.items() if kind == "commit" and o.startswith(prefix))
        return sorted(found)[:_FOUND_AT_MOST]

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Keep what is written inside only if the block ends well."""
        if self._collected is not None:
            yield
            return
        self._collected = []
        try:
            yield
        except BaseException:
            for oid in self._collected:
                del self._objects[oid]
            self._trees.forget()
            raise
        finally:
            self._collected = None

    def close(self) -> None:
        """Nothing to let go of."""

    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an object; NotFoundError if there is none of that kind."""
        found, data = self._objects.get(oid, (None, b""))
        if found != kind:
            raise NotFoundError(f"there is no {kind} {oid}")
        return data

    def write_object(self, kind: Kind, data: bytes) -> Oid:
        """Store an object and return its id."""
        oid = codec.object_id(kind, data)
        if oid not in self._objects:
            self._objects[oid] = (kind, data)
            if self._collected is not None:
                self._collected.append(oid)
        return oid
