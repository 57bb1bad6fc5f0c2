"""What git waits for its hooks: a commit, a checkout and a rebase, with the shims and without.

The drain that a hook starts in the background is left out: nobody waits for it (benchmarks/drain.py has its price).
Beside the shims stands what any hook costs, one of sh that does nothing at all. That every commit was kept is checked.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import _measure

from ledger.actions.install_git import HOOKS, install_git
from ledger.api import create_ledger
from ledger.storage import launcher, spool
from ledger.storage.layout import Layout

ROUNDS = max(100, _measure.ROUNDS)
REBASED = 100
NOTHING = "#!/bin/sh\nexit 0\n"
IDENTITY = {"GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.invalid"}
ENVIRONMENT = (
    _measure.git_environment() | IDENTITY | {name.replace("AUTHOR", "COMMITTER"): IDENTITY[name] for name in IDENTITY}
)


class Project:
    """A repository with a file, and what its hooks are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main", str(root), cwd=root.parent)
        shutil.rmtree(root / ".git" / "hooks")
        self.commits = 0
        self.commit()
        self.git("branch", "other")

    def git(self, *arguments: str, cwd: Path | None = None, **env: str) -> None:
        command = ["git", *arguments]
        subprocess.run(command, cwd=cwd or self.root, env=ENVIRONMENT | env, check=True, capture_output=True)

    def commit(self, **env: str) -> None:
        self.commits += 1
        self.git("commit", "--quiet", "--allow-empty", "-m", f"commit {self.commits}", **env)

    def switch(self) -> None:
        self.git("switch", "--quiet", "other")
        self.git("switch", "--quiet", "main")

    def with_hooks_of_nothing(self) -> Project:
        for hook in HOOKS:
            path = self.root / ".git" / "hooks" / hook
            path.parent.mkdir(exist_ok=True)
            path.write_text(NOTHING)
            path.chmod(0o755)
        return self

    def with_shims(self) -> Project:
        create_ledger(self.root / ".git" / "ledger")[0].close()
        self.layout = Layout(self.root / ".git" / "ledger")
        launcher.equip(self.layout, "/nowhere/python")  # so that no drain is begun
        install_git(self.layout, self.root)
        return self


def rebasing(project: Project) -> Callable[[], None]:
    """A call that puts so many commits on another base, there and back."""
    project.git("switch", "--quiet", "-c", "upstream", "other")
    project.commit()
    project.git("switch", "--quiet", "-c", "work", "other")
    for _ in range(REBASED):
        project.commit()
    bases = ["upstream", "other"]

    def rebase() -> None:
        project.git("rebase", "--quiet", "--onto", bases[0], f"work~{REBASED}", "work")
        bases.reverse()

    return rebase


def main() -> int:
    _measure.machine()
    with _measure.folder() as folder:
        bare = Project(folder / "bare")
        nothing = Project(folder / "nothing").with_hooks_of_nothing()
        shims = Project(folder / "shims").with_shims()
        before = shims.commits
        contestants = {
            "no hook": bare.commit,
            "a hook that does nothing": nothing.commit,
            "shims": shims.commit,
            "shims, LEDGER_OFF=1": lambda: shims.commit(LEDGER_OFF="1"),
        }
        _measure.table("git commit", _measure.race(contestants, ROUNDS))
        kept = sum(one.event == "post-commit" for one in spool.waiting(shims.layout))
        assert kept == (shims.commits - before) // 2, "a commit was not kept"
        switches = {"no hook": bare.switch, "a hook that does nothing": nothing.switch, "shims": shims.switch}
        _measure.table("git switch", _measure.race(switches, ROUNDS // 2, per=2))
        rebases = {"no hook": rebasing(bare), "a hook that does nothing": rebasing(nothing), "shims": rebasing(shims)}
        _measure.table(f"git rebase of {REBASED} commits, for each", _measure.race(rebases, 5, per=REBASED))
    return 0


if __name__ == "__main__":
    sys.exit(main())
