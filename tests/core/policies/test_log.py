"""`log`: a list that grows at its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of, concurrently

from ledger.core.policies import log
from ledger.core.policies.policy import Cell, Write
from ledger.errors import InvalidError

items = st.lists(st.sampled_from(["a", "b", 1, True]), max_size=5)
FULL = list(range(log.MAX_ITEMS))


@given(items, items, items)
def test_all_items_are_there_in_the_order_of_the_ids(base: list[object], one: list[object], two: list[object]) -> None:
    found = concurrently(log, base, base + one, base + two)
    assert repr(found.cell.value) == repr(base + one + two)
    assert found.lost == ()


@given(st.lists(st.lists(st.integers(), max_size=400), max_size=6))
def test_the_newest_thousand_are_kept(writes: list[list[int]]) -> None:
    cell = Cell()
    for values in writes:
        cell = log.apply(cell, Write("", True, {"values": values})).cell
    assert (cell.value or []) == [item for values in writes for item in values][-log.MAX_ITEMS :]


def test_an_item_more_pushes_the_oldest_out() -> None:
    assert log.apply(cell_of(log, FULL), Write("", True, {"values": ["x"]})).cell.value == [*FULL[1:], "x"]


def test_a_list_that_does_not_go_on_where_the_log_stands_is_refused_with_a_way_out() -> None:
    with pytest.raises(InvalidError, match="a log only grows at its end") as caught:
        log.diff(cell_of(log, ["a", "b"]), ["b"])
    assert "`ledger add KEY ITEM` appends" in (caught.value.hint or "")


def test_a_full_log_is_continued_by_a_list_without_its_oldest_items() -> None:
    full = cell_of(log, FULL)
    assert log.diff(full, [*FULL[2:], "x", "y"]).fields == {"values": ["x", "y"]}


@pytest.mark.parametrize(
    "new", [["x"], FULL[2:], [*FULL[900:], "x"], ["x"] * 1000], ids=["other", "end", "short", "all other"]
)
def test_a_full_log_is_not_continued_by_what_would_not_be_there_after(new: list[object]) -> None:
    with pytest.raises(InvalidError):
        log.diff(cell_of(log, FULL), new)


def test_items_are_compared_by_their_text() -> None:
    with pytest.raises(InvalidError):
        log.diff(cell_of(log, [1]), [True, 2])


def test_what_is_no_list_or_too_long_a_one_is_no_value() -> None:
    assert log.problems(FULL) == []
    assert [p.rule for p in log.problems([*FULL, 0])] == ["1001 items; a log is written at most 1000 at a time"]
    assert len(log.problems("x")) == 1
