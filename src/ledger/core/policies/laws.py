"""The laws that `policy.Policy` states, as checks over values; nothing here needs more than the program itself."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ledger.core import canonical, schema
from ledger.core.policies.policy import EMPTY, Cell, Op, Outcome, Policy, Value, Write, text_of
from ledger.errors import InvalidError

# Ids of writes, in the order of the fold.
STAMPS = tuple(f"01a20320-a200-7000-8000-{number:012x}" for number in range(4))

# The events that carry a policy's write.
STEPS = ("context.set", "context.added", "context.removed", "context.incremented")

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


class LawError(AssertionError):
    """A policy breaks a law; the message names the law and the values."""


def check_examples(policy: Policy, examples: Sequence[Value]) -> None:
    """Hold a policy to the laws over a few values that it can hold, three by three; raises LawError."""
    for three in itertools.product(examples, repeat=3):
        check(policy, *three)


def check(policy: Policy, base: Value, one: Value, two: Value) -> None:
    """Hold a policy to the laws over three values: what stands, and two writes; raises LawError."""
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
        broken = _answer(policy, 3, "problems", policy.problems, value)
        _hold(broken == [], policy, 3, "this is said to be no value of the policy", value)
    for value in (None, True, 0, -0.0, "", [], {}, [[{}]], {"": None}, 2**63):
        broken = _answer(policy, 3, "problems", policy.problems, value)
        _hold(isinstance(broken, list), policy, 3, "problems are a list, for any value", value)


def _check_first_write(policy: Policy, value: Value) -> Cell:
    op = _answer(policy, 1, "diff", policy.diff, EMPTY, value)
    _check_event(policy, op, EMPTY.value, value)
    found = _written(policy, EMPTY, op, STAMPS[0])
    _hold(_is_alike(found.cell.value, value), policy, 1, f"left {found.cell.value!r}", value)
    return found.cell


def _check_seen_write(policy: Policy, cell: Cell, value: Value) -> None:
    op = _diff(policy, cell, value)
    if op is None:
        return
    _check_event(policy, op, cell.value, value)
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
    is_same = _is_alike(forth.cell.value, back.cell.value) or (_reports(forth) and _reports(back))
    _hold(is_same, policy, 5, f"left {forth.cell.value!r} or {back.cell.value!r}", cell.value, one, two)
    for found in (forth, back):
        there = {*_parts(found.cell.value), *(part for kept in (*found.lost, *found.refused) for part in _parts(kept))}
        added = {*_parts(one), *_parts(two)} - {*_parts(cell.value)}
        _hold(added <= there, policy, 6, f"dropped {sorted(added - there)}", cell.value, one, two)


def _check_event(policy: Policy, op: Op, *values: Value) -> None:
    _hold(op.type in STEPS, policy, 7, f"diff writes {op.type!r}, which is none of: {', '.join(STEPS)}", *values)
    # By shape: a step that is too large is refused when it is written, as any event is.
    known = schema.schema(f"{op.type}.v1")
    wanted = {*known["required"]} - {"key", "policy"}
    is_whole = wanted <= op.fields.keys() <= known["properties"].keys() - {"key", "policy", "scope", "ttl"}
    choices = [choice["required"] for choice in known.get("oneOf", ())]
    is_one = not choices or sum(set(choice) <= op.fields.keys() for choice in choices) == 1
    _hold(is_whole and is_one, policy, 7, f"{op.type} cannot carry the fields {sorted(op.fields)}", *values)


def _diff(policy: Policy, cell: Cell, value: Value) -> Op | None:
    try:
        return policy.diff(cell, value)
    except InvalidError:
        return None
    except Exception as error:
        raise _failure(policy, 2, "diff", error, (cell.value, value)) from error


def _answer(policy: Policy, law: int, what: str, question: Callable[..., Any], *about: Any) -> Any:
    try:
        return question(*about)
    except Exception as error:
        raise _failure(policy, law, what, error, about) from error


def _failure(policy: Policy, law: int, what: str, error: Exception, about: Sequence[Any]) -> LawError:
    words = f"{what} raises {type(error).__name__}: {error}"
    return LawError(f"policy {policy.name!r} breaks law {law}: {words}, for {', '.join(map(repr, about))}")


def _reports(found: Outcome) -> bool:
    return found.lost != () or found.refused != ()


def _both(policy: Policy, cell: Cell, first: Op, second: Op) -> Outcome:
    one = _written(policy, cell, first, STAMPS[1])
    two = _written(policy, one.cell, second, STAMPS[2], saw_all=False)
    return Outcome(two.cell, (*one.lost, *two.lost), (*one.refused, *two.refused))


def _written(policy: Policy, cell: Cell, op: Op, stamp: str, *, saw_all: bool = True) -> Outcome:
    before = copy.deepcopy((cell, op))
    write = Write(stamp, saw_all, op.fields)
    found: Outcome = _answer(policy, 3, "apply", policy.apply, cell, write)
    again = policy.apply(cell, write)
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
        raise LawError(f"policy {policy.name!r} breaks law {law}: {what}, for {', '.join(map(repr, values))}")
