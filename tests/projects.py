"""A project of somebody's with a ledger in it, in which real git runs real hooks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ledger.actions.git_facts import GitSaid, hear_git
from ledger.actions.install_git import GitHook, install_git
from ledger.api import create_ledger
from ledger.recording.adapter import Draft
from ledger.storage import launcher, spool
from ledger.storage.layout import Layout
from ledger.storage.place import Place

TIME = "2026-11-22T15:13:04.123456Z"


class Project:
    """A repository with one commit on main, and a ledger."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("first")
        create_ledger(root / ".git" / "ledger")[0].close()
        self.layout = Layout((root / ".git" / "ledger").resolve())

    @property
    def hooks(self) -> Path:
        return self.root / ".git" / "hooks"

    def install(self, *, trailer: bool | None = None, python: str = "/nowhere/python") -> list[GitHook]:
        """Launcher and shims; without an interpreter nothing is drained behind a test's back."""
        launcher.equip(self.layout, python)
        return install_git(self.layout, self.root, trailer=trailer)

    def git(self, *arguments: str, cwd: Path | None = None, check: bool = True, **env: str) -> str:
        """What `git …` says, in both its streams; fails the test where git fails."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.root,
            env=os.environ | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
        )
        said = done.stdout.decode(errors="replace").strip()
        assert not check or done.returncode == 0, said
        return said

    def commit(self, subject: str, *arguments: str, cwd: Path | None = None, name: str = "file", **env: str) -> str:
        """Commit a line more of a file; the new commit."""
        path = (cwd or self.root) / name
        path.write_text((path.read_text() if path.exists() else "") + f"{subject}\n")
        self.git("add", name, cwd=cwd)
        self.git("commit", "--quiet", "-m", subject, *arguments, cwd=cwd, **env)
        return self.head(cwd)

    def head(self, cwd: Path | None = None) -> str:
        return self.git("rev-parse", "HEAD", cwd=cwd)

    def waiting(self) -> Iterator[bytes]:
        """The payloads that git's hooks left, in their order; they wait no longer."""
        for captured in spool.waiting(self.layout):
            yield spool.read(captured)
            spool.done(captured)

    def heard(self, place: Place) -> list[GitSaid]:
        """What they say."""
        return [hear_git(place, raw, TIME) for raw in self.waiting()]

    def facts(self, place: Place) -> list[Draft]:
        """The facts in them."""
        return [draft for said in self.heard(place) for draft in said.heard.drafts]


def script(path: Path, text: str) -> Path:
    """A program of sh."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
