"""Damaged objects are found in Python, moved aside and healed; good ones are left alone."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from ledger.errors import StorageError
from ledger.storage import loose
from ledger.storage.codec import object_id
from ledger.storage.layout import Layout
from ledger.storage.loose import LooseObjects


@pytest.fixture
def objects(git_dir: Path) -> LooseObjects:
    return LooseObjects(git_dir, durable=False)


def spoil(objects: LooseObjects, oid: str, data: bytes) -> Path:
    path = Path(objects.path(oid))
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def test_an_object_cut_at_any_length_is_found(objects: LooseObjects, git_dir: Path) -> None:
    oid = objects.write("blob", b"some content, some more content")
    whole = Path(objects.path(oid)).read_bytes()
    assert loose.scan_loose(git_dir) == []
    for length in range(len(whole)):
        path = spoil(objects, oid, whole[:length])
        assert loose.scan_loose(git_dir) == [path]


def test_an_object_with_any_bit_flipped_is_found(objects: LooseObjects, git_dir: Path) -> None:
    oid = objects.write("blob", b"some content")
    whole = Path(objects.path(oid)).read_bytes()
    # The first byte's upper bits name a window size that inflating the same bytes does not depend on.
    for bit in range(8, len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        if _same(bytes(flipped), whole):
            continue
        spoil(objects, oid, bytes(flipped))
        assert loose.scan_loose(git_dir) != []


def _same(flipped: bytes, whole: bytes) -> bool:
    try:
        return zlib.decompress(flipped) == zlib.decompress(whole)
    except zlib.error:
        return False


@pytest.mark.parametrize(
    "stored",
    [b"", b"\0" * 50, b"rubbish", zlib.compress(b"blob 4\0good" + b"x"), zlib.compress(b"blob 3\0odd") + b"more"],
    ids=["empty", "zeros", "rubbish", "another object", "bytes behind"],
)
def test_whatever_is_not_the_object_is_damage(objects: LooseObjects, git_dir: Path, stored: bytes) -> None:
    path = spoil(objects, object_id("blob", b"good"), stored)
    assert loose.scan_loose(git_dir) == [path]


def test_a_damaged_object_is_healed_once_its_file_is_moved_away(objects: LooseObjects, layout: Layout) -> None:
    oid = objects.write("blob", b"content")
    path = spoil(objects, oid, b"rubbish")
    with pytest.raises(StorageError, match="stands in the way"):
        loose.rewrite_loose(layout.git_dir, "blob", b"content")
    (kept,) = loose.quarantine([path], layout.quarantine)
    assert kept.read_bytes() == b"rubbish"
    assert loose.rewrite_loose(layout.git_dir, "blob", b"content") == oid
    assert objects.read(oid) == ("blob", b"content")
    assert loose.scan_loose(layout.git_dir) == []


def test_an_object_written_again_after_weeks_is_young_enough_for_prune(objects: LooseObjects) -> None:
    path = objects.path(objects.write("blob", b"old"))
    os.utime(path, (1, 1))
    objects.write("blob", b"old")
    assert Path(path).stat().st_mtime > 1_000_000_000


def test_objects_are_private_and_unwritable(objects: LooseObjects) -> None:
    os.umask(0)
    path = Path(objects.path(objects.write("blob", b"x")))
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_draft_left_by_a_dead_process_is_stepped_over(objects: LooseObjects, git_dir: Path) -> None:
    number = next(loose._drafts) + 1
    (git_dir / "objects" / f"tmp_obj_{os.getpid()}_{number}").touch()
    oid = objects.write("blob", b"x")
    assert objects.read(oid) == ("blob", b"x")


def test_an_interrupt_just_after_an_object_got_its_name_is_told_as_what_it_is(
    objects: LooseObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def interrupted(old: str, new: str) -> None:
        rename(old, new)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        objects.write("blob", b"content")
    assert Path(objects.path(object_id("blob", b"content"))).exists()
