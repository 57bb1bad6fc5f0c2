"""What the tests of storage share: repositories made as `ledger init` makes them, and git itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.storage import opening
from ledger.storage.git import GitStore
from ledger.storage.layout import Layout

Git = Callable[..., str]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A fresh ledger's folder."""
    return opening.create(tmp_path / "ledger")


@pytest.fixture
def git_dir(layout: Layout) -> Path:
    """Its repository of events."""
    return layout.git_dir


@pytest.fixture
def git_store(git_dir: Path) -> Iterator[GitStore]:
    """A store on that repository."""
    store = GitStore(git_dir)
    yield store
    store.close()


@pytest.fixture
def git(git_dir: Path) -> Git:
    """The git program on that repository; fails the test where git fails."""

    def run(*arguments: str) -> str:
        command = ["git", f"--git-dir={git_dir}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB, where the tests may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
