"""`map`: every field by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of, concurrently

from ledger.core.policies import map as maps
from ledger.core.policies.policy import Cell, Write
from ledger.testing import STAMPS

maps_ = st.dictionaries(st.sampled_from("fgh"), st.sampled_from([1, True, 1.0, "x", [1]]))


def test_writers_of_different_fields_do_not_disturb_each_other() -> None:
    found = concurrently(maps, {"f": 1, "g": 1}, {"f": 2, "g": 1}, {"f": 1, "g": 2})
    assert found.cell.value == {"f": 2, "g": 2}
    assert found.lost == ()


def test_of_two_writers_of_one_field_the_later_wins_and_the_other_is_reported() -> None:
    found = concurrently(maps, {"f": 1, "g": 1}, {"f": 2, "g": 1}, {"f": 3, "g": 1})
    assert found.cell.value == {"f": 3, "g": 1}
    assert found.lost == ({"f": 2},)


def test_a_field_that_one_removes_and_the_other_writes_stays_in_either_order() -> None:
    for values in (({"g": 1}, {"f": 2, "g": 1}), ({"f": 2, "g": 1}, {"g": 1})):
        found = concurrently(maps, {"f": 1, "g": 1}, *values)
        assert found.cell.value == {"f": 2, "g": 1}
        assert found.lost == ()


@given(maps_, maps_, maps_)
def test_fields_that_one_alone_touched_are_as_he_left_them(
    base: dict[str, Any], one: dict[str, Any], two: dict[str, Any]
) -> None:
    found = concurrently(maps, base, one, two)
    for f in "fgh":
        if repr(two.get(f)) == repr(base.get(f)) and (f in two) == (f in base):
            assert repr(found.cell.value.get(f)) == repr(one.get(f))


def test_marks_name_the_write_of_each_field() -> None:
    assert concurrently(maps, {"f": 1, "g": 1}, {"f": 2, "g": 1}).cell.marks == {"f": STAMPS[1], "g": STAMPS[0]}


def test_a_write_carries_the_fields_that_differ_in_text() -> None:
    cell = cell_of(maps, {"f": 1, "g": 1, "h": 1})
    op = maps.diff(cell, {"f": True, "g": 1})
    assert op == ("context.set", {"fields": {"f": True}, "remove": ["h"], "seen": {"f": STAMPS[0], "h": STAMPS[0]}})


def test_taking_fields_away_alone_is_a_remove() -> None:
    op = maps.diff(cell_of(maps, {"f": 1, "g": 1}), {"g": 1})
    assert op == ("context.removed", {"values": ["f"], "seen": {"f": STAMPS[0]}})


def test_names_of_fields_that_are_no_texts_remove_nothing() -> None:
    cell = cell_of(maps, {"1": 1})
    assert maps.apply(cell, Write(STAMPS[1], True, {"values": [1, None, {}, []], "seen": {}})).cell == cell


def test_what_is_no_mapping_is_no_value() -> None:
    assert maps.problems({}) == []
    assert len(maps.problems([])) == 1
    assert Cell({}) == cell_of(maps, {})
