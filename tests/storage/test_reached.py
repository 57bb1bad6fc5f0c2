"""What was found below a commit once is found again without the walk between them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.contract import commit

from ledger.errors import NotFoundError
from ledger.storage.memory import MemoryStore
from ledger.storage.reached import Reached
from ledger.storage.store import Commit, Oid

LONG = 200


class Counting(MemoryStore):
    """A store that counts the commits it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def commit(self, oid: Oid) -> Commit:
        self.asked += 1
        return super().commit(oid)


@pytest.fixture
def store() -> Counting:
    return Counting()


def a_line(store: MemoryStore, count: int, start: int = 0, base: Oid | None = None) -> list[Oid]:
    found = [] if base is None else [base]
    for n in range(start, start + count):
        found.append(commit(store, f"{n}", found[-1:], time=1_000 + n))
    return found


def asked(store: Counting, path: Path, ancestor: Oid, of: Oid) -> int:
    before = store.asked
    assert Reached(store, path).is_ancestor(ancestor, of)
    return store.asked - before


def test_a_long_walk_is_taken_once(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, LONG)
    assert asked(store, tmp_path / "reached", line[0], line[-1]) >= LONG
    assert asked(store, tmp_path / "reached", line[0], line[-1]) < 10


def test_later_only_what_came_since_is_walked(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, LONG)
    asked(store, tmp_path / "reached", line[0], line[-1])
    more = a_line(store, 20, LONG, line[-1])
    assert asked(store, tmp_path / "reached", line[0], more[-1]) < 50


def test_a_short_walk_leaves_no_file(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, 20)
    asked(store, tmp_path / "reached", line[0], line[-1])
    assert not (tmp_path / "reached").exists()


def test_what_was_found_below_one_tip_is_not_said_of_another(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, LONG)
    asked(store, tmp_path / "reached", line[1], line[-1])
    apart = a_line(store, 5, 1_000, line[0])
    assert not Reached(store, tmp_path / "reached").is_ancestor(line[1], apart[-1])
    assert Reached(store, tmp_path / "reached").is_ancestor(line[1], line[3])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no pair\n", b"0" * 40 + b" " + b"1" * 40 + b"\n"])
def test_a_file_that_tells_nothing_is_no_hindrance(store: Counting, tmp_path: Path, content: bytes) -> None:
    line = a_line(store, LONG)
    (tmp_path / "reached").write_bytes(content.replace(b"0" * 40, line[0].encode()))
    assert asked(store, tmp_path / "reached", line[0], line[-1]) >= LONG


def test_where_nothing_can_be_kept_it_is_walked_each_time(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, LONG)
    for _ in range(2):
        assert asked(store, tmp_path / "missing" / "reached", line[0], line[-1]) >= LONG


def test_a_commit_that_is_not_there_is_named(store: Counting, tmp_path: Path) -> None:
    line = a_line(store, 3)
    with pytest.raises(NotFoundError):
        Reached(store, tmp_path / "reached").is_ancestor("1" * 40, line[-1])
