"""Policies of other packages: their names, their faults, and what is impossible without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.acme.src.acme_ledger import ranked
from tests.core.strategies import SESSIONS, event_id

from ledger.core.event import Event
from ledger.core.fold import fold
from ledger.core.merge import Base, merge
from ledger.core.policies import folding_policy, is_vendored, policy
from ledger.core.policies.policy import EMPTY, Cell, Op, Outcome, Value, Write
from ledger.core.state import State, context_path
from ledger.errors import InvalidError, PolicyError, Problem
from ledger.testing import STAMPS, check_policy, policies

KEY = "k"


def added(number: int, *values: str) -> Event:
    data = {"key": KEY, "policy": "acme.ranked", "values": list(values)}
    name, session = str(event_id(number, number)), str(SESSIONS[0])
    return Event(name, "context.added", 1, session, "2026-11-22T12:00:00.000000Z", data, changes_state=True)


def test_a_name_of_two_parts_and_more_is_that_of_another_package_and_never_one_of_ours() -> None:
    assert all(map(is_vendored, ["acme.ranked", "a.b", "acme.ranked-2", "acme.x.1", "a." + "b" * 62]))
    assert not any(
        map(is_vendored, ["lww", "mean", "acme.", ".x", "Acme.x", "acme.x y", "a/b.c", "a.b\n", "a." + "b" * 63])
    )


def test_a_policy_of_another_package_keeps_the_laws_over_its_own_examples() -> None:
    check_policy(ranked, ranked.examples)


def test_a_write_under_a_policy_that_is_not_there_cannot_be_folded_and_the_error_names_the_policy() -> None:
    with pytest.raises(PolicyError, match=r"the policy 'acme\.ranked' is not installed here") as found:
        fold([added(1, "a")])
    assert found.value.policy == "acme.ranked"
    assert found.value.exit_code == 4
    assert str(found.value.hint).startswith("install the package that brings policy 'acme.ranked'")
    with pytest.raises(PolicyError):
        policy("acme.ranked")


def test_concurrent_writes_combine_as_the_package_says() -> None:
    with policies(ranked):
        assert folding_policy("acme.ranked").name == "acme.ranked"
        state = fold([added(1, "bb"), added(2, "a"), added(3, "a", "c")])
    assert (state.get(context_path(KEY)) or {})["value"] == ["a", "c", "bb"]


def test_what_one_side_alone_wrote_is_merged_without_the_policy_and_what_both_wrote_is_not() -> None:
    with policies(ranked):
        state = fold([added(1, "a")])
    assert merge(State(), [], [added(1, "a")], [Base(State(), [added(1, "a")])], list).take == (context_path(KEY),)
    both = [added(1, "a"), added(2, "b")]
    with pytest.raises(PolicyError):
        merge(state, both[:1], both[1:], [Base(State(), both)], lambda: both)


@dataclass
class Faulty:
    """A ranking, but for what a test breaks."""

    name: str = "acme.faulty"
    combines: bool = True
    examples: list[Value] = field(default_factory=list)
    problems: Callable[[Value], Any] = ranked.problems
    diff: Callable[[Cell, Value], Any] = ranked.diff
    apply: Callable[[Cell, Write], Any] = ranked.apply


def fail(*_: Any) -> Any:
    raise ZeroDivisionError("division by zero")


WRITE = Write(STAMPS[0], True, {"values": ["a"]})


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        (Faulty(apply=fail), "failed: ZeroDivisionError: division by zero"),
        (Faulty(apply=lambda _cell, _write: ["a"]), "failed: <lambda> gave ['a'], which is no Outcome"),
        (
            Faulty(apply=lambda _cell, _write: ranked.diff(Cell(["a"]), [])),
            "failed: InvalidError: a ranking only grows",
        ),
    ],
    ids=["raises", "gives something else", "refuses where it may not"],
)
def test_a_fault_of_the_package_is_named_as_the_packages(faulty: Faulty, words: str) -> None:
    with policies(faulty), pytest.raises(PolicyError) as found:
        folding_policy("acme.faulty").apply(EMPTY, WRITE)
    assert found.value.message.splitlines()[0] == f"the policy 'acme.faulty' {words}"
    assert found.value.hint == "this is a fault of the test, which brings it"


def test_a_package_may_refuse_a_write_and_no_more() -> None:
    with policies(Faulty(problems=fail)):
        found = folding_policy("acme.faulty")
        assert found.diff(EMPTY, ["a"]) == Op("context.added", {"values": ["a"]})
        assert found.apply(EMPTY, WRITE) == Outcome(Cell(["a"]))
        with pytest.raises(InvalidError, match="a ranking only grows"):
            found.diff(Cell(["a"]), [])
        with pytest.raises(PolicyError):
            found.problems([])


def test_the_laws_name_what_raises() -> None:
    for faulty, law in ((Faulty(apply=fail), 3), (Faulty(problems=fail), 3), (Faulty(diff=fail), 1)):
        with pytest.raises(AssertionError, match=f"breaks law {law}: [a-z]+ raises ZeroDivisionError"):
            check_policy(faulty, [["a"]])


def test_a_problem_is_one_of_ours() -> None:
    assert ranked.problems(1) == [Problem("value", "a ranking holds a list of texts")]
