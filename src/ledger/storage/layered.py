"""Layered: a repository on top of another one: objects are looked for in the first, then behind it."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import NotFoundError
from ledger.storage.git import GitStore
from ledger.storage.refs import Refs
from ledger.storage.store import HEADS, Kind, Oid


class LayeredStore(GitStore):
    """The repository at `path`, and behind it that at `git_dir`, whose refs count."""

    def __init__(self, path: Path, git_dir: Path) -> None:
        super().__init__(path)
        self._behind = GitStore(git_dir)

    def own_refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """The refs of the repository on top."""
        return Refs(self.path, durable=False).list(prefix)

    def refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """The refs of the repository behind."""
        return self._behind.refs(prefix)

    def ref(self, name: str) -> Oid | None:
        """A ref of the repository behind."""
        return self._behind.ref(name)

    def has(self, oid: Oid) -> bool:
        """Whether an object is in one of them."""
        return super().has(oid) or self._behind.has(oid)

    def find(self, prefix: str) -> list[Oid]:
        """The commits in both whose id starts with `prefix`."""
        return sorted({*super().find(prefix), *self._behind.find(prefix)})

    def read_any(self, oid: Oid) -> tuple[Kind, bytes]:
        """Kind and content of an object of one of them."""
        try:
            return super().read_any(oid)
        except NotFoundError:
            return self._behind.read_any(oid)

    def close(self) -> None:
        """Let go of both."""
        super().close()
        self._behind.close()
