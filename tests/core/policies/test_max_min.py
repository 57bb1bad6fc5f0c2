"""`max` and `min`: joins, whoever wrote and in whatever order."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of

from ledger.core.policies import extreme
from ledger.core.policies import max as maximum
from ledger.core.policies import min as minimum
from ledger.core.policies.policy import EMPTY, Cell, Write

values = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
LINE = [None, -5, -0.0, 0, 0.0, 1, 1.0, 1.5, 2**60, "", "0", "a", "é"]
both = pytest.mark.parametrize("policy", [maximum, minimum], ids=["max", "min"])


@both
@given(st.lists(values | st.sampled_from(LINE[1:]), min_size=1, max_size=5))
def test_the_order_of_writes_does_not_matter(policy: ModuleType, written: list[Any]) -> None:
    left = []
    for order in (written, sorted(written, key=repr), written[::-1]):
        cell = EMPTY
        for value in order:
            cell = policy.apply(cell, Write("", False, {"value": value})).cell
        left.append(repr(cell))
    assert len(set(left)) == 1


@pytest.mark.parametrize(("less", "greater"), list(itertools.combinations(LINE[1:], 2)), ids=repr)
def test_values_stand_on_one_line_numbers_before_texts(less: Any, greater: Any) -> None:
    for one, two in ((less, greater), (greater, less)):
        write = Write("", False, {"value": two})
        assert repr(maximum.apply(cell_of(maximum, one), write).cell.value) == repr(greater)
        assert repr(minimum.apply(cell_of(minimum, one), write).cell.value) == repr(less)


@given(values, values, values)
def test_the_line_is_one(a: Any, b: Any, c: Any) -> None:
    one, two, three = sorted((a, b, c), key=extreme.rank)
    assert extreme.rank(one) <= extreme.rank(two) <= extreme.rank(three)
    assert (extreme.rank(a) == extreme.rank(b)) == (repr(a) == repr(b))


@both
def test_nothing_is_lost_and_anything_beats_no_value(policy: ModuleType) -> None:
    assert policy.apply(Cell(), Write("", True, {"value": 3})).cell == Cell(3)
    assert policy.apply(Cell(3), Write("", False, {"value": 4})).lost == ()


@both
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_what_has_no_order_is_no_value(policy: ModuleType, value: Any) -> None:
    assert [p.rule for p in policy.problems(value)] == [f"a {policy.name} holds a number or a text"]
