"""GitStore: the contract of `EventStore` on a bare git repository.

Refs and loose objects are read and written as files (refs.py, loose.py say why), and so are few packed
objects. libgit2 is asked for packed objects where many are read, and given nothing else, so it can neither
meet a truncated loose object nor be led by anybody's configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import DamageError, NotALedgerError, NotFoundError
from ledger.storage import codec
from ledger.storage.loose import LooseObjects
from ledger.storage.objects import ObjectsStore
from ledger.storage.pack import PackWriter
from ledger.storage.packs import Packs
from ledger.storage.refs import Refs
from ledger.storage.store import HEADS, Commit, Kind, Oid
from ledger.storage.trees import Trees

if TYPE_CHECKING:
    import pygit2

_FOUND_AT_MOST = 16

# From here on a bulk becomes one pack: three fsyncs make all of it last, where loose objects would
# take two each. git itself keeps what it receives as a pack from 100 objects on.
PACK_FROM = 64

# libgit2 reads a packed object in 2 to 9 µs and takes 60 to 110 ms to load; packs.py needs 30 to 80 µs for one.
LIBGIT2_FROM = 1_000

_COMMITS_CACHED = 4_096

_PARTS = ("HEAD", "config", "objects", "refs")


class GitStore(ObjectsStore):
    """An EventStore on the bare repository at `path`.

    With `durable`, objects and refs are synced before a verb returns; without it the journal is
    what makes an event last. A bulk of PACK_FROM objects or more is synced in either case.
    """

    def __init__(self, path: Path | str, *, durable: bool = False) -> None:
        self.path = Path(path)
        _require_repository(self.path)
        self._loose = LooseObjects(self.path, durable=durable)
        self._refs = Refs(self.path, durable=durable)
        self._trees = Trees(self)
        self._commits: dict[Oid, Commit] = {}
        self._packs = Packs(self.path)
        self._packed_reads = 0
        self._odb: pygit2.Odb | None = None
        self._block: _Block | None = None

    def refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """Every ref whose full name starts with `prefix`, sorted by name."""
        return self._refs.list(prefix)

    def ref(self, name: str) -> Oid | None:
        """The commit that ref `name` points to, or None."""
        return self._refs.read(name)

    def move_ref(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Compare and swap; see `EventStore.move_ref`."""
        if new is not None and not self.has(new):
            raise NotFoundError(f"there is no object {new} for {name} to point to")
        return self._refs.move(name, new, old)

    def has(self, oid: Oid) -> bool:
        """Whether an object is stored; one collected by a block that still runs is not yet."""
        return codec.is_oid(oid) and (self._loose.has(oid) or self._packs.has(oid))

    def file_of(self, oid: Oid) -> Path | None:
        """The file that holds an object, its own or a pack; None where it is not stored."""
        return Path(self._loose.path(oid)) if self._loose.has(oid) else self._packs.path_of(oid)

    def commit(self, oid: Oid) -> Commit:
        """The commit `oid`."""
        commit = self._commits.get(oid)
        if commit is None:
            commit = codec.decode_commit(oid, self.read_object("commit", oid))
            if len(self._commits) >= _COMMITS_CACHED:
                self._commits.clear()
            self._commits[oid] = commit
        return commit

    def find(self, prefix: str) -> list[Oid]:
        """The commits whose id starts with `prefix`, sorted, at most 16."""
        codec.require_oid_prefix(prefix)
        collected = self._block.find(prefix) if self._block is not None else []
        found = {*collected, *self._loose.find(prefix), *self._packs.find(prefix)}
        return [oid for oid in sorted(found) if self.read_any(oid)[0] == "commit"][:_FOUND_AT_MOST]

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Store what is written inside together: as loose objects, or from 64 objects on as one synced pack."""
        if self._block is not None:
            yield
            return
        self._block = block = _Block(self.path)
        try:
            yield
            block.store(self._loose)
        except BaseException:
            block.abandon()
            self._trees.forget()
            self._commits.clear()
            raise
        finally:
            self._block = None

    def close(self) -> None:
        """Let go of files and memory."""
        self._odb = None
        self._packs.close()
        self._trees.forget()
        self._commits.clear()

    def read_object(self, kind: Kind, oid: Oid) -> bytes:
        """The content of an object; NotFoundError if there is none of that kind."""
        found, data = self.read_any(oid)
        if found != kind:
            raise NotFoundError(f"{oid} is a {found}, not a {kind}")
        return data

    def read_any(self, oid: Oid) -> tuple[Kind, bytes]:
        """Kind and content of an object; NotFoundError if there is none."""
        if not codec.is_oid(oid):
            raise NotFoundError(f"{oid!r} is not an object id")
        collected = self._block.read(oid) if self._block is not None else None
        return collected or self._loose.read(oid) or self._packed(oid)

    def write_object(self, kind: Kind, data: bytes) -> Oid:
        """Store an object and return its id."""
        if self._block is None:
            return self._loose.write(kind, data)
        return self._block.add(kind, data)

    def _packed(self, oid: Oid) -> tuple[Kind, bytes]:
        self._packed_reads += 1
        if self._packed_reads > LIBGIT2_FROM:
            return self._read_by_libgit2(oid)
        found = self._packs.read(oid)
        if found is None:
            raise NotFoundError(f"there is no object {oid}")
        return found

    def _read_by_libgit2(self, oid: Oid) -> tuple[Kind, bytes]:
        import pygit2

        try:
            number, data = self._packs_of_libgit2().read(oid)
        except KeyError as fault:
            raise NotFoundError(f"there is no object {oid}") from fault
        except pygit2.GitError as fault:
            raise DamageError(f"object {oid}: {fault}", hint="run: ledger verify --full") from fault
        return _KINDS[number], data

    def _packs_of_libgit2(self) -> pygit2.Odb:
        if self._odb is None:
            import pygit2

            self._odb = pygit2.Odb()
            self._odb.add_backend(pygit2.OdbBackendPack(str(self.path / "objects")), 1)
        return self._odb


_KINDS: dict[int, Kind] = {1: "commit", 2: "tree", 3: "blob"}


class _Block:
    """What a bulk collects: in memory first, in a pack once it is too much for loose objects."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._few: dict[Oid, tuple[Kind, bytes]] = {}
        self._pack: PackWriter | None = None

    def add(self, kind: Kind, data: bytes) -> Oid:
        """Collect an object; its id."""
        oid = codec.object_id(kind, data)
        if self._pack is not None:
            self._pack.add(oid, kind, data)
            return oid
        self._few[oid] = (kind, data)
        if len(self._few) >= PACK_FROM:
            self._spill()
        return oid

    def read(self, oid: Oid) -> tuple[Kind, bytes] | None:
        """Kind and content of a collected object, or None."""
        return self._few.get(oid) if self._pack is None else self._pack.read(oid)

    def find(self, prefix: str) -> list[Oid]:
        """The collected ids that start with `prefix`."""
        if self._pack is not None:
            return self._pack.find(prefix)
        return [oid for oid in self._few if oid.startswith(prefix)]

    def store(self, loose: LooseObjects) -> None:
        """Store everything; what an object names was collected before it, so it is stored before it."""
        if self._pack is not None:
            self._pack.finish()
            return
        for kind, data in self._few.values():
            loose.write(kind, data)

    def abandon(self) -> None:
        """Throw everything away."""
        if self._pack is not None:
            self._pack.abandon()

    def _spill(self) -> None:
        self._pack = PackWriter(self._git_dir)
        for oid, (kind, data) in self._few.items():
            self._pack.add(oid, kind, data)
        self._few.clear()


def _require_repository(path: Path) -> None:
    missing = [part for part in _PARTS if not (path / part).exists()]
    if missing:
        raise NotALedgerError(
            f"{path} is no git repository: it has no {', '.join(missing)}",
            hint="`ledger init` completes a ledger that was left half-made",
        )
