"""Every policy keeps the published laws, and the laws find a policy that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.core.strategies import VALUES

from ledger.core import schema
from ledger.core.policies import BUILT_IN, DEFAULT, folding_policy, policy
from ledger.core.policies.policy import Cell, Op, Outcome, Policy, Value, Write, text_of
from ledger.errors import InvalidError, Problem
from ledger.testing import check_policy, json_values

EXAMPLES: dict[str, list[Value]] = {
    "lww": [None, {"a": 1}, [1, True]],
    "counter": [0, 5, -(2**63), 2**63 - 1],
    "set": [[], ["a"], ["a", "b", 1, True], ["x" * 2000]],
    "map": [{}, {"f": 1}, {"f": 2, "g": None}],
    "log": [[], ["a"], ["a", "a"]],
    "text": ["", "a\n", "a\nb"],
    "max": [1, 1.0, -0.0, 0.0, "x"],
    "min": [1, 1.0, -0.0, 0.0, "x"],
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_policy_keeps_the_laws(name: str) -> None:
    check_policy(policy(name), VALUES[name])


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_policy_keeps_the_laws_for_examples(name: str) -> None:
    check_policy(policy(name), EXAMPLES[name])


def test_lww_keeps_the_laws_for_every_value_there_is() -> None:
    check_policy(policy("lww"), json_values())


@dataclass
class Broken:
    """The last write wins, but for what a test breaks."""

    name: str = "broken"
    combines: bool = False
    problems: Callable[[Value], list[Problem]] = lambda _value: []
    diff: Callable[[Cell, Value], Op] = lambda _old, new: Op("context.set", {"value": new})
    apply: Callable[[Cell, Write], Outcome] = lambda _cell, write: Outcome(Cell(write.fields.get("value")))


def spoil(cell: Cell, write: Write) -> Outcome:
    write.fields["value"] = 0
    return Outcome(Cell(0))


CALLS: list[int] = []


def count(cell: Cell, write: Write) -> Outcome:
    CALLS.append(1)
    return Outcome(Cell(write.fields.get("value"), {"calls": len(CALLS)}))


def add(cell: Cell, write: Write) -> Outcome:
    return Outcome(Cell([*(cell.value or []), *(write.fields.get("value") or [])][:1]))


@pytest.mark.parametrize(
    ("broken", "values", "law"),
    [
        (Broken(apply=lambda _cell, _write: Outcome(Cell(None))), [1, 2], 1),
        (
            Broken(apply=lambda cell, write: Outcome(Cell(write.fields.get("value") if cell.value is None else 9))),
            [1, 2],
            2,
        ),
        (Broken(apply=lambda cell, write: Outcome(Cell(write.fields.get("value")), (cell.value,))), [1, 2], 2),
        (Broken(problems=lambda _value: [Problem("value", "no")]), [1], 3),
        (Broken(problems=lambda value: [] if value == 1 else None), [1], 3),  # type: ignore[arg-type, return-value]
        (Broken(apply=lambda _cell, write: Outcome(Cell(write.fields.get("value"), {"x" * 2000: 1}))), [1], 3),
        (Broken(apply=spoil), [1], 4),
        (Broken(apply=count), [1], 4),
        (Broken(diff=lambda _old, new: Op("note.added", {"text": new})), [1], 7),
        (Broken(diff=lambda _old, new: Op("context.set", {"value": new, "rank": 1})), [1], 7),
        (Broken(diff=lambda _old, new: Op("context.set", {"value": new, "add": []})), [1], 7),
        (Broken(diff=lambda _old, _new: Op("context.incremented", {})), [1], 7),
        (Broken(combines=True), [1, 2], 5),
        (Broken(combines=True, apply=add), [["a"], ["b"], []], 6),
    ],
    ids=[
        "writes nothing",
        "writes once",
        "loses what was seen",
        "refuses all",
        "has no list of problems",
        "cannot be written",
        "spoils its argument",
        "remembers",
        "writes no context",
        "writes a field that its event lacks",
        "writes two values at once",
        "leaves out a field that its event needs",
        "depends on the order",
        "drops what was added",
    ],
)
def test_a_policy_that_breaks_a_law_is_found(broken: Policy, values: list[Any], law: int) -> None:
    with pytest.raises(AssertionError, match=f"policy 'broken' breaks law {law}: "):
        check_policy(broken, values)


def test_an_apply_that_fails_on_odd_fields_is_found() -> None:
    with pytest.raises(AssertionError, match=r"breaks law 3: apply raises KeyError: 'value', for Cell"):
        check_policy(Broken(apply=lambda _cell, write: Outcome(Cell(write.fields["value"]))), [1])


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_policy_is_a_module_of_its_name(name: str) -> None:
    assert policy(name).name == name
    assert folding_policy(name) is policy(name)
    assert name in schema.schema("entry")["properties"]["policy"]["anyOf"][0]["enum"]


def test_an_unknown_policy_is_refused_by_writers_and_folds_as_the_default() -> None:
    with pytest.raises(InvalidError, match="none of: lww, counter, set, map, log, text, max, min"):
        policy("mean")
    assert folding_policy("mean") is policy(DEFAULT)
    # Not the name of a module beside the policies, either.
    assert folding_policy("policy") is policy(DEFAULT)


def test_texts_of_values_are_equal_where_the_values_are_and_only_there() -> None:
    values = [1, 1.0, True, "1", None, [1], [1.0], {"a": 1, "b": 2}, 0.0, -0.0, "é", "e\u0301"]
    assert len({text_of(value) for value in values}) == len(values)
    assert text_of({"b": 1, "a": 2}) == text_of({"a": 2, "b": 1})
