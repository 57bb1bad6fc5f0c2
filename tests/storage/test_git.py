"""GitStore keeps the contract with loose objects, packed ones and both; and stands what disks do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.storage.contract import EventStoreContract, Settle, commit

from ledger.errors import BusyError, DamageError, NotALedgerError, NotFoundError, StorageError
from ledger.storage import opening
from ledger.storage.git import PACK_FROM, GitStore
from ledger.storage.layout import MAIN
from ledger.storage.maintenance import fsck
from ledger.storage.memory import MemoryStore

Git = Callable[..., str]


class TestGitStore(EventStoreContract):
    @pytest.fixture
    def store(self, git_dir: Path) -> Iterator[GitStore]:
        store = GitStore(git_dir)
        yield store
        store.close()
        assert fsck(git_dir) == []


class TestDurableGitStore(TestGitStore):
    @pytest.fixture
    def store(self, git_dir: Path) -> GitStore:
        return GitStore(git_dir, durable=True)


class TestGitStoreAfterMaintenance(TestGitStore):
    """Another process packs everything, with a commit-graph, while the store is open."""

    @pytest.fixture
    def settle(self, git: Git) -> Settle:
        def settle() -> None:
            git("repack", "-q", "-a", "-d", "-k", "--write-midx")
            git("pack-refs", "--all")
            git("commit-graph", "write", "--reachable", "--no-progress")

        return settle


class TestGitStoreReopened(TestGitStoreAfterMaintenance):
    """As above, and nothing is remembered in memory."""

    @pytest.fixture
    def settle(self, git: Git, store: GitStore) -> Settle:
        def settle() -> None:
            git("repack", "-q", "-a", "-d", "-k")
            git("pack-refs", "--all")
            store.close()

        return settle


def test_git_and_memory_give_the_same_ids(git_store: GitStore) -> None:
    def history(store: GitStore | MemoryStore) -> str:
        tree, tip = None, ()
        for n in range(30):
            tree = store.edit_tree(tree, {f"k{n % 5}/{n}.yaml": b"v%d" % n, f"k{n % 3}/{n - 4}.yaml": None})
            tip = (commit(store, f"event {n} \u00e9", tip, tree),)
        return tip[0]

    assert history(git_store) == history(MemoryStore())


APPENDER = """
import sys
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN
from tests.storage.contract import commit
store = GitStore(sys.argv[1])
for n in range(100):
    while True:
        tip = store.ref(MAIN)
        oid = commit(store, f"{sys.argv[2]} {n}", [tip] if tip else [])
        if store.move_ref(MAIN, oid, tip):
            break
"""


def test_four_processes_that_append_to_one_ref_lose_nothing(git_dir: Path, git: Git) -> None:
    run = [sys.executable, "-c", APPENDER, str(git_dir)]
    root = Path(__file__).parents[2]
    writers = [subprocess.Popen([*run, f"w{n}"], cwd=root) for n in range(4)]
    for _ in range(3):
        git("pack-refs", "--all")
    assert [writer.wait(timeout=100) for writer in writers] == [0, 0, 0, 0]
    messages = sorted(c.message.decode() for c in GitStore(git_dir).walk([git("rev-parse", MAIN).strip()]))
    assert messages == sorted(f"w{w} {n}" for w in range(4) for n in range(100))
    assert fsck(git_dir) == []


def test_git_in_another_repository_does_not_matter(
    git_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook's GIT_DIR and object folder are not followed, neither by us nor by the git we start."""
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", "--bare", str(other)], check=True)
    monkeypatch.setenv("GIT_DIR", str(other))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / "objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    before = sorted(other.rglob("*"))
    store = GitStore(git_dir)
    oid = commit(store, "here")
    assert store.move_ref(MAIN, oid, None)
    assert fsck(git_dir) == []
    assert (git_dir / MAIN).read_text() == f"{oid}\n"
    assert sorted(other.rglob("*")) == before


def test_libgit2_is_not_loaded_for_recent_history(git_dir: Path) -> None:
    code = (
        "import sys\n"
        "from ledger.storage.git import GitStore\n"
        "from ledger.storage.layout import MAIN\n"
        "from tests.storage.contract import commit\n"
        "store = GitStore(sys.argv[1])\n"
        "tree = store.edit_tree(None, {'a/b': b'1'})\n"
        "tip = commit(store, 'x', tree=tree)\n"
        "store.move_ref(MAIN, tip, None)\n"
        "store.read_file(store.commit(store.ref(MAIN)).tree, 'a/b')\n"
        "list(store.walk([tip])), store.refs(), store.find(tip[:4])\n"
        "assert 'pygit2' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(git_dir)], check=True, cwd=Path(__file__).parents[2])


def test_a_lock_left_by_a_killed_writer_is_named_and_left_alone(git_store: GitStore, git_dir: Path) -> None:
    first = commit(git_store, "first")
    git_store.move_ref(MAIN, first, None)
    lock = git_dir / f"{MAIN}.lock"
    lock.touch()
    with pytest.raises(BusyError, match=r"main\.lock"):
        git_store.move_ref(MAIN, commit(git_store, "second", [first]), first)
    assert lock.exists()
    assert git_store.ref(MAIN) == first
    lock.unlink()
    assert git_store.move_ref(MAIN, commit(git_store, "second", [first]), first)


def test_a_truncated_loose_object_is_damage_at_every_length_and_never_a_hang(
    git_store: GitStore, git_dir: Path
) -> None:
    oid = commit(git_store, "a message that takes a few bytes")
    path = git_dir / "objects" / oid[:2] / oid[2:]
    whole = path.read_bytes()
    path.chmod(0o600)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        git_store.close()
        with pytest.raises(DamageError):
            git_store.commit(oid)
        with pytest.raises(DamageError):
            list(git_store.walk([oid]))


def test_an_empty_object_is_healed_by_writing_it_again(git_store: GitStore, git_dir: Path) -> None:
    oid = commit(git_store, "x")
    path = git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"")
    git_store.close()
    assert commit(git_store, "x") == oid
    assert git_store.commit(oid).message == b"x"


def test_a_damaged_pack_is_damage(git_store: GitStore, git_dir: Path) -> None:
    with git_store.bulk():
        oids = [commit(git_store, f"a message {n}") for n in range(PACK_FROM)]
    git_store.close()
    (pack,) = (git_dir / "objects" / "pack").glob("*.pack")
    pack.chmod(0o600)
    data = bytearray(pack.read_bytes())
    data[200:-20] = bytes(len(data) - 220)
    pack.write_bytes(data)
    with pytest.raises(DamageError):
        _ = [git_store.commit(oid) for oid in oids]


def test_a_folder_that_is_no_repository_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    with pytest.raises(NotALedgerError, match="HEAD, config, refs"):
        GitStore(tmp_path)


def test_a_bulk_killed_in_between_leaves_nothing_but_a_draft_for_prune(git_dir: Path, git: Git) -> None:
    code = (
        "import os, sys\n"
        "from ledger.storage.git import GitStore\n"
        "from tests.storage.contract import commit\n"
        "store = GitStore(sys.argv[1])\n"
        "with store.bulk():\n"
        "    for n in range(500): commit(store, str(n))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(git_dir)], cwd=Path(__file__).parents[2], check=False)
    assert ran.returncode == -9
    assert git("count-objects", "-v").splitlines()[:3] == ["count: 0", "size: 0", "in-pack: 0"]
    assert fsck(git_dir) == []
    git("prune", "--expire=now")
    assert list((git_dir / "objects" / "pack").iterdir()) == []


def _append_for_ever(store: GitStore, stored: list[str]) -> None:
    while True:
        oid = commit(store, f"{len(stored)} " + os.urandom(600).hex(), stored[-1:])
        assert store.move_ref(MAIN, oid, stored[-1] if stored else None)
        stored.append(oid)


def test_a_full_disk_is_told_and_what_was_stored_stays(small_disk: Path) -> None:
    git_dir = opening.create(small_disk / "ledger").git_dir
    store = GitStore(git_dir)
    stored: list[str] = []
    with pytest.raises(StorageError, match="No space left") as refused:
        _append_for_ever(store, stored)
    assert "disk is full" in (refused.value.hint or "")
    store.close()
    assert len(stored) > 50
    assert [c.oid for c in store.walk([store.ref(MAIN) or ""], order="oldest")] == stored
    assert fsck(git_dir) == []


def _write_too_much(store: GitStore) -> None:
    with store.bulk():
        for n in range(10_000):
            commit(store, f"{n} " + os.urandom(600).hex())


def test_a_bulk_on_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    git_dir = opening.create(small_disk / "ledger").git_dir
    store = GitStore(git_dir)
    before = sorted(git_dir.rglob("*"))
    with pytest.raises(StorageError, match="No space left"):
        _write_too_much(store)
    assert sorted(git_dir.rglob("*")) == before


def test_a_read_only_disk_can_be_read_and_says_why_it_cannot_be_written(small_disk: Path) -> None:
    store = GitStore(opening.create(small_disk / "ledger").git_dir)
    oid = commit(store, "x")
    store.move_ref(MAIN, oid, None)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.commit(store.ref(MAIN) or "").message == b"x"
    for write in (lambda: commit(store, "y"), lambda: store.move_ref(MAIN, None, oid)):
        with pytest.raises(StorageError, match="Read-only file system"):
            write()


def test_a_missing_object_is_not_found_wherever_it_is_looked_for(git_store: GitStore) -> None:
    for oid in ("0" * 40, "../../../etc/passwd", "", "xyz"):
        with pytest.raises(NotFoundError):
            git_store.commit(oid)
        assert not git_store.has(oid)


DURABLE = """
import sys
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN, session_ref
from tests.storage.contract import commit
store = GitStore(sys.argv[1], durable=True)
tip = commit(store, "x", tree=store.edit_tree(None, {"a/b": b"1"}))
for name in (MAIN, session_ref("new")):
    store.move_ref(name, tip, None)
with store.bulk():
    for n in range(100):
        commit(store, str(n))
"""


def test_a_durable_store_syncs_each_file_before_it_gets_its_name_and_each_name_after(
    git_dir: Path, tmp_path: Path
) -> None:
    """Read from the system calls, for a power cut cannot be had here."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    watch = ["strace", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync,rename,mkdir"]
    root = Path(__file__).parents[2]
    subprocess.run([*watch, sys.executable, "-B", "-c", DURABLE, str(git_dir)], check=True, cwd=root)
    calls = [line for line in trace.read_text().splitlines() if str(git_dir) in line and line.endswith("= 0")]
    renamed = [(place, *re.findall(r'"([^"]+)"', line)) for place, line in enumerate(calls) if "rename(" in line]
    made = [(place, *re.findall(r'"([^"]+)"', line)) for place, line in enumerate(calls) if "mkdir(" in line]
    assert len(renamed) == 8
    assert len(made) >= 2
    for place, draft, name in renamed:
        assert any("sync(" in line and f"<{draft}>" in line for line in calls[:place]), draft
        assert _is_synced(calls[place:], name)
    assert all(_is_synced(calls[place:], folder) for place, folder in made)


def _is_synced(calls: list[str], name: str) -> bool:
    return any("fsync(" in line and f"<{Path(name).parent}>" in line for line in calls)


def test_an_object_lies_in_a_file_of_its_own_until_it_is_packed(git_store: GitStore, git_dir: Path, git: Git) -> None:
    oid = commit(git_store, "x", (), git_store.edit_tree(None, {"k": b"1"}))
    git_store.move_ref(MAIN, oid, None)
    assert git_store.file_of(oid) == git_dir / "objects" / oid[:2] / oid[2:]
    git("repack", "-adq")
    (pack,) = (git_dir / "objects" / "pack").glob("*.pack")
    assert git_store.file_of(oid) == pack
    assert git_store.file_of("1" * 40) is None
