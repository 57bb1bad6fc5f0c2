"""Packs that git made are read as git reads them; damage is named, and a repack disturbs nobody."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.storage.contract import SOMEBODY, commit

from ledger.errors import DamageError, NotFoundError
from ledger.storage.codec import object_id
from ledger.storage.git import LIBGIT2_FROM, PACK_FROM, GitStore
from ledger.storage.layout import MAIN
from ledger.storage.pack import PackWriter
from ledger.storage.packs import Packs

Git = Callable[..., str]


@pytest.fixture
def packs(git_dir: Path) -> Iterator[Packs]:
    found = Packs(git_dir)
    yield found
    found.close()


def fill(store: GitStore, count: int = 150) -> None:
    """A line of commits whose files change a little each time, so that a repack makes chains of deltas."""
    chance = random.Random(7)
    tree: str | None = None
    parents: tuple[str, ...] = ()
    text = [f"line {n} {chance.random()}" for n in range(400)]
    for n in range(count):
        text[chance.randrange(len(text))] = f"changed {n}"
        if n % 50 == 0:
            text += [chance.randbytes(60_000).hex()]
        tree = store.edit_tree(tree, {"long": "\n".join(text).encode(), f"f/{n % 7}": b"%d" % n, "empty": b""})
        parents = (commit(store, f"{n}", parents, tree, SOMEBODY.time + n),)
    assert store.move_ref(MAIN, parents[0], None)


def all_objects(git: Git) -> dict[str, tuple[str, int]]:
    lines = [line.split() for line in git("cat-file", "--batch-all-objects", "--batch-check").splitlines()]
    return {oid: (kind, int(size)) for oid, kind, size in lines}


@pytest.mark.parametrize("base", ["true", "false"], ids=["offset-deltas", "ref-deltas"])
def test_every_object_of_a_repacked_history_is_read(
    git_store: GitStore, git_dir: Path, git: Git, packs: Packs, base: str
) -> None:
    fill(git_store)
    git("-c", f"repack.useDeltaBaseOffset={base}", "repack", "-q", "-a", "-d", "-f", "--depth=50")
    wanted = all_objects(git)
    assert len(wanted) > 450
    for oid in random.Random(1).sample(sorted(wanted), len(wanted)):
        found = packs.read(oid)
        assert found is not None
        assert (found[0], len(found[1])) == wanted[oid]
        assert object_id(*found) == oid


@pytest.mark.parametrize("length", [4, 5, 11, 40])
def test_ids_are_found_by_their_start(git_dir: Path, packs: Packs, length: int) -> None:
    writer = PackWriter(git_dir)
    oids = [object_id("blob", b"%d" % n) for n in range(500)]
    for n, oid in enumerate(oids):
        writer.add(oid, "blob", b"%d" % n)
    writer.finish()
    for oid in oids:
        assert packs.find(oid[:length]) == sorted(o for o in oids if o.startswith(oid[:length]))
        assert packs.has(oid)
    assert packs.find("ffff" + "f" * 36) == []
    assert not packs.has("0" * 40)
    assert not packs.has("f" * 40)
    assert packs.read("0" * 40) is None


def test_an_object_behind_2_gib_is_looked_up_in_the_table_of_large_ones(git_dir: Path, packs: Packs) -> None:
    writer = PackWriter(git_dir)
    oid = object_id("blob", b"x")
    writer.add(oid, "blob", b"x")
    made = writer.finish()
    data = bytearray(made.with_suffix(".idx").read_bytes())
    at = 8 + 1024 + 24
    assert int.from_bytes(data[at : at + 4], "big") == 12
    data[at : at + 4] = b"\x80\0\0\0"
    data[at + 4 : at + 4] = (12).to_bytes(8, "big")
    made.with_suffix(".idx").chmod(0o600)
    made.with_suffix(".idx").write_bytes(data)
    assert packs.read(oid) == ("blob", b"x")


def test_packs_may_be_replaced_while_they_are_read(git_store: GitStore, git_dir: Path, git: Git, packs: Packs) -> None:
    with git_store.bulk():
        oid = [commit(git_store, f"{n}") for n in range(PACK_FROM)][7]
    stop, repacks = threading.Event(), []

    def repack() -> None:
        while not stop.is_set():
            commit(GitStore(git_dir), f"{time.monotonic_ns()}")
            git("repack", "-q", "-a", "-d", "-k")
            repacks.append(1)

    other = threading.Thread(target=repack)
    other.start()
    try:
        while len(repacks) < 10:
            fresh = Packs(git_dir)
            assert fresh.has(oid)
            assert fresh.find(oid) == [oid]
            assert packs.read(oid) is not None
            assert GitStore(git_dir).commit(oid).oid == oid
            fresh.close()
    finally:
        stop.set()
        other.join()


def test_what_is_packed_later_is_found(git_store: GitStore, git_dir: Path, git: Git, packs: Packs) -> None:
    oid = commit(git_store, "x")
    git_store.move_ref(MAIN, oid, None)
    assert not packs.has(oid)
    git("repack", "-q", "-a", "-d")
    assert packs.has(oid)


def test_a_pack_that_a_repack_left_under_its_first_name_is_read(
    git_store: GitStore, git_dir: Path, git: Git, packs: Packs
) -> None:
    """git counts what is in it as packed, and removes the loose objects."""
    fill(git_store, 20)
    git("repack", "-q", "-a", "-d")
    for path in [*(git_dir / "objects/pack").glob("pack-*")]:
        path.rename(path.with_name(f".tmp-17-{path.name}"))
    wanted = all_objects(git)
    assert {oid: (found[0], len(found[1])) for oid in wanted if (found := packs.read(oid))} == wanted


def test_few_packed_objects_are_read_without_libgit2(git_store: GitStore, git_dir: Path, git: Git) -> None:
    """It takes longer to load than the command that needs them."""
    line: tuple[str, ...] = ()
    with git_store.bulk():
        for n in range(LIBGIT2_FROM + 5):
            line = (commit(git_store, f"{n}", line, time=SOMEBODY.time + n),)
    git_store.move_ref(MAIN, line[0], None)
    git("repack", "-q", "-a", "-d")
    script = (
        "import itertools, sys; from pathlib import Path; from ledger.storage.git import GitStore, LIBGIT2_FROM\n"
        f"store = GitStore({str(git_dir)!r}); walk = store.walk([store.ref({MAIN!r})])\n"
        "few = len(list(itertools.islice(walk, 20))); print(few, 'pygit2' in sys.modules)\n"
        "rest = len(list(walk)); print(few + rest, 'pygit2' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines() == ["20 False", f"{LIBGIT2_FROM + 5} True"]


@pytest.mark.parametrize("seed", range(4))
def test_damage_is_named_and_never_taken_for_content(git_store: GitStore, git_dir: Path, git: Git, seed: int) -> None:
    fill(git_store, 40)
    git("repack", "-q", "-a", "-d", "-f", "--depth=50")
    wanted = all_objects(git)
    (pack,) = (git_dir / "objects" / "pack").glob("*.pack")
    sound = pack.read_bytes()
    pack.chmod(0o600)
    chance = random.Random(seed)
    named = 0
    for number in range(12):
        broken = bytearray(sound)
        if number % 4 == 0:
            del broken[chance.randrange(len(broken)) :]
        else:
            broken[chance.randrange(12, len(broken))] ^= 1 << chance.randrange(8)
        pack.write_bytes(broken)
        packs = Packs(git_dir)
        for oid in wanted:
            try:
                found = packs.read(oid)
            except DamageError:
                named += 1
            else:
                assert found is not None
                assert object_id(*found) == oid
        packs.close()
    assert named > 12


@pytest.mark.parametrize("content", [b"", b"short", b"\0" * 2_000, b"\xfftOc\0\0\0\2" + b"\xff" * 1_024])
def test_a_damaged_index_is_named(git_store: GitStore, git_dir: Path, git: Git, content: bytes) -> None:
    fill(git_store, 3)
    git("repack", "-q", "-a", "-d")
    (index,) = (git_dir / "objects" / "pack").glob("*.idx")
    index.chmod(0o600)
    index.write_bytes(content)
    with pytest.raises(DamageError, match="index"):
        GitStore(git_dir).commit(git_store.ref(MAIN) or "")


def test_an_index_without_its_pack_holds_nothing(git_store: GitStore, git_dir: Path, git: Git) -> None:
    fill(git_store, 3)
    git("repack", "-q", "-a", "-d")
    (pack,) = (git_dir / "objects" / "pack").glob("*.pack")
    pack.unlink()
    with pytest.raises(NotFoundError):
        GitStore(git_dir).commit(git_store.ref(MAIN) or "")


def test_entries_that_build_on_one_another_in_a_circle_are_damage(git_dir: Path, packs: Packs) -> None:
    writer = PackWriter(git_dir)
    oid = object_id("blob", b"x" * 60)
    writer.add(oid, "blob", b"x" * 60)
    made = writer.finish()
    data = bytearray(made.read_bytes())
    # The only entry becomes a delta against itself.

    entry = bytes([0x70 | 5]) + bytes.fromhex(oid) + zlib.compress(b"\x3c\x3c\x90\x3c\0")
    made.chmod(0o600)
    made.write_bytes(bytes(data[:12]) + entry + bytes(40))
    with pytest.raises(DamageError, match="build on one another"):
        packs.read(oid)
