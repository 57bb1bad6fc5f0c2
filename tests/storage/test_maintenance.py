"""Maintenance makes a ledger smaller and never poorer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.storage.contract import commit

from ledger.errors import BusyError, NotFoundError
from ledger.storage import maintenance
from ledger.storage.git import GitStore
from ledger.storage.journal import Journal, JournalRecord
from ledger.storage.layout import MAIN, Layout
from ledger.storage.locks import Lock


def grow(store: GitStore, count: int) -> list[str]:
    """Append commits to main, each with a tree of its own."""
    oids: list[str] = []
    tip = store.ref(MAIN)
    tree = None
    for n in range(count):
        tree = store.edit_tree(tree, {f"k/{n}": b"%d" % n})
        oid = commit(store, f"{n}", [tip] if tip else [], tree)
        assert store.move_ref(MAIN, oid, tip)
        oids.append(oid)
        tip = oid
    return oids


def test_loose_objects_become_packs_and_everything_is_still_there(layout: Layout, git_store: GitStore) -> None:
    oids = grow(git_store, 60)
    done = maintenance.gc(layout)
    events = next(d for d in done if d.repository == layout.git_dir)
    assert events.before.loose > 180
    assert (events.after.loose, events.after.packs) == (0, 1)
    assert events.after.bytes < events.before.bytes / 5
    assert [c.oid for c in git_store.walk([oids[-1]], order="oldest")] == oids
    assert [c.oid for c in GitStore(layout.git_dir).walk([oids[-1]], order="oldest")] == oids
    assert maintenance.fsck(layout.git_dir) == []
    oids += grow(git_store, 3)
    maintenance.gc(layout, is_full=True)
    assert len(list(git_store.walk([oids[-1]]))) == 63


def test_what_is_not_referenced_yet_survives_until_it_is_two_weeks_old(layout: Layout, git_store: GitStore) -> None:
    grow(git_store, 2)
    waiting = commit(git_store, "about to be referenced")
    for is_full in (False, True):
        maintenance.gc(layout, is_full=is_full)
        git_store.close()
        assert git_store.commit(waiting).message == b"about to be referenced"


def test_full_maintenance_drops_what_no_ref_reached_for_two_weeks(layout: Layout, git_store: GitStore) -> None:
    grow(git_store, 2)
    lost = commit(git_store, "never referenced")
    os.utime(layout.git_dir / "objects" / lost[:2] / lost[2:], (1, 1))
    maintenance.gc(layout, is_full=True)
    git_store.close()
    with pytest.raises(NotFoundError):
        git_store.commit(lost)


def test_packed_files_are_private_whatever_the_umask(layout: Layout, git_store: GitStore) -> None:
    os.umask(0)
    grow(git_store, 5)
    maintenance.gc(layout)
    assert [path for path in layout.root.rglob("*") if path.stat().st_mode & 0o077] == []


def test_one_maintenance_at_a_time(layout: Layout) -> None:
    with Lock(layout.maintenance_lock).hold(0), pytest.raises(BusyError):
        maintenance.gc(layout)


@pytest.mark.parametrize("name", ["packed-refs.lock", "packed-refs.new"])
def test_what_a_git_that_was_killed_left_keeps_nobody_from_packing(
    layout: Layout, git_store: GitStore, name: str
) -> None:
    grow(git_store, 5)
    left = layout.git_dir / name
    left.touch()
    os.utime(left, (1, 1))
    maintenance.gc(layout)
    assert not left.exists()
    assert [path.name.endswith(name) for path in layout.quarantine.iterdir()] == [True]


def test_journals_are_cut_except_where_a_session_is_writing(layout: Layout) -> None:
    for session in ("a", "b"):
        with Journal(layout.journal_of(session)) as log:
            log.append(JournalRecord("a" * 40, b"x", (MAIN,)))
    with Lock(layout.session_lock("b")).hold(0):
        assert maintenance.cut_journals(layout) == [layout.journal_of("a")]
    assert not layout.journal_of("a").exists()
    assert layout.journal_of("b").stat().st_size > 0


def test_lock_files_of_idle_sessions_are_removed(layout: Layout) -> None:
    for session in ("idle", "held", "busy"):
        with Lock(layout.session_lock(session)).hold(0):
            pass
    line = layout.locks / "queue.line"
    line.mkdir()
    for draft in (line / ".left", line / ".fresh"):
        os.mkfifo(draft)
    for path in (layout.session_lock("idle"), layout.session_lock("held"), line / ".left"):
        os.utime(path, (1, 1))
    with Lock(layout.session_lock("held")).hold(0, shared=True):
        maintenance.gc(layout)
    assert sorted(path.name for path in layout.locks.glob("session-*")) == ["session-busy", "session-held"]
    assert [path.name for path in line.iterdir()] == [".fresh"]


WRITER = """
import sys, time
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN
from tests.storage.contract import commit
store = GitStore(sys.argv[1])
deadline = time.monotonic() + 3
n = 0
while time.monotonic() < deadline:
    tip = store.ref(MAIN)
    tree = store.edit_tree(store.commit(tip).tree, {f"k/{n % 9}": b"%d" % n})
    oid = commit(store, f"{n}", [tip], tree)
    if store.move_ref(MAIN, oid, tip):
        print(oid, flush=True)
        n += 1
"""


def test_what_is_remembered_of_working_trees_goes_after_a_month_without_a_capture(
    layout: Layout, tmp_path: Path
) -> None:
    layout.index.mkdir(exist_ok=True)
    left, used = layout.stats_of(tmp_path / "left"), layout.stats_of(tmp_path / "used")
    for path, days in ((left, 31), (used, 29)):
        path.write_bytes(b"")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    maintenance.gc(layout)
    assert (left.exists(), used.exists()) == (False, True)


def test_writers_lose_nothing_beside_maintenance(layout: Layout, git_store: GitStore) -> None:
    """Every commit that two writers saw in its place is in history afterwards, and git finds no fault."""
    grow(git_store, 3)
    run = [sys.executable, "-c", WRITER, str(layout.git_dir)]
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(2)]
    rounds = 0
    while any(writer.poll() is None for writer in writers) and rounds < 60:
        maintenance.gc(layout, is_full=rounds % 4 == 3)
        rounds += 1
    acknowledged = {oid for writer in writers for oid in writer.communicate(timeout=60)[0].split()}
    assert [writer.returncode for writer in writers] == [0, 0]
    tip = git_store.ref(MAIN)
    assert tip is not None
    assert acknowledged <= {c.oid for c in GitStore(layout.git_dir).walk([tip])}
    assert rounds > 1
    assert maintenance.fsck(layout.git_dir) == []


def test_every_part_of_the_folder_is_weighed(layout: Layout, git_store: GitStore) -> None:
    grow(git_store, 5)
    weights = maintenance.du(layout)
    assert set(weights) == {path.name for path in layout.root.iterdir()}
    assert weights["ledger.git"] > 5_000


def test_a_damaged_object_is_what_fsck_says(layout: Layout, git_store: GitStore) -> None:
    oid = grow(git_store, 1)[0]
    path = layout.git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"")
    assert any(oid in line for line in maintenance.fsck(layout.git_dir))
