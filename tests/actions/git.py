"""Tampering by plain git: what anyone with write access to the repository could do."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Git:
    """The git program on one bare repository."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    def __call__(self, *arguments: str, data: bytes = b"", env: dict[str, str] | None = None) -> str:
        """The output of `git …`; raises where git refuses."""
        command = ["git", f"--git-dir={self.git_dir}", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, check=True, env=env)
        return done.stdout.decode().strip()

    def object(self, kind: str, data: bytes) -> str:
        """Write an object, whatever is in it."""
        return self("hash-object", "-t", kind, "-w", "--stdin", "--literally", data=data)

    def raw(self, oid: str) -> bytes:
        """The bytes of a commit."""
        command = ["git", f"--git-dir={self.git_dir}", "cat-file", "commit", oid]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def tree_with(self, tree: str, path: str, data: bytes | None) -> str:
        """The tree with another file at a path."""
        index = {
            "GIT_INDEX_FILE": str(self.git_dir / "tampering"),
            "PATH": "/usr/bin:/bin",
            "GIT_DIR": str(self.git_dir),
        }
        self("read-tree", tree, env=index)
        entry = f"0 {'0' * 40}" if data is None else f"100644 {self.object('blob', data)}"
        self("update-index", "--index-info", data=f"{entry}\t{path}\n".encode(), env=index)
        return self("write-tree", env=index)

    def main(self) -> list[str]:
        """The commits of main, oldest first."""
        return self("rev-list", "--reverse", "--topo-order", "refs/heads/main").split()

    def move(self, oid: str, ref: str = "refs/heads/main") -> None:
        """Move a ref, by force."""
        self("update-ref", ref, oid)

    def rebuild(self, new: dict[str, str], commits: list[str]) -> str:
        """The same commits again, oldest first, on other parents: `new` maps an old one to its substitute."""
        tip = next(iter(new.values()))
        for oid in commits:
            raw = self.raw(oid)
            head, blank, message = raw.partition(b"\n\n")
            for old, other in new.items():
                head = head.replace(b"parent " + old.encode(), b"parent " + other.encode())
            new[oid] = tip = self.object("commit", head + blank + message)
        return tip
