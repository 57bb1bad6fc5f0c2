"""Refs: git's protocol on disk, and damage that is named, not hidden."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.storage.contract import commit

from ledger.errors import BusyError, DamageError, InvalidError
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN, is_ref_name, session_ref
from ledger.storage.refs import Refs, bad_refs, left_locks, set_ref_file

Git = Callable[..., str]


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 41, b"abc\n", b"g" * 40 + b"\n"], ids=["empty", "zeros", "short", "no hex"]
)
def test_a_ref_that_names_no_commit_is_damage_and_is_found(git_store: GitStore, git_dir: Path, content: bytes) -> None:
    git_store.move_ref(session_ref("a"), commit(git_store, "x"), None)
    assert bad_refs(git_dir) == []
    (git_dir / session_ref("a")).write_bytes(content)
    with pytest.raises(DamageError):
        git_store.ref(session_ref("a"))
    with pytest.raises(DamageError):
        git_store.refs()
    assert [bad.path for bad in bad_refs(git_dir)] == [git_dir / session_ref("a")]


def test_a_damaged_line_of_packed_refs_is_found(git_store: GitStore, git_dir: Path, git: Git) -> None:
    git_store.move_ref(MAIN, commit(git_store, "x"), None)
    git("pack-refs", "--all")
    packed = git_dir / "packed-refs"
    packed.write_bytes(packed.read_bytes().replace(b"refs/heads/main", b"refs/he\0ds/main"))
    with pytest.raises(DamageError, match="line 2"):
        git_store.ref(MAIN)
    assert [bad.path for bad in bad_refs(git_dir)] == [packed]


def test_branches_that_others_end_meanwhile_are_passed_over(git_store: GitStore, git_dir: Path, git: Git) -> None:
    oid = commit(git_store, "x")
    names = [session_ref(f"{n}") for n in range(40)]
    done = threading.Event()

    def come_and_go() -> None:
        refs = Refs(git_dir, durable=False)
        while not done.is_set():
            for name in names:
                refs.move(name, oid, None)
            for name in names:
                refs.move(name, None, oid)

    other = threading.Thread(target=come_and_go)
    other.start()
    try:
        for _ in range(200):
            assert bad_refs(git_dir) == []
            assert left_locks(git_dir) == []
            assert set(git_store.refs()) <= set(names)
    finally:
        done.set()
        other.join()


def test_a_ref_that_is_packed_while_refs_are_listed_is_not_missed(git_store: GitStore, git_dir: Path, git: Git) -> None:
    oid = commit(git_store, "x")
    made: list[str] = []
    done = threading.Event()

    def make_and_pack() -> None:
        refs = Refs(git_dir, durable=False)
        for first in range(0, 600, 20):
            for name in [session_ref(f"{n}") for n in range(first, first + 20)]:
                refs.move(name, oid, None)
                made.append(name)
            git("pack-refs", "--all", "--prune")
        done.set()

    other = threading.Thread(target=make_and_pack)
    other.start()
    try:
        while not done.is_set():
            expected = set(made)
            assert expected <= set(git_store.refs())
    finally:
        other.join()


def test_a_ref_is_put_right_only_where_it_has_no_value(git_store: GitStore, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    set_ref_file(git_dir, MAIN, oid)
    assert git_store.ref(MAIN) == oid
    with pytest.raises(InvalidError):
        set_ref_file(git_dir, MAIN, oid)


def test_locks_of_the_dead_are_listed_by_age(git_dir: Path) -> None:
    fresh, old, packed = git_dir / "refs/heads/a.lock", git_dir / "refs/heads/b.lock", git_dir / "packed-refs.lock"
    for lock in (fresh, old, packed):
        lock.touch()
    for lock in (old, packed):
        os.utime(lock, (time.time() - 3600,) * 2)
    assert left_locks(git_dir) == sorted([old, packed])


def test_a_lock_that_a_killed_writer_left_keeps_nobody_waiting(git_store: GitStore, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    lock = git_dir / f"{MAIN}.lock"
    pid = os.fork()
    if pid == 0:
        with Refs(git_dir, durable=False)._locked(str(git_dir / MAIN)):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert lock.exists()
    began = time.monotonic()
    assert git_store.move_ref(MAIN, oid, None)
    assert time.monotonic() - began < 0.5
    assert not lock.exists()
    assert stat.S_IMODE((git_dir / MAIN).stat().st_mode) == 0o600


def test_a_lock_that_is_held_is_not_taken_away(git_store: GitStore, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    with Refs(git_dir, durable=False)._locked(str(git_dir / MAIN)), pytest.raises(BusyError):
        git_store.move_ref(MAIN, oid, None)
    assert git_store.move_ref(MAIN, oid, None)


def test_a_lock_of_git_itself_is_not_taken_away(git_store: GitStore, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    (git_dir / f"{MAIN}.lock").touch(0o600)
    with pytest.raises(BusyError):
        git_store.move_ref(MAIN, oid, None)


@pytest.mark.parametrize("folder", ["refs/heads", "refs/heads/session"])
def test_writers_that_are_killed_with_the_lock_in_hand_lose_nothing_for_the_others(
    git_store: GitStore, git_dir: Path, folder: str
) -> None:
    """Each of several writers moves one ref on by one; some are killed while they hold it. Nobody's move is undone."""
    line = [commit(git_store, "0")]
    for n in range(1, 200):
        line.append(commit(git_store, f"{n}", line[-1:]))
    ref = f"{folder}/x"
    git_store.move_ref(ref, line[0], None)
    writers = [_moving(git_dir, ref, line, seed) for seed in range(6)]
    for pid in writers:
        os.waitpid(pid, 0)
    seen = line.index(str(git_store.ref(ref)))
    assert seen == len(line) - 1
    assert not list((git_dir / folder).glob("*.lock"))


def _moving(git_dir: Path, ref: str, line: list[str], seed: int) -> int:
    """A process that moves a ref along a line; every few moves, a child of it dies with the lock in hand."""
    pid = os.fork()
    if pid:
        return pid
    refs, chance = Refs(git_dir, durable=False), random.Random(seed)
    while (now := str(refs.read(ref))) != line[-1]:
        if chance.random() < 0.2:
            child = os.fork()
            if child == 0:
                with refs._locked(str(git_dir / ref)):
                    os.kill(os.getpid(), signal.SIGKILL)
            os.waitpid(child, 0)
        refs.move(ref, line[line.index(now) + 1], now)
    os._exit(0)


def test_git_reads_what_is_moved_here_and_the_other_way_round(git_store: GitStore, git: Git) -> None:
    first, second = commit(git_store, "first"), commit(git_store, "second")
    git_store.move_ref(session_ref("a"), first, None)
    assert git("rev-parse", session_ref("a")).strip() == first
    git("update-ref", session_ref("a"), second, first)
    assert git_store.ref(session_ref("a")) == second
    git("pack-refs", "--all")
    assert git_store.move_ref(session_ref("a"), None, second)
    assert git("for-each-ref") == ""


def test_deleting_a_packed_ref_leaves_its_neighbours(git_store: GitStore, git: Git, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    for name in ("a", "ab", "b"):
        git_store.move_ref(session_ref(name), oid, None)
    git("tag", "-a", "-m", "annotated", "t", oid)
    git("pack-refs", "--all")
    assert git_store.move_ref(session_ref("a"), None, oid)
    assert list(git_store.refs()) == [session_ref("ab"), session_ref("b")]
    assert git("rev-parse", "t^{commit}").strip() == oid
    assert bad_refs(git_dir) == []


def test_a_branch_is_not_deleted_while_somebody_packs_it(git_store: GitStore, git_dir: Path) -> None:
    """Who packs has read it by then, and would bring it back after it is gone."""
    oid = commit(git_store, "x")
    git_store.move_ref(session_ref("a"), oid, None)
    packing = git_dir / "packed-refs.lock"
    packing.touch()
    with pytest.raises(BusyError, match="packed-refs"):
        git_store.move_ref(session_ref("a"), None, oid)
    assert git_store.ref(session_ref("a")) == oid
    packing.unlink()
    assert git_store.move_ref(session_ref("a"), None, oid)
    assert sorted(path.name for path in git_dir.glob("*packed-refs*")) == []


def test_branches_that_end_while_git_packs_refs_do_not_come_back(git_store: GitStore, git: Git) -> None:
    oid, done = commit(git_store, "x"), threading.Event()

    def pack() -> None:
        while not done.is_set():
            git("pack-refs", "--all", "--prune")

    packing = threading.Thread(target=pack)
    packing.start()
    ended = []
    try:
        for number in range(150):
            name = session_ref(f"{number}")
            git_store.move_ref(name, oid, None)
            time.sleep(0.0007)
            with suppress(BusyError):
                assert git_store.move_ref(name, None, oid)
                ended.append(name)
    finally:
        done.set()
        packing.join()
    assert set(git_store.refs()).isdisjoint(ended)


def test_a_ref_below_another_is_refused(git_store: GitStore) -> None:
    oid = commit(git_store, "x")
    git_store.move_ref("refs/heads/a", oid, None)
    with pytest.raises(InvalidError):
        git_store.move_ref("refs/heads/a/b", oid, None)


def test_symbolic_refs_are_left_out(git_store: GitStore, git: Git) -> None:
    git_store.move_ref("refs/remotes/origin/main", commit(git_store, "x"), None)
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert list(git_store.refs("refs/remotes/")) == ["refs/remotes/origin/main"]


def test_ref_files_are_private_whatever_the_umask(git_store: GitStore, git_dir: Path) -> None:
    os.umask(0)
    git_store.move_ref(session_ref("a"), commit(git_store, "x"), None)
    path = git_dir / session_ref("a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "name",
    [
        MAIN,
        "refs/heads/a/b.c",
        "refs/heads/-x",
        "refs/heads/\u00e9",
        "refs/heads/a..b",
        "refs/heads/a@{b",
        "HEAD",
        "refs/heads/a.lock/b",
        "refs//a",
        "refs/heads/.a",
        "refs/heads/a.",
        "refs/heads/a~",
        "refs/heads/a\x7f",
    ],
)
def test_names_are_judged_as_git_judges_them(git_dir: Path, name: str) -> None:
    accepted = subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0
    assert is_ref_name(name) == (accepted and name.startswith("refs/"))


def test_a_reader_sees_what_another_process_packed(git_dir: Path, git_store: GitStore, git: Git) -> None:
    refs = Refs(git_dir, durable=False)
    oids = [commit(git_store, f"{n}") for n in range(5)]
    old = None
    for oid in oids:
        assert refs.move(MAIN, oid, old)
        git("pack-refs", "--all")
        assert refs.read(MAIN) == oid
        old = oid


def test_an_interrupt_just_after_a_ref_was_moved_leaves_the_next_writers_lock_alone(
    git_store: GitStore, git_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, lock = os.rename, git_dir / f"{MAIN}.lock"
    new = commit(git_store, "x")

    def interrupted(old: str, to: str) -> None:
        rename(old, to)
        if to.endswith("main"):
            lock.write_text("the next writer's")
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        git_store.move_ref(MAIN, new, None)
    assert lock.read_text() == "the next writer's"
    assert git_store.ref(MAIN) == new
