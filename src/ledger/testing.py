"""What tests of programs that use a ledger may stand on.

Time and chance that are the same in every run, and the laws that every policy keeps, one's own too.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ledger.api import Sources
from ledger.core import canonical
from ledger.core.clock import micros
from ledger.core.policies.policy import EMPTY, Cell, Op, Outcome, Policy, Value, Write, text_of
from ledger.errors import InvalidError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Ids of writes, in the order of the fold.
STAMPS = tuple(f"01a20320-a200-7000-8000-{number:012x}" for number in range(4))

# What no schema let through, as the fields of a write: `apply` still has an answer.
_ODD: tuple[dict[str, Any], ...] = (
    {},
    {"value": None},
    {"values": []},
    {"value": [1]},
    {"by": "x"},
    {"fields": {}, "seen": {}},
    {"add": [], "seen": []},
)


class Clock:
    """A clock that stands still until it is told to go on; asked for the time, it gives microseconds since 1970."""

    def __init__(self, start: str = "2026-11-22T15:13:04.000000Z") -> None:
        self._now = micros(start)

    def __call__(self) -> int:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time go by; backwards too, as real clocks do."""
        self._now += round(seconds * 1_000_000)


def fixed(clock: Clock | None = None) -> Sources:
    """Sources of a run that is the same each time: a clock that stands, no chance, one person at one host.

    Without chance, ids differ by time and counter alone. That is enough for one line of writers; for concurrent
    ones give a `random62` of your own.
    """
    return Sources(now=clock or Clock(), random62=lambda: 0, user="ann", host="desk")


def json_values() -> SearchStrategy[Value]:
    """A Hypothesis strategy of the values that canonical text can carry; needs `context-ledger[test]`."""
    from hypothesis import strategies as st

    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    )


def check_policy(policy: Policy, values: SearchStrategy[Value] | Iterable[Value]) -> None:
    """Hold a policy to the laws that `ledger.core.policies.policy.Policy` states; a module of one's own too.

    `values`: what the policy can hold, as a Hypothesis strategy (needs `context-ledger[test]`) or as a few
    examples, which are then tried three by three. Raises AssertionError naming the law and the values.
    """
    if isinstance(values, Iterable):
        for three in itertools.product(list(values), repeat=3):
            _check_laws(policy, *three)
        return
    from hypothesis import given
    from hypothesis import strategies as st

    given(st.tuples(values, values, values))(lambda three: _check_laws(policy, *three))()


def _check_laws(policy: Policy, base: Value, one: Value, two: Value) -> None:
    before = copy.deepcopy((base, one, two))
    _check_values(policy, (base, one, two))
    cell = _check_first_write(policy, base)
    _check_seen_write(policy, cell, one)
    _check_is_total(policy, cell)
    if policy.combines:
        _check_concurrent_writes(policy, cell, one, two)
    _hold(text_of(before) == text_of((base, one, two)), policy, 4, "an argument was changed", before)


def _check_values(policy: Policy, values: tuple[Value, ...]) -> None:
    for value in values:
        _hold(policy.problems(value) == [], policy, 3, "this is said to be no value of the policy", value)
    for value in (None, True, 0, -0.0, "", [], {}, [[{}]], {"": None}, 2**63):
        _hold(isinstance(policy.problems(value), list), policy, 3, "problems are a list, for any value", value)


def _check_first_write(policy: Policy, value: Value) -> Cell:
    found = _written(policy, EMPTY, policy.diff(EMPTY, value), STAMPS[0])
    _hold(_is_alike(found.cell.value, value), policy, 1, f"left {found.cell.value!r}", value)
    return found.cell


def _check_seen_write(policy: Policy, cell: Cell, value: Value) -> None:
    op = _diff(policy, cell, value)
    if op is None:
        return
    found = _written(policy, cell, op, STAMPS[1])
    is_there = _is_alike(found.cell.value, value) or _is_alike(found.cell.value, cell.value)
    _hold(is_there, policy, 2, f"left {found.cell.value!r}", cell.value, value)
    _hold(found.lost == (), policy, 2, f"lost {found.lost!r}", cell.value, value)


def _check_is_total(policy: Policy, cell: Cell) -> None:
    for fields, saw_all in itertools.product(_ODD, (True, False)):
        _written(policy, cell, Op("context.set", dict(fields)), STAMPS[1], saw_all=saw_all)


def _check_concurrent_writes(policy: Policy, cell: Cell, one: Value, two: Value) -> None:
    ops = _diff(policy, cell, one), _diff(policy, cell, two)
    if ops[0] is None or ops[1] is None:
        return
    forth = _both(policy, cell, ops[0], ops[1])
    back = _both(policy, cell, ops[1], ops[0])
    is_same = _is_alike(forth.cell.value, back.cell.value) or (forth.lost != () and back.lost != ())
    _hold(is_same, policy, 5, f"left {forth.cell.value!r} or {back.cell.value!r}", cell.value, one, two)
    for found in (forth, back):
        there = {*_parts(found.cell.value), *(part for kept in (*found.lost, *found.refused) for part in _parts(kept))}
        added = {*_parts(one), *_parts(two)} - {*_parts(cell.value)}
        _hold(added <= there, policy, 6, f"dropped {sorted(added - there)}", cell.value, one, two)


def _diff(policy: Policy, cell: Cell, value: Value) -> Op | None:
    try:
        return policy.diff(cell, value)
    except InvalidError:
        return None


def _both(policy: Policy, cell: Cell, first: Op, second: Op) -> Outcome:
    one = _written(policy, cell, first, STAMPS[1])
    two = _written(policy, one.cell, second, STAMPS[2], saw_all=False)
    return Outcome(two.cell, (*one.lost, *two.lost), (*one.refused, *two.refused))


def _written(policy: Policy, cell: Cell, op: Op, stamp: str, *, saw_all: bool = True) -> Outcome:
    before = copy.deepcopy((cell, op))
    found = policy.apply(cell, Write(stamp, saw_all, op.fields))
    again = policy.apply(cell, Write(stamp, saw_all, op.fields))
    _hold(_text(found) == _text(again), policy, 4, "two answers to one question", cell.value, op.fields)
    is_kept = text_of([cell.value, cell.marks, op]) == text_of([before[0].value, before[0].marks, before[1]])
    _hold(is_kept, policy, 4, "an argument was changed", before[0].value, before[1].fields)
    broken = canonical.problems({"value": found.cell.value, "marks": found.cell.marks})
    _hold(broken == [], policy, 3, f"left what cannot be written: {broken}", cell.value, op.fields)
    return found


def _text(found: Outcome) -> str:
    return text_of([found.cell.value, found.cell.marks, list(found.lost), list(found.refused)])


def _is_alike(one: Value, two: Value) -> bool:
    if isinstance(one, list) and isinstance(two, list):
        return sorted(map(text_of, one)) == sorted(map(text_of, two))
    return text_of(one) == text_of(two)


def _parts(value: Value) -> Iterator[str]:
    if isinstance(value, list):
        yield from map(text_of, value)
    elif isinstance(value, dict):
        yield from (text_of([name, item]) for name, item in value.items())


def _hold(is_so: bool, policy: Policy, law: int, what: str, *values: Any) -> None:
    if not is_so:
        raise AssertionError(f"policy {policy.name!r} breaks law {law}: {what}, for {', '.join(map(repr, values))}")
