"""Remembered heads last, stay small, and show where they were tampered with."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from ledger.storage.heads import COMPACTED_ABOVE, Heads
from ledger.storage.layout import MAIN, session_ref


def oid(n: int) -> str:
    return f"{n:040x}"


@pytest.fixture
def heads(tmp_path: Path) -> Heads:
    return Heads(tmp_path / "heads")


def test_the_last_head_of_each_ref_is_remembered(heads: Heads) -> None:
    assert heads.last(MAIN) is None
    assert heads.all() == {}
    for n in range(5):
        heads.remember(MAIN, oid(n))
        heads.remember(session_ref("a"), oid(n + 10))
    again = Heads(heads.path)
    assert again.last(MAIN) == oid(4)
    assert again.all() == {MAIN: oid(4), session_ref("a"): oid(14)}
    assert again.is_intact()


def test_where_a_ref_has_been_is_told_in_order(heads: Heads) -> None:
    for n in range(1, 4):
        heads.remember(MAIN, oid(n))
        heads.remember(session_ref("a"), oid(n + 9))
    heads.forget(session_ref("a"))
    assert heads.trail(MAIN) == [oid(1), oid(2), oid(3)]
    assert heads.trail(session_ref("a")) == [oid(10), oid(11), oid(12)]
    assert heads.trail(session_ref("b")) == []


def test_a_torn_line_is_dropped_at_any_length(heads: Heads) -> None:
    heads.remember(MAIN, oid(1))
    first = heads.path.read_bytes()
    heads.remember(MAIN, oid(2))
    whole = heads.path.read_bytes()
    for length in range(len(first), len(whole)):
        heads.path.write_bytes(whole[:length])
        assert heads.last(MAIN) == oid(1)
        heads.remember(MAIN, oid(3))
        assert heads.last(MAIN) == oid(3)
        assert heads.is_intact()


def test_zeros_left_by_a_power_cut_are_dropped(heads: Heads) -> None:
    heads.remember(MAIN, oid(1))
    with heads.path.open("ab") as file:
        file.write(b"\0" * 500)
    heads.remember(MAIN, oid(2))
    assert heads.last(MAIN) == oid(2)
    assert heads.is_intact()


def test_a_changed_line_is_not_believed_and_shows(heads: Heads) -> None:
    for n in range(3):
        heads.remember(MAIN, oid(n))
    heads.path.write_bytes(heads.path.read_bytes().replace(oid(2).encode(), oid(9).encode()))
    assert not heads.is_intact()
    assert heads.last(MAIN) == oid(1)


def test_a_removed_line_shows(heads: Heads) -> None:
    for n in range(3):
        heads.remember(MAIN, oid(n))
    lines = heads.path.read_bytes().splitlines(keepends=True)
    heads.path.write_bytes(lines[0] + lines[2])
    assert not heads.is_intact()


def test_the_file_stays_small_and_keeps_the_last_of_each(heads: Heads) -> None:
    heads.remember(session_ref("old"), oid(7))
    n = largest = 0
    while heads.path.stat().st_size >= largest:
        largest, n = heads.path.stat().st_size, n + 1
        heads.remember(MAIN, oid(n))
    assert COMPACTED_ABOVE - 1_000 < largest <= COMPACTED_ABOVE
    assert len(heads.path.read_bytes().splitlines()) == 2
    assert heads.all() == {MAIN: oid(n), session_ref("old"): oid(7)}
    assert heads.is_intact()


def test_a_forgotten_ref_is_gone_until_it_is_seen_again(heads: Heads) -> None:
    heads.remember(MAIN, oid(1))
    heads.remember(session_ref("a"), oid(2))
    heads.forget(session_ref("a"))
    assert heads.all() == {MAIN: oid(1)}
    assert heads.last(session_ref("a")) is None
    heads.remember(session_ref("a"), oid(3))
    assert heads.last(session_ref("a")) == oid(3)
    assert heads.is_intact()


def _remember(path: Path, worker: int) -> None:
    heads = Heads(path)
    for n in range(60):
        heads.remember(session_ref(f"{worker}"), oid(n))


def test_processes_that_remember_at_once_break_no_line(heads: Heads) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_remember, args=(heads.path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert heads.all() == {session_ref(f"{n}"): oid(59) for n in range(3)}
    assert heads.is_intact()


def test_the_file_is_private(heads: Heads) -> None:
    os.umask(0)
    heads.remember(MAIN, oid(1))
    assert heads.path.stat().st_mode & 0o777 == 0o600
