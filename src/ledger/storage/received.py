"""Received: the objects of a push while git holds them in quarantine, on top of the repository that they go to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ledger.storage.layered import LayeredStore
from ledger.storage.opening import CONFIG, HEAD


class ReceivedStore(LayeredStore):
    """What lies in the folder `quarantine`, and behind it what the repository `git_dir` has.

    Nothing is written: git takes the objects over itself once the hook has let them in.
    """

    def __init__(self, git_dir: Path, quarantine: Path) -> None:
        self._view = Path(tempfile.mkdtemp(prefix="ledger-received-"))
        (self._view / "HEAD").write_bytes(HEAD)
        (self._view / "config").write_bytes(CONFIG)
        (self._view / "refs").mkdir()
        (self._view / "objects").symlink_to(quarantine)
        super().__init__(self._view, git_dir)

    def close(self) -> None:
        """Let go of both, and of the folder by which they are read."""
        super().close()
        shutil.rmtree(self._view, ignore_errors=True)
