"""Received: the objects of a push while git holds them in quarantine, on top of the repository that they go to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ledger.errors import NotFoundError
from ledger.storage.git import GitStore
from ledger.storage.opening import CONFIG, HEAD
from ledger.storage.store import HEADS, Kind, Oid


class ReceivedStore(GitStore):
    """What lies in the folder `quarantine`, and behind it what the repository `git_dir` has; refs are the repository's.

    Nothing is written: git takes the objects over itself once the hook has let them in.
    """

    def __init__(self, git_dir: Path, quarantine: Path) -> None:
        self._view = Path(tempfile.mkdtemp(prefix="ledger-received-"))
        (self._view / "HEAD").write_bytes(HEAD)
        (self._view / "config").write_bytes(CONFIG)
        (self._view / "refs").mkdir()
        (self._view / "objects").symlink_to(quarantine)
        super().__init__(self._view)
        self._behind = GitStore(git_dir)

    def refs(self, prefix: str = HEADS) -> dict[str, Oid]:
        """The refs of the repository, as they are before the push."""
        return self._behind.refs(prefix)

    def ref(self, name: str) -> Oid | None:
        """A ref of the repository."""
        return self._behind.ref(name)

    def has(self, oid: Oid) -> bool:
        """Whether an object is here or there."""
        return super().has(oid) or self._behind.has(oid)

    def find(self, prefix: str) -> list[Oid]:
        """The commits here and there whose id starts with `prefix`."""
        return sorted({*super().find(prefix), *self._behind.find(prefix)})

    def read_any(self, oid: Oid) -> tuple[Kind, bytes]:
        """Kind and content of an object, here or there."""
        try:
            return super().read_any(oid)
        except NotFoundError:
            return self._behind.read_any(oid)

    def close(self) -> None:
        """Let go of both, and of the folder by which they are read."""
        super().close()
        self._behind.close()
        shutil.rmtree(self._view, ignore_errors=True)
