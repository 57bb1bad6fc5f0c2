"""Scratch: a repository for a moment, in which git compares what nobody wants to keep with what is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.storage.files import refusals
from ledger.storage.git import GitStore

_CONFIG = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"


@contextmanager
def scratch_store(beside: Path) -> Iterator[GitStore]:
    """A store in a new repository, where git finds the objects of the one at `beside` too; all of it goes at the end.

    Raises StorageError where the system's folder for such things refuses.
    """
    with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
        root = Path(folder)
        with refusals(root):
            for name in ("refs", "objects/info", "objects/pack"):
                (root / name).mkdir(parents=True)
            (root / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
            (root / "config").write_text(_CONFIG, encoding="ascii")
            (root / "objects" / "info" / "alternates").write_bytes(bytes(beside / "objects") + b"\n")
        store = GitStore(root)
        try:
            yield store
        finally:
            store.close()
