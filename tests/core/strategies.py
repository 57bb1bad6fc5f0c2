"""What property tests of the core draw: values, ids, and data of every type, made from its schema."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from ledger.core.canonical.value import INT_MAX, INT_MIN
from ledger.core.clock import next_id, stamp
from ledger.core.event import Event
from ledger.core.events import TYPES, find_kind
from ledger.core.ids import EventId, SessionId
from ledger.core.policies import BUILT_IN, policy
from ledger.core.policies.policy import EMPTY
from ledger.core.schema import schema

# For a test that runs once for each of the types: together they are as thorough as the profile wants one to be.
A_FEW = settings(max_examples=max(8, settings.default.max_examples // 10))

Drawing = st.SearchStrategy[Any]

NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z
KEYS = ("auth/decision", "n", "a.b/c-d")
SESSIONS = tuple(SessionId.of("agent", str(n)) for n in range(4))
TASKS = ("build", "t1")


def event_id(millis: int, random62: int = 0) -> EventId:
    return next_id(NOON + millis, None, random62)


# Few, so that what is drawn meets: an event names what another one wrote.
IDS = tuple(str(event_id(n % 4, n)) for n in range(12))
LATER = tuple(str(event_id(5 + n, n)) for n in range(4))

ids = st.sampled_from(IDS)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
numbers = st.integers(INT_MIN, INT_MAX) | st.integers(-2, 2)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0])
scalars = st.none() | st.booleans() | numbers | floats | texts
json_values: Drawing = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)

# The patterns that would be drawn at random are of ids that never meet and of keys that nobody else writes.
# The policies that other packages bring: none is installed where these events are folded.
_VENDORED = r"^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$"

_POOLS: tuple[tuple[str, Drawing], ...] = (
    ("7[0-9a-f]{3}", ids),
    ("^[0-9a-f]{8}-", st.sampled_from(SESSIONS).map(str)),
    ("(/[a-z0-9]", st.sampled_from(KEYS)),
    ("^[a-z0-9][a-z0-9._-]{0,63}$", st.sampled_from(TASKS)),
    ("T[0-2]", st.integers(0, 10**15).map(stamp)),
    ("^[a-z][a-z0-9-]*(", st.sampled_from(["review.requested", "own.type"])),
)


def valid(rules: dict[str, Any]) -> Drawing:
    """Documents that a schema accepts, for the part of JSON Schema that ours use."""
    if "const" in rules:
        return st.just(rules["const"])
    if "enum" in rules:
        return st.sampled_from(rules["enum"])
    if "oneOf" in rules and rules.get("type") == "object":
        return st.sampled_from(rules["oneOf"]).flatmap(lambda branch: _object(rules, branch["required"]))
    if "anyOf" in rules and rules.get("type") == "object":
        return st.sampled_from(rules["anyOf"]).flatmap(lambda branch: _object(rules, branch["required"], among=True))
    if "anyOf" in rules:
        return st.one_of([valid(branch) for branch in rules["anyOf"] if branch.get("pattern") != _VENDORED])
    kinds = rules.get("type", [])
    drawn = [_MAKERS[kind](rules) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return st.one_of(drawn) if drawn else json_values


def _object(rules: dict[str, Any], chosen: list[str], *, among: bool = False) -> Drawing:
    properties = rules.get("properties", {})
    rivals = {name for branch in rules.get("oneOf", ()) for name in branch["required"]} - set(chosen)
    required = {*rules.get("required", ()), *chosen}
    wanted = {name: valid(properties[name]) for name in properties if name in required}
    optional = {name: valid(properties[name]) for name in properties if name not in required | rivals}
    if among or properties:
        return st.fixed_dictionaries(wanted, optional=optional)
    inner = rules.get("additionalProperties")
    return st.dictionaries(texts, valid(inner) if isinstance(inner, dict) else json_values, max_size=3)


def _array(rules: dict[str, Any]) -> Drawing:
    low = rules.get("minItems", 0)
    unique = {"unique_by": repr} if rules.get("uniqueItems") else {}
    return st.lists(
        valid(rules.get("items", {})), min_size=low, max_size=min(rules.get("maxItems", 4), low + 3), **unique
    )


def _string(rules: dict[str, Any]) -> Drawing:
    if "pattern" in rules:
        for mark, pool in _POOLS:
            if mark in rules["pattern"]:
                return pool
        return st.from_regex(rules["pattern"].replace("$", r"\Z"))
    low = rules.get("minLength", 0)
    return st.text(
        st.characters(codec="utf-8", exclude_characters="\0"),
        min_size=low,
        max_size=min(rules.get("maxLength", 16), low + 12),
    )


_MAKERS: dict[str, Callable[[dict[str, Any]], Drawing]] = {
    "object": lambda rules: _object(rules, []),
    "array": _array,
    "string": _string,
    "integer": lambda rules: st.integers(rules.get("minimum", INT_MIN), rules.get("maximum", INT_MAX)),
    "number": lambda rules: st.floats(rules.get("minimum", -1e9), 1e9),
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}

_elements = st.sampled_from(["a", "b", "c", 1, 1.0, True, "é" * 200])

# What a policy can hold; few and close together, so that writers meet and clash.
VALUES: dict[str, Drawing] = {
    "lww": json_values,
    "counter": st.integers(-3, 3) | st.integers(INT_MIN // 2, INT_MAX // 2),
    "set": st.lists(_elements | json_values, unique_by=repr, max_size=4),
    "map": st.dictionaries(st.sampled_from(["f", "g", "h"]) | texts, json_values, max_size=3),
    "log": st.lists(json_values, max_size=3),
    "text": st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "e"]), max_size=6).map("".join),
    "max": numbers | floats | texts,
    "min": numbers | floats | texts,
}


@st.composite
def writes(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """The data of a write: a policy, and the fields that this policy puts into such an event."""
    name = draw(st.sampled_from([name for name in BUILT_IN if kind in _carriers(name)]))
    value = draw(VALUES[name])
    fields = _CARRIED[kind, name](draw, value) if (kind, name) in _CARRIED else policy(name).diff(EMPTY, value).fields
    data = {"key": draw(st.sampled_from(KEYS)), "policy": name, **fields}
    if name == "lww" and draw(st.booleans()):
        del data["policy"]
    return data | draw(st.fixed_dictionaries({}, optional={"scope": _scopes, "ttl": st.integers(1, 9)}))


_scopes = st.sampled_from(["shared", "session"])


def _carriers(name: str) -> tuple[str, ...]:
    return {
        "counter": ("context.incremented",),
        "set": ("context.set", "context.added", "context.removed"),
        "map": ("context.set", "context.removed"),
        "log": ("context.added",),
    }.get(name, ("context.set",))


Carry = Callable[[st.DrawFn, Any], dict[str, Any]]
_adds = st.lists(ids, max_size=3)
_seen_map = st.dictionaries(st.sampled_from(["f", "g"]), ids, max_size=2)
_based = st.fixed_dictionaries({}, optional={"base": VALUES["text"]})
_CARRIED: dict[tuple[str, str], Carry] = {
    ("context.added", "set"): lambda _, value: {"values": value},
    ("context.set", "set"): lambda draw, value: {"add": value, "remove": draw(VALUES["set"]), "seen": draw(_adds)},
    ("context.removed", "set"): lambda draw, value: {"values": value, "seen": draw(_adds)},
    ("context.set", "map"): lambda draw, value: {"fields": value, "remove": ["f"], "seen": draw(_seen_map)},
    ("context.removed", "map"): lambda draw, value: {"values": list(value), "seen": draw(_seen_map)},
    ("context.set", "text"): lambda draw, value: {"value": value, **draw(_based)},
}


def _held(kind: str) -> Drawing:
    """Data with a value that stands for a whole: its policy can hold it."""

    def fit(data: dict[str, Any]) -> Drawing:
        items = data["entries"] if kind == "context.restored" else [data]
        open_items = [i for i, item in enumerate(items) if "value" in item]
        drawn = st.tuples(*(VALUES[items[i].get("policy", "lww")] for i in open_items))
        return drawn.map(lambda values: _filled(data, open_items, values))

    return valid(schema(f"{kind}.v1")).flatmap(fit)


def _filled(data: dict[str, Any], places: list[int], values: tuple[Any, ...]) -> dict[str, Any]:
    filled = copy.deepcopy(data)
    items = filled.get("entries", [filled])
    for place, value in zip(places, values, strict=True):
        items[place]["value"] = value
    if "entries" in filled:
        filled["entries"] = list({item["key"]: item for item in items}.values())
    return filled


def _declared() -> Drawing:
    local = {"$ref": "#/$defs/a", "$defs": {"a": {}}}
    rules = st.sampled_from([{}, {"type": "object"}, {"type": "string", "maxLength": 3}, local])
    own = st.sampled_from(["own.type", "review.requested"])
    pattern = st.sampled_from(["**", "a.b/*", "auth/**", "n"])
    return (
        st.fixed_dictionaries({"pattern": pattern, "policy": st.sampled_from([*BUILT_IN, None])})
        | st.fixed_dictionaries({"pattern": pattern, "schema": rules | st.none()})
        | st.fixed_dictionaries({"type": own, "type_schema": rules | st.none()})
    )


def data_of(kind: str) -> Drawing:
    """Data that the schema and the rules of a type accept."""
    if kind in ("context.set", "context.added", "context.removed", "context.incremented"):
        return writes(kind)
    if kind in ("context.restored", "conflict.resolved"):
        return _held(kind)
    return _declared() if kind == "policy.set" else valid(schema(f"{kind}.v1"))


def histories(max_size: int = 8) -> st.SearchStrategy[list[Event]]:
    """Events of which some name others, each id once; all of them before what `events` draws otherwise."""
    return st.lists(events(among=IDS), max_size=max_size, unique_by=lambda event: event.id)


@st.composite
def events(draw: st.DrawFn, kind: str | None = None, among: tuple[str, ...] = LATER) -> Event:
    """An event of any type, or of one, that every rule accepts; its `prev` names what may or may not be there."""
    kind = kind or draw(st.sampled_from(TYPES))
    found = find_kind(kind)
    assert found is not None
    name = draw(st.sampled_from(among))
    seen = [i for i in sorted(draw(st.sets(ids, max_size=3))) if i < name]
    return Event(
        id=name,
        type=kind,
        v=1,
        session=str(draw(st.sampled_from(SESSIONS))),
        time=stamp(draw(st.integers(0, 10**15))),
        data=draw(data_of(kind)),
        prev=None if not found.changes_state or not seen else seen[0] if len(seen) == 1 else seen,
        changes_state=found.changes_state,
    )
