"""Packs that git itself accepts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.storage.contract import commit

from ledger.storage import pack
from ledger.storage.codec import object_id
from ledger.storage.git import PACK_FROM, GitStore
from ledger.storage.layout import MAIN
from ledger.storage.maintenance import fsck
from ledger.storage.pack import PackWriter

Git = Callable[..., str]


def test_git_accepts_a_pack_of_every_kind_and_size(git_store: GitStore, git_dir: Path, git: Git) -> None:
    sizes = [0, 1, 15, 16, 17, 2_047, 2_048, 70_000, 600_000]
    with git_store.bulk():
        tree, tip = None, []
        for n in range(PACK_FROM):
            tree = git_store.edit_tree(tree, {f"f/{n}": os.urandom(sizes[n % len(sizes)]) + b"%d" % n})
            tip = [commit(git_store, f"{n}", tip, tree)]
    assert git_store.move_ref(MAIN, tip[0], None)
    (made,) = (git_dir / "objects" / "pack").glob("*.pack")
    git("verify-pack", str(made))
    command = ["git", f"--git-dir={git_dir}", "index-pack", "--strict", "--stdin"]
    subprocess.run(command, input=made.read_bytes(), check=True, capture_output=True)
    assert fsck(git_dir) == []
    reached = git("rev-list", "--objects", "--count", MAIN).strip()
    assert f"in-pack: {reached}\n" in git("count-objects", "-v")


def test_our_index_is_the_one_that_git_makes(git_store: GitStore, git_dir: Path, tmp_path: Path) -> None:
    with git_store.bulk():
        for n in range(300):
            commit(git_store, f"{n}")
    (made,) = (git_dir / "objects" / "pack").glob("*.pack")
    command = ["git", "index-pack", "--index-version=2", "-o", str(tmp_path / "idx"), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    assert made.with_suffix(".idx").read_bytes() == (tmp_path / "idx").read_bytes()


def test_offsets_beyond_2_gib_go_to_the_table_of_large_ones() -> None:
    small, large = pack._offsets([12, 2**31 - 1, 2**31, 2**33])
    assert small == b"".join(n.to_bytes(4, "big") for n in (12, 2**31 - 1, 2**31, 2**31 + 1))
    assert large == b"".join(n.to_bytes(8, "big") for n in (2**31, 2**33))


def test_an_object_added_twice_is_stored_once(git_dir: Path) -> None:
    writer = PackWriter(git_dir)
    oid = object_id("blob", b"x")
    writer.add(oid, "blob", b"x")
    writer.add(oid, "blob", b"x")
    assert len(writer) == 1
    assert oid in writer
    assert writer.read(oid) == ("blob", b"x")
    writer.finish()
    assert fsck(git_dir) == []


def test_an_abandoned_pack_leaves_no_file(git_dir: Path) -> None:
    writer = PackWriter(git_dir)
    writer.add(object_id("blob", b"x"), "blob", b"x")
    writer.abandon()
    assert list((git_dir / "objects" / "pack").iterdir()) == []
