"""Plain: in an ordinary clone people edit files, and git pulls, merges and pushes what the ledger's law allows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.clone import clone_with_files
from ledger.actions.hand_edits import record_edits
from ledger.actions.sync import sync
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_plain
from ledger.errors import DamageError, InvalidError, NotALedgerError, RefusedError
from ledger.storage.plain import Plain, check_out, edits, find_plain, require_plain
from ledger.storage.remotes import Remote, add_remote
from ledger.storage.server import prepare

Done = subprocess.CompletedProcess[str]


class Clone:
    """A clone with files, and git in it as a person runs it."""

    def __init__(self, top: Path) -> None:
        self.top = top

    @property
    def plain(self) -> Plain:
        return require_plain(self.top)

    def git(self, *arguments: str) -> Done:
        # Where this program is installed, its merge strategy stands beside it on PATH.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        command = ["git", "-C", str(self.top), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path})

    def did(self, *arguments: str) -> str:
        done = self.git(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, key: str, value: str) -> None:
        file = self.top / "context" / f"{key}.yaml"
        kept = [line for line in file.read_text().splitlines() if not line.startswith("value:")]
        file.write_text("\n".join([*kept, f"value: {value}"]) + "\n")

    def record(self) -> list[str]:
        """The types and keys of the events that the edits became."""
        with open_plain(self.plain) as ledger:
            done = record_edits(ledger.place, ledger.person(), list(edits(self.plain)))
            if done.events:
                check_out(self.plain)
            return [f"{event.type} {event.data['key']}" for event in done.events if "key" in event.data]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    prepare(tmp_path / "server.git")
    return tmp_path / "server.git"


@pytest.fixture
def ledger(tmp_path: Path, server: Path) -> Iterator[Ledger]:
    made, _ = create_ledger(tmp_path / "ledger")
    with made:
        add_remote(made.layout.git_dir, Remote("origin", str(server)))
        me = made.session("agent", "one")
        me.set("docs/plan", "old")
        me.set("docs/gone", "there")
        me.increment("count")
        exchange(made, server)
        yield made


@pytest.fixture
def clone(tmp_path: Path, ledger: Ledger, server: Path) -> Clone:
    assert ledger
    clone_with_files(tmp_path / "clone", Remote("origin", str(server)))
    return Clone(tmp_path / "clone")


def exchange(ledger: Ledger, server: Path) -> None:
    sync(ledger.place, Remote("origin", str(server)))


def test_a_clone_has_the_keys_as_files_and_git_sees_nothing_to_do(clone: Clone) -> None:
    assert "value: old" in (clone.top / "context" / "docs" / "plan.yaml").read_text()
    assert clone.did("status", "--porcelain") == ""
    assert clone.did("rev-parse", "main") == clone.did("rev-parse", "origin/main")
    assert clone.record() == []


def test_what_was_changed_made_and_removed_by_hand_becomes_events_and_goes_to_all(
    clone: Clone, ledger: Ledger, server: Path
) -> None:
    clone.edit("docs/plan", "edited by hand")
    clone.write("context/docs/new.yaml", "value: {a: 1, b: [x]}\n")
    clone.write("context/tags.yaml", "policy: set\nvalue: [one, two]\n")
    (clone.top / "context" / "docs" / "gone.yaml").unlink()
    assert sorted(clone.record()) == [
        "context.added tags",
        "context.deleted docs/gone",
        "context.set docs/new",
        "context.set docs/plan",
    ]
    assert clone.did("status", "--porcelain") == ""
    clone.did("push", "-q")
    exchange(ledger, server)
    assert ledger.get("docs/plan").entry.cell.value == "edited by hand"
    assert ledger.get("docs/new").entry.cell.value == {"a": 1, "b": ["x"]}
    assert ledger.get("tags").entry.policy == "set"
    assert verify(ledger.place, full=True).ok


def test_git_pull_merges_as_the_ledger_does_and_the_server_takes_it(clone: Clone, ledger: Ledger, server: Path) -> None:
    clone.edit("docs/plan", "by hand")
    clone.record()
    ledger.session("agent", "one").set("docs/plan", "by the ledger")
    ledger.session("agent", "one").increment("count", 5)
    exchange(ledger, server)
    assert clone.git("push", "-q").returncode != 0
    assert "'ledger' strategy" in clone.did("pull")
    assert clone.did("log", "-1", "--format=%s").startswith("sync.merged ")
    assert clone.did("status", "--porcelain") == ""
    assert "by the ledger" in (clone.top / "context" / "docs" / "plan.yaml").read_text()
    clone.did("push", "-q")
    exchange(ledger, server)
    assert [found.key for found in ledger.conflicts()] == ["docs/plan"]
    assert ledger.get("count").entry.cell.value == 6
    assert verify(ledger.place, full=True).ok


def test_where_nothing_was_done_by_hand_a_pull_only_follows(clone: Clone, ledger: Ledger, server: Path) -> None:
    ledger.session("agent", "one").set("docs/plan", "new")
    exchange(ledger, server)
    clone.did("pull", "-q")
    assert clone.did("rev-parse", "main") == ledger.place.store.ref("refs/heads/main")


def test_a_branch_is_merged_by_hand(clone: Clone) -> None:
    clone.did("branch", "before")
    clone.edit("docs/plan", "one")
    clone.record()
    clone.did("branch", "aside")
    clone.did("reset", "-q", "--hard", "before")
    clone.edit("count", "3")
    clone.record()
    clone.did("merge", "aside")
    assert clone.did("rev-parse", "main^2") == clone.did("rev-parse", "aside")
    clone.did("push", "-q")


def test_git_makes_no_commit_of_its_own_here(clone: Clone) -> None:
    clone.edit("docs/plan", "by hand")
    refused = clone.git("commit", "-q", "-a", "-m", "by hand")
    assert refused.returncode == 1
    assert "ledger record --from-worktree" in refused.stderr


def test_a_commit_made_by_force_breaks_the_law_and_no_server_takes_it(clone: Clone, server: Path) -> None:
    clone.edit("docs/plan", "by hand")
    clone.did("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--no-verify", "-a", "-m", "by hand")
    refused = clone.git("push")
    assert refused.returncode != 0
    assert "ledger: commit" in refused.stderr
    assert "carries no event" in refused.stderr


def test_what_is_not_for_hands_is_refused_all_at_once_and_nothing_is_recorded(clone: Clone) -> None:
    before = clone.did("rev-parse", "main")
    clone.write("notes.txt", "hello\n")
    clone.write("context/Bad Key.yaml", "value: 1\n")
    clone.write("context/docs/new.yaml", "no value\n")
    clone.write("context/docs/torn.yaml", "value: [1\n")
    clone.edit("docs/plan", "fine")
    file = clone.top / "context" / "count.yaml"
    file.write_text(file.read_text().replace("policy: counter", "policy: lww"))
    with pytest.raises(InvalidError) as caught:
        clone.record()
    told = [problem.path.partition(",")[0] for problem in caught.value.problems]
    assert sorted(set(told)) == [
        "context/Bad Key.yaml",
        "context/count.yaml",
        "context/docs/new.yaml",
        "context/docs/torn.yaml",
        "notes.txt",
    ]
    assert clone.did("rev-parse", "main") == before


def test_a_merge_over_files_that_were_changed_leaves_everything_as_it_was(
    clone: Clone, ledger: Ledger, server: Path
) -> None:
    clone.edit("docs/gone", "recorded")
    clone.record()
    ledger.session("agent", "one").set("docs/plan", "new")
    exchange(ledger, server)
    clone.edit("docs/plan", "not recorded")
    before = clone.did("rev-parse", "main")
    assert clone.git("pull").returncode != 0
    assert clone.did("rev-parse", "main") == before
    assert "not recorded" in (clone.top / "context" / "docs" / "plan.yaml").read_text()


def test_a_branch_that_breaks_the_law_is_not_merged(clone: Clone) -> None:
    clone.did("branch", "before")
    clone.edit("docs/plan", "forged")
    clone.did("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--no-verify", "-a", "-m", "forged")
    clone.did("branch", "forged")
    clone.did("reset", "-q", "--hard", "before")
    clone.edit("count", "3")
    clone.record()
    before = clone.did("rev-parse", "main")
    refused = clone.git("merge", "forged")
    assert refused.returncode == 2
    assert "carries no event" in refused.stderr
    assert clone.did("rev-parse", "main") == before
    assert clone.did("status", "--porcelain") == ""


def test_a_clone_of_what_is_unsound_or_no_ledger_leaves_nothing_behind(
    clone: Clone, server: Path, tmp_path: Path
) -> None:
    (server / "hooks" / "pre-receive").unlink()
    clone.edit("docs/plan", "forged")
    clone.did("-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--no-verify", "-a", "-m", "forged")
    clone.did("push", "-q")
    with pytest.raises((DamageError, NotALedgerError)):
        clone_with_files(tmp_path / "second", Remote("origin", str(server)))
    assert not (tmp_path / "second").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(RefusedError, match="not empty"):
        clone_with_files(tmp_path / "full", Remote("origin", str(server)))


def test_elsewhere_there_is_nothing_to_record(tmp_path: Path, clone: Clone) -> None:
    assert find_plain(tmp_path) is None
    with pytest.raises(NotALedgerError, match="in no clone of a ledger"):
        require_plain(tmp_path)
    clone.did("switch", "-q", "-c", "aside")
    with pytest.raises(RefusedError, match="checked out, not refs/heads/main"):
        require_plain(clone.top)
