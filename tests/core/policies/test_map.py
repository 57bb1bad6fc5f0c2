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


def test_beyond_the_cap_a_new_field_finds_no_room_and_says_so() -> None:
    full = cell_of(maps, {f"f{n}": n for n in range(maps.MAX_FIELDS)})
    found = maps.apply(full, Write(STAMPS[1], True, {"fields": {"y": 1, "x": 2, "f0": 9}, "seen": {"f0": STAMPS[0]}}))
    assert len(found.cell.value) == maps.MAX_FIELDS
    assert found.refused == ({"x": 2, "y": 1},)
    assert (found.cell.value["f0"], found.lost) == (9, ())


def test_a_field_that_goes_makes_room_for_one_that_comes_with_the_same_write() -> None:
    full = cell_of(maps, {f"f{n}": n for n in range(maps.MAX_FIELDS)})
    found = maps.apply(full, Write(STAMPS[1], True, {"fields": {"x": 1}, "remove": ["f0"], "seen": {"f0": STAMPS[0]}}))
    assert (found.cell.value["x"], "f0" in found.cell.value, found.refused) == (1, False, ())


def test_which_field_finds_the_last_room_does_not_hang_on_the_order_in_the_event() -> None:
    nearly = cell_of(maps, {f"f{n}": n for n in range(maps.MAX_FIELDS - 1)})
    for fields in ({"x": 1, "y": 2}, {"y": 2, "x": 1}):
        assert maps.apply(nearly, Write(STAMPS[1], True, {"fields": fields})).refused == ({"y": 2},)


def test_a_map_that_is_too_large_is_no_value() -> None:
    assert maps.problems({str(n): n for n in range(maps.MAX_FIELDS)}) == []
    (problem,) = maps.problems({str(n): n for n in range(maps.MAX_FIELDS + 1)})
    assert problem.rule == "1025 fields; a map holds at most 1024"
