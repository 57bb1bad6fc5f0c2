"""What the tests of hooks share: a ledger whose launcher is there, and ways to run it as an agent does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage import launcher, opening, spool
from ledger.storage.layout import Layout

Done = subprocess.CompletedProcess[bytes]


class Hook:
    """A launcher, and how it is run. `python` stands for a machine's interpreter; by default there is none."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.processes: list[subprocess.Popen[bytes]] = []
        self.equip("/nonexistent/python")

    def equip(
        self,
        python: str | Path = sys.executable,
        answering: tuple[tuple[str, str], ...] = (),
        of_leases: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Write the launcher."""
        launcher.equip(self.layout, str(python), answering, of_leases)

    def command(self, event: str = "Stop", shell: tuple[str, ...] = ()) -> list[str]:
        """The words that run it."""
        return [*shell, str(self.layout.hook), "codex", event]

    def run(
        self, payload: bytes = b'{"a": 1}', event: str = "Stop", *, shell: tuple[str, ...] = (), **more: str
    ) -> Done:
        """Run it to its end; `more` is added to the environment."""
        command = self.command(event, shell)
        return subprocess.run(command, input=payload, capture_output=True, env=os.environ | more, check=False)

    def kept(self) -> list[bytes]:
        """The payloads that wait."""
        return [spool.read(one) for one in spool.waiting(self.layout)]

    def drafts(self) -> list[Path]:
        """What was left half-written."""
        return list((self.layout.spool / "tmp").iterdir())


def was_silent(done: Done) -> bool:
    """Whether nobody noticed anything."""
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.fixture
def hook(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """A ledger's hook; whatever a test does with it, no file appears in the home or in the working folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = _files(home)
    made = Hook(opening.create(tmp_path / "a ledger"))
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    assert _files(home) == before


def _files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))
