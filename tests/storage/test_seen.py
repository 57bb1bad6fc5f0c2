"""The index of what was recorded: kept when its block ends well, forgotten when it does not, and told of the disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.errors import StorageError
from ledger.storage.seen import Seen, Tailed, digest

SESSION = "6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seen.sqlite"


def test_what_was_added_is_there_the_next_time(path: Path) -> None:
    with Seen(path) as seen:
        seen.add_origins([(SESSION, "prompt:1")])
        seen.move_heads(["a", "b"])
        seen.add_head("c")
        seen.add_tail("/a/path", Tailed(7, b"x", True))
    with Seen(path) as seen:
        assert seen.origins(SESSION) == {digest("prompt:1")}
        assert sorted(seen.heads()) == ["a", "b", "c"]
        assert seen.tail("/a/path") == Tailed(7, b"x", True)
        assert seen.tail("/another") is None


def test_after_an_error_nothing_of_the_block_is_kept(path: Path) -> None:
    with suppress(KeyError), Seen(path) as seen:
        seen.add_origins([(SESSION, "prompt:1")])
        raise KeyError
    with Seen(path) as seen:
        assert seen.origins(SESSION) == set()


def test_the_lines_of_one_attachment_count_once(path: Path) -> None:
    with Seen(path) as seen:
        for ref in ("transcript:1", "transcript:1", "transcript:2"):
            seen.add_lines(SESSION, ref, Counter({b"line": 2}))
        assert seen.lines(SESSION) == Counter({b"line": 4})


def test_what_the_disk_refuses_is_an_error_of_the_ledger(path: Path) -> None:
    with pytest.raises(StorageError, match=r"seen\.sqlite: disk I/O error"), Seen(path):
        raise sqlite3.OperationalError("disk I/O error")


def test_an_index_that_is_no_database_is_begun_anew(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with Seen(path) as seen:
        assert seen.heads() == []


def test_where_no_index_can_be_made_that_is_an_error_of_the_ledger(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StorageError):
        Seen(path)
