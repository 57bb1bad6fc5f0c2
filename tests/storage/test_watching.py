"""Watching refs: what wakes a watcher, what does not, and where it cannot be done."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ledger.storage import watching
from ledger.storage.watching import CannotWatchError, RefWatch, file_system_of


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    """A bare repository with one commit on main."""
    folder = tmp_path / "some.git"
    subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
    tree = git(folder, "mktree")
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", tree, "-m", "one"))
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True, input="")
    return done.stdout.strip()


def settled(refs: RefWatch) -> None:
    """Hear everything that is still to be heard."""
    while refs.wait(0.5):
        pass


def moved(git_dir: Path, ref: str) -> None:
    tip = git(git_dir, "rev-parse", "refs/heads/main")
    git(git_dir, "update-ref", ref, git(git_dir, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "more"))


def test_a_ref_that_moves_wakes_it_and_quiet_does_not(git_dir: Path) -> None:
    with RefWatch(git_dir) as refs:
        settled(refs)
        assert not refs.wait(0.3)
        moved(git_dir, "refs/heads/main")
        assert refs.wait(5)


def test_what_happens_before_the_first_wait_is_heard(git_dir: Path) -> None:
    with RefWatch(git_dir) as refs:
        settled(refs)
        moved(git_dir, "refs/heads/session/one")
        time.sleep(0.5)
        assert refs.wait(5)


def test_after_a_change_it_wakes_once_more_and_then_rests(git_dir: Path) -> None:
    with RefWatch(git_dir) as refs:
        settled(refs)
        moved(git_dir, "refs/heads/main")
        assert refs.wait(5)
        while refs.wait(5) and refs._was_woken:
            pass
        assert not refs.wait(0.4)


def test_a_branch_in_a_folder_that_is_new_or_was_taken_away_is_heard(git_dir: Path) -> None:
    with RefWatch(git_dir) as refs:
        shutil.rmtree(git_dir / "refs/heads/session")
        settled(refs)
        moved(git_dir, "refs/heads/session/one")
        assert refs.wait(5)
        settled(refs)
        moved(git_dir, "refs/heads/session/one")
        assert refs.wait(5)


def test_a_deleted_branch_that_was_packed_is_heard(git_dir: Path) -> None:
    """So packed-refs need not be listened to: git takes the lock of the ref."""
    moved(git_dir, "refs/heads/session/one")
    git(git_dir, "pack-refs", "--all")
    with RefWatch(git_dir) as refs:
        settled(refs)
        git(git_dir, "update-ref", "-d", "refs/heads/session/one")
        assert refs.wait(5)


def test_it_stops_when_it_is_told_to_from_elsewhere(git_dir: Path) -> None:
    stop = threading.Event()
    with RefWatch(git_dir) as refs:
        settled(refs)
        threading.Timer(0.1, stop.set).start()
        began = time.monotonic()
        assert not refs.wait(None, stop)
        assert time.monotonic() - began < 5


EXHAUSTED = """
import os, resource, sys
from pathlib import Path
from watchfiles import _rust_notify
from ledger.storage.watching import CannotWatchError, RefWatch
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.open(os.devnull, os.O_RDONLY)
except OSError:
    pass
try:
    RefWatch(Path(sys.argv[1]))
except CannotWatchError as error:
    print(error.exit_code, error.message, error.hint)
"""


def test_where_the_system_has_no_watches_left_it_says_what_to_do(git_dir: Path) -> None:
    """The kernel gives the same error (EMFILE) where the watches of the user, not the files of the process, are out."""
    told = subprocess.run([sys.executable, "-c", EXHAUSTED, git_dir], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"7 {git_dir}/refs cannot be watched: ")
    assert "Too many open files" in told
    assert "fs.inotify.max_user_instances" in told


def test_a_network_file_system_is_refused_by_name(
    git_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "mountinfo"
    told.write_text(f"1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / {tmp_path} rw shared:1 - nfs4 server:/x rw\n")
    monkeypatch.setattr(watching, "_MOUNTS", told)
    with pytest.raises(CannotWatchError, match=r"network file system \(nfs4\)") as refused:
        RefWatch(git_dir)
    assert "local disk" in (refused.value.hint or "")


def test_the_innermost_mount_decides_and_of_two_at_one_place_the_last() -> None:
    mounts = [("/", "ext4"), ("/far", "nfs"), ("/far/near", "tmpfs"), ("/far", "cifs")]
    assert file_system_of(Path("/nowhere/x"), mounts) == "ext4"
    assert file_system_of(Path("/far/x"), mounts) == "cifs"
    assert file_system_of(Path("/farther"), mounts) == "ext4"
    assert file_system_of(Path("/far/near/x"), mounts) == "tmpfs"
    assert file_system_of(Path("/x"), []) == ""
