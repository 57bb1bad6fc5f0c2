"""`counter`: increments add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of, concurrently

from ledger.core.policies import counter
from ledger.core.policies.policy import EMPTY, Cell, Write

MAX = 2**63 - 1
numbers = st.integers(-(2**63), MAX) | st.integers(-5, 5) | st.just(MAX) | st.just(-MAX - 1)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_two_steps_that_did_not_see_each_other_both_count(base: int, one: int, two: int) -> None:
    assert concurrently(counter, base, base + one, base + two).cell == Cell(base + one + two)


@given(st.lists(numbers, max_size=6))
def test_the_order_of_steps_does_not_matter_even_beyond_64_bits(steps: list[int]) -> None:
    forth, back = EMPTY, EMPTY
    for step in steps:
        forth = counter.apply(forth, Write("", True, {"by": step})).cell
    for step in reversed(steps):
        back = counter.apply(back, Write("", True, {"by": step})).cell
    assert forth == back
    assert forth.value == (max(-MAX - 1, min(MAX, sum(steps))) if steps else None)


def test_a_sum_beyond_64_bits_is_shown_as_the_limit_and_comes_back_from_it() -> None:
    above = counter.apply(cell_of(counter, MAX), Write("", True, {"by": 5})).cell
    assert above == Cell(MAX, {"total": str(MAX + 5)})
    assert counter.apply(above, Write("", True, {"by": -6})).cell == Cell(MAX - 1)
    assert counter.diff(above, 0).fields == {"by": -MAX - 5}


@pytest.mark.parametrize("value", [None, True, 1.0, "1", [], 2**63, -(2**63) - 1])
def test_what_is_no_whole_number_of_64_bits_is_no_value(value: object) -> None:
    assert len(counter.problems(value)) == 1


@pytest.mark.parametrize("by", [None, True, 1.0, "1", 2**63])
def test_a_step_that_is_no_number_moves_nothing(by: object) -> None:
    assert counter.apply(Cell(3), Write("", True, {"by": by})).cell == Cell(3)
