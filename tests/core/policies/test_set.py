"""`set`: adds win over removes that did not see them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of, concurrently

from ledger.core import canonical
from ledger.core.policies import set as sets
from ledger.core.policies.policy import Cell, Write, text_of
from ledger.testing import STAMPS

elements = st.lists(st.sampled_from(["a", "b", "c", 1, True, 1.0]), unique_by=text_of)


def texts(values: object) -> set[str]:
    return {text_of(value) for value in values}  # type: ignore[attr-defined]


@given(elements, elements, elements)
def test_what_either_adds_is_there_and_what_either_takes_back_unless_added_is_not(
    base: list[object], one: list[object], two: list[object]
) -> None:
    found = concurrently(sets, base, one, two)
    kept = texts(base) & texts(one) & texts(two)
    assert texts(found.cell.value) == kept | (texts(one) - texts(base)) | (texts(two) - texts(base))
    assert found.lost == found.refused == ()


def test_an_add_that_a_remove_did_not_see_survives_it() -> None:
    """Both had `a`; one takes it back while the other adds it anew."""
    start = cell_of(sets, ["a"])
    again = sets.apply(start, Write(STAMPS[1], True, {"values": ["a"]})).cell
    removed = sets.apply(again, Write(STAMPS[2], False, sets.diff(start, []).fields)).cell
    assert removed.value == ["a"]
    assert removed.marks == {'"a"': [STAMPS[1]]}


def test_one_element_is_removed_without_the_others_that_came_in_the_same_write() -> None:
    cell = cell_of(sets, ["a", "b"])
    op = sets.diff(cell, ["b"])
    assert op == ("context.removed", {"values": ["a"], "seen": [STAMPS[0]]})
    assert sets.apply(cell, Write(STAMPS[1], True, op.fields)).cell.value == ["b"]


def test_adding_and_removing_in_one_go_is_one_write() -> None:
    op = sets.diff(cell_of(sets, ["a", "b"]), ["b", "c"])
    assert op == ("context.set", {"add": ["c"], "remove": ["a"], "seen": [STAMPS[0]]})


def test_the_elements_stand_in_the_order_of_their_texts_whoever_added_first() -> None:
    assert cell_of(sets, ["b", 1, "a", True]).value == ["a", "b", 1, True]


def test_1_and_true_and_one_point_zero_are_three_elements() -> None:
    assert len(cell_of(sets, [1, True, 1.0]).value) == 3
    assert sets.problems([1, True, 1.0]) == []
    assert len(sets.problems([1, 1])) == 1


_wide = st.text(st.sampled_from('a"\\\x01\u202e\U000e0041é'), min_size=1, max_size=12)
_long = st.builds(lambda text, times: text * times, _wide, st.sampled_from([1, 8, 100, 400]))


@given(st.lists(_long, unique=True, max_size=3))
def test_elements_of_any_length_and_script_can_be_written_and_removed(values: list[str]) -> None:
    cell = cell_of(sets, values)
    assert canonical.problems({"value": cell.value, "marks": cell.marks}) == []
    assert sets.apply(cell, Write(STAMPS[1], True, sets.diff(cell, []).fields)).cell == Cell([])


def test_beyond_the_cap_an_add_finds_no_room_and_says_so() -> None:
    full = cell_of(sets, list(range(sets.MAX_ELEMENTS)))
    found = sets.apply(full, Write(STAMPS[1], True, {"values": ["x", 0, "y"]}))
    assert len(found.cell.value) == sets.MAX_ELEMENTS
    assert found.refused == (["x", "y"],)
    assert found.cell.marks["0"] == [STAMPS[0], STAMPS[1]]


def test_a_set_that_is_too_large_or_no_list_is_no_value() -> None:
    assert sets.problems(list(range(sets.MAX_ELEMENTS))) == []
    assert [p.rule for p in sets.problems([0, *range(sets.MAX_ELEMENTS)])] == [
        "an element stands in the set twice",
        "1025 elements; a set holds at most 1024",
    ]
    assert len(sets.problems({"a"})) == 1
