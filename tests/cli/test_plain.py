"""An ordinary clone with files: made, edited by hand, recorded and pushed, as it is typed and read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.machines import bare


@pytest.fixture
def files(ledger: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of such a clone, which is where one is now."""
    server = bare(tmp_path / "server.git")
    ledger("set", "api/plan", "one")
    ledger("set", "api/gone", "there")
    ledger("remote", "add", "origin", str(server), "--yes")
    ledger("sync")
    cloned = ledger("clone", "--plain", "../files", str(server))
    top = Path.cwd().parent / "files"
    assert (cloned.code, cloned.out) == (0, f"{Path.cwd().parent}/files\n")
    assert cloned.err == (
        "Cloned: 4 events, all judged. The keys are files below context/.\n"
        "To record what you edit there: ledger record --from-worktree; then git push.\n"
    )
    monkeypatch.chdir(top)
    return top


def git(*arguments: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, env=os.environ | {"PATH": path}, check=True
    )
    return done.stdout.strip()


def test_what_is_edited_made_and_removed_becomes_events(files: Path, run: Run) -> None:
    plan = files / "context" / "api" / "plan.yaml"
    plan.write_text(plan.read_text().replace("value: one", "value: two"))
    (files / "context" / "api" / "gone.yaml").unlink()
    (files / "context" / "new.yaml").write_text("value: made by hand\n")
    recorded = run("record", "--from-worktree", "--json")
    assert recorded.code == 0, recorded.err
    assert len(json.loads(recorded.out)["events"]) == 3
    assert git("status", "--porcelain") == ""
    subjects = sorted(git("log", "-3", "--format=%s").splitlines())
    assert subjects == ["context.deleted api/gone", "context.set api/plan: two", "context.set new: made by hand"]
    git("push", "origin", "HEAD:main")


def test_where_nothing_was_edited_nothing_is_recorded(files: Path, run: Run) -> None:
    before = git("rev-parse", "HEAD")
    recorded = run("record", "--from-worktree")
    assert recorded.code == 0
    assert git("rev-parse", "HEAD") == before
    assert files.is_dir()


def test_all_that_is_wrong_in_the_files_is_told_and_nothing_recorded(files: Path, run: Run) -> None:
    before = git("rev-parse", "HEAD")
    (files / "context" / "Bad Key.yaml").write_text("value: 1\n")
    (files / "context" / "broken.yaml").write_text("value: [1\n")
    refused = run("record", "--from-worktree")
    assert refused.code == 4
    assert "Bad Key" in refused.err
    assert "broken" in refused.err
    assert git("rev-parse", "HEAD") == before


def test_elsewhere_it_says_where_it_works(ledger: Run) -> None:
    refused = ledger("record", "--from-worktree")
    assert refused.code != 0
    assert "ledger clone URL --plain DIR" in refused.err
