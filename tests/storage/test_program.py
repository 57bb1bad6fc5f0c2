"""git is told its repository, starts nothing on its behalf, and its failures are told in its own words."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.errors import BusyError, StorageError
from ledger.storage.program import require_git, run_git, scrubbed_environment


def test_no_variable_of_git_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_QUARANTINE_PATH", "/elsewhere")
    monkeypatch.setenv("KEPT", "yes")
    seen = scrubbed_environment()
    assert {name for name in seen if name.startswith("GIT_")} == {"GIT_TERMINAL_PROMPT"}
    assert (seen["KEPT"], seen["LC_ALL"]) == ("yes", "C")


def test_any_exit_code_is_an_answer_unless_success_is_required(git_dir: Path) -> None:
    assert run_git(git_dir, ["rev-parse", "--verify", "-q", "refs/heads/none"]).code == 1
    with pytest.raises(StorageError, match="unknown-verb"):
        require_git(git_dir, ["unknown-verb"])


def test_what_to_do_is_said_where_the_disk_refuses_git(git_dir: Path, small_disk: Path) -> None:
    with suppress(OSError), (small_disk / "rest").open("wb", buffering=0) as rest:
        while True:
            rest.write(b"\0" * 4096)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        require_git(git_dir, ["init", "--quiet", "--bare", f"--template={git_dir}", str(small_disk / "copy")])
    assert str(caught.value.hint).startswith("the disk is full: free some space")


def test_a_hook_of_the_repository_is_not_run(git_dir: Path, tmp_path: Path) -> None:
    hook = git_dir / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    tree = require_git(git_dir, ["write-tree"]).decode().strip()
    who = ("user.name=x", "user.email=x@y")
    made = run_git(git_dir, ["commit-tree", tree], settings=who).out.decode().strip()
    require_git(git_dir, ["update-ref", "refs/heads/x", made])
    require_git(git_dir, ["pack-refs", "--all"])
    assert not (tmp_path / "ran").exists()


def test_what_is_given_is_read_from_standard_input(git_dir: Path) -> None:
    assert run_git(git_dir, ["hash-object", "--stdin"], data=b"hi\n").out.strip() == (
        b"45b983be36b73c0788dc9cbcb76cbb80fc7bb057"
    )


def test_git_is_given_so_much_time_and_no_more(git_dir: Path) -> None:
    start = time.monotonic()
    with pytest.raises(BusyError, match=r"took longer than 0\.2 s"):
        run_git(git_dir, ["sleeps"], timeout=0.2, settings=["alias.sleeps=!sleep 60"])
    assert time.monotonic() - start < 30  # what git started does not keep us waiting either


def test_a_machine_without_git_is_told_so(git_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StorageError, match="git is not installed"):
        run_git(git_dir, ["version"])
