"""Settings of others: replaced as a whole, with their mode, their links and their neighbours as they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ledger.errors import BusyError, RefusedError, StorageError
from ledger.storage.settings_file import LARGEST, make_folders, read, remove, write


def test_what_is_written_is_read_and_the_folders_made_for_it_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a/b/c.json"
    assert read(path, tmp_path) is None
    assert write(path, tmp_path, None, b"{}", is_own=False) == [tmp_path / "a", tmp_path / "a/b"]
    assert read(path, tmp_path) == b"{}"
    assert [p.name for p in path.parent.iterdir()] == ["c.json"]
    remove(path, tmp_path, b"{}", [tmp_path / "a", tmp_path / "a/b"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_something_else_lies_stays(tmp_path: Path) -> None:
    made = write(tmp_path / "a/b.json", tmp_path, None, b"{}", is_own=False)
    (tmp_path / "a/other").touch()
    remove(tmp_path / "a/b.json", tmp_path, b"{}", made)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["other"]


def test_folders_are_made_within_bounds_and_told_and_go_with_a_file_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert make_folders(tmp_path / "in/a/b", tmp_path / "in") == [tmp_path / "in/a", tmp_path / "in/a/b"]
    assert make_folders(tmp_path / "in/a/b", tmp_path / "in") == []
    (tmp_path / "in/out").symlink_to(tmp_path)
    with pytest.raises(RefusedError, match="leads out of"):
        make_folders(tmp_path / "in/out/c", tmp_path / "in")
    remove(tmp_path / "in/a/b/gone", tmp_path / "in", None, [tmp_path / "in/a", tmp_path / "in/a/b"])
    remove(tmp_path / "in/a/b/gone", tmp_path / "in", None, [tmp_path / "in/a"])
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"{}")
    path.chmod(mode)
    write(path, tmp_path, b"{}", b"[]", is_own=False)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_is_as_the_umask_says_or_its_owners_alone(tmp_path: Path) -> None:
    write(tmp_path / "team", tmp_path, None, b"", is_own=False)
    write(tmp_path / "mine", tmp_path, None, b"", is_own=True)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("team", "mine")] == [0o644, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"{}")
    os.chown(path, 1234, 1235)
    write(path, tmp_path, b"{}", b"[]", is_own=False)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)


def test_a_file_that_changed_since_it_was_read_is_neither_written_nor_deleted(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"theirs")
    with pytest.raises(BusyError):
        write(path, tmp_path, b"{}", b"ours", is_own=False)
    for before in (b"{}", None):
        with pytest.raises(BusyError):
            remove(path, tmp_path, before, [])
    assert path.read_bytes() == b"theirs"


def test_a_link_that_leads_out_is_neither_read_nor_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "in/link").symlink_to(tmp_path / "secret")
    (tmp_path / "in/folder").symlink_to(tmp_path)
    for path in (tmp_path / "in/link", tmp_path / "in/folder/secret"):
        with pytest.raises(RefusedError, match="leads out of"):
            read(path, tmp_path / "in")
        with pytest.raises(RefusedError, match="leads out of"):
            write(path, tmp_path / "in", b"s", b"x", is_own=False)
    assert (tmp_path / "secret").read_bytes() == b"s"


def test_what_is_no_file_or_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "long").open("wb") as file:
        file.truncate(LARGEST + 1)
    for name in ("folder", "pipe", "long"):
        with pytest.raises(RefusedError, match="is not a settings file"):
            read(tmp_path / name, tmp_path)


def test_a_disk_that_refuses_leaves_the_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(b"{}")

    def full(fd: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write(path, tmp_path, b"{}", b"[]", is_own=False)
    assert path.read_bytes() == b"{}"
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]
