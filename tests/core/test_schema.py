"""Schemas: one file each, one verdict whoever judges, and every reason at once."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.core.golden_events import EVENTS, FIRST
from tests.core.strategies import A_FEW, data_of, json_values, valid

from ledger.core import schema
from ledger.core.event import MAX_BYTES, Event
from ledger.core.events import TYPES
from ledger.core.fold import apply, fold, footprint
from ledger.core.state import POLICY, State
from ledger.errors import InvalidError

NAMES = schema.names()
SET = EVENTS["context.set"]
every_schema = pytest.mark.parametrize("name", NAMES)


# The files


def test_every_file_is_a_schema_that_has_a_name_and_every_name_has_a_file() -> None:
    folder = resources.files("ledger") / "schemas"
    found = [file.name for part in (folder, folder / "events") for file in part.iterdir() if file.is_file()]
    assert sorted(found) == sorted(f"{name}.yaml" for name in NAMES)
    assert len(NAMES) == len(set(NAMES))


@every_schema
def test_a_schema_is_valid_json_schema_of_2020_12_to_both_who_judge_by_it(name: str) -> None:
    rules = schema.schema(name)
    assert rules["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(rules)
    jsonschema_rs.meta.validate(rules)


@every_schema
def test_a_schema_says_what_it_is_and_lets_nothing_unknown_in(name: str) -> None:
    rules = schema.schema(name)
    assert rules["title"] == name
    assert len(rules["description"]) > 10
    assert rules["type"] == "object"
    if name != "envelope":
        assert rules["additionalProperties"] is False
    assert set(rules.get("required", ())) <= set(rules["properties"])


def test_a_name_that_no_schema_has_is_refused_with_those_that_there_are() -> None:
    for name in ("context.set", "context.set.v0", "context.set.v2", "context.set.v01", "../config", "", "no.type.v1"):
        with pytest.raises(InvalidError, match=r"envelope, entry, .*redaction\.applied\.v1"):
            schema.schema(name)


def test_finding_one_schema_does_not_load_the_modules_of_all_types() -> None:
    """An append of one event pays for its own type alone."""
    script = (
        "import sys; from ledger.core import schema; schema.schema('context.set.v1');"
        "print(sum(name.startswith('ledger.core.events.') for name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert int(found.stdout) < 10


# Two judges, one verdict


def mutated(name: str) -> st.SearchStrategy[Any]:
    """Documents of a schema, most of them spoiled in one place or more."""
    return st.tuples(valid(schema.schema(name)), st.lists(st.tuples(st.integers(0, 50), json_values), max_size=3)).map(
        lambda drawn: _spoiled(copy.deepcopy(drawn[0]), drawn[1])
    )


def _spoiled(document: Any, changes: list[tuple[int, Any]]) -> Any:
    for place, value in changes:
        holders = [document] if isinstance(document, (dict, list)) else []
        for holder in holders:
            inner = holder.values() if isinstance(holder, dict) else holder
            holders += [item for item in inner if isinstance(item, (dict, list))]
        if holders:
            _spoil(holders[place % len(holders)], place, value)
    return document


def _spoil(holder: Any, place: int, value: Any) -> None:
    if isinstance(holder, list):
        holder.append(value)
    elif place % 3 == 0 or not holder:
        holder[str(value)[:9] or "x"] = value
    elif place % 3 == 1:
        del holder[sorted(holder)[place % len(holder)]]
    else:
        holder[sorted(holder)[place % len(holder)]] = value


@every_schema
@A_FEW
@given(st.data())
def test_who_decides_and_who_explains_agree(name: str, data: st.DataObject) -> None:
    document = data.draw(mutated(name) | json_values)
    problems = schema.explain(schema.schema(name), document)
    assert schema.is_valid(name, document) == (not problems), problems
    for problem in problems:
        assert problem.rule
        assert len(problem.rule) < 600
        assert "\n" not in problem.rule


@pytest.mark.parametrize("name", TYPES)
@A_FEW
@given(st.data())
def test_data_of_a_type_is_valid_to_both(name: str, data: st.DataObject) -> None:
    drawn = data.draw(data_of(name))
    assert schema.is_valid(f"{name}.v1", drawn)
    assert schema.explain(schema.schema(f"{name}.v1"), drawn) == []


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        (FIRST, True),
        (f"{FIRST}\n", False),
        (FIRST.upper(), False),
        (FIRST.replace("0", "٠"), False),
        (f" {FIRST}", False),
    ],
)
def test_a_pattern_means_the_same_to_both(text: str, is_id: bool) -> None:
    """To Python's engine `$` also stands before a last line end, and `[0-9]` is not all that `\\d` takes."""
    assert schema.is_valid("lease.released.v1", {"lease": text}) is is_id
    assert (schema.explain(schema.schema("lease.released.v1"), {"lease": text}) == []) is is_id


# Reasons


def reasons(event: Event, policy: dict[str, Any] | None = None) -> dict[str, str]:
    return {problem.path: problem.rule for problem in schema.event_problems(event, policy)}


def test_every_reason_is_told_at_once_from_envelope_to_key() -> None:
    event = replace(
        SET,
        session="me",
        time="yesterday",
        changes_state=False,
        prev=None,
        data={"key": "../x", "policy": "mean", "ttl": 0, "odd": 1},
    )
    assert reasons(event) == {
        "session": '"me" is not a UUID in lower case',
        "time": '"yesterday" is not a time in UTC with microseconds, such as 2026-11-22T15:13:04.123456Z',
        "prev": "is missing",
        "data": "needs exactly one of: value, fields, add",
        "data.key": "\"../x\" is not a key: 1 to 8 segments of a-z, 0-9, '.', '_' and '-', separated by slashes",
        "data.odd": "is not a field here",
        "data.policy": '"mean" is not a policy: lww, counter, set, map, log, text, max, min, or one that a package '
        "brings, such as acme.ranked",
        "data.ttl": "0 is less than the minimum of 1",
    }


def test_a_missing_field_is_named_where_it_is_missing() -> None:
    event = replace(EVENTS["lease.acquired"], data={})
    assert reasons(event) == {"data.on": "is missing", "data.mode": "is missing", "data.ttl": "is missing"}


def test_rules_of_a_type_are_told_beside_those_of_the_envelope() -> None:
    event = replace(SET, session="me", data={"key": "con", "policy": "max", "value": []})
    assert sorted(reasons(event)) == ["data.key", "data.value", "session"]


def test_a_long_value_is_not_repeated_in_the_reason() -> None:
    event = replace(EVENTS["note.added"], data={"text": "x" * 40_000})
    assert len(reasons(event)["data.text"]) < 200


@pytest.mark.parametrize("value", [b"x", (1, 2), {1: 2}, {"a": {3}}, float("nan"), 2**63, "\ud800", "a\0b", object()])
def test_what_no_text_can_carry_is_named_and_never_stumbled_over(value: Any) -> None:
    (path,) = reasons(replace(SET, data={"key": "k", "value": value}))
    assert path.startswith("data.value")


@pytest.mark.parametrize(
    "event",
    [
        replace(SET, time="2026-02-30T15:13:04.000000Z"),
        replace(SET, time="2026-11-22T25:13:04.000000Z"),
    ],
)
def test_a_time_that_no_calendar_has_is_refused(event: Event) -> None:
    assert reasons(event) == {"time": f"{event.time!r} is no moment of the calendar"}


def test_what_an_event_saw_lies_before_it() -> None:
    assert reasons(replace(SET, prev=SET.id)) == {"prev": f"{SET.id} is not before the event's own id"}
    later = EVENTS["redaction.applied"].id
    assert [p.path for p in schema.event_problems(replace(SET, prev=[FIRST, later]))] == ["prev"]


def test_a_newer_version_says_that_a_newer_program_wrote_it() -> None:
    assert reasons(replace(SET, v=2)) == {
        "v": "this program knows version 1 of context.set, not 2: a newer one wrote it"
    }


@pytest.mark.parametrize(
    ("kind", "data", "path"),
    [
        ("context.set", {"key": "k", "policy": "counter", "value": 1}, "data.policy"),
        ("context.set", {"key": "k", "policy": "set", "add": []}, "data.seen"),
        ("context.set", {"key": "k", "policy": "set", "add": [], "seen": {}}, "data.seen"),
        ("context.set", {"key": "k", "policy": "map", "fields": {}, "seen": []}, "data.seen"),
        ("context.set", {"key": "k", "value": 1, "seen": []}, "data.seen"),
        ("context.set", {"key": "k", "policy": "map", "fields": {}, "seen": {}, "remove": [1]}, "data"),
        ("context.set", {"key": "k", "policy": "text", "value": 1}, "data.value"),
        ("context.removed", {"key": "k", "policy": "map", "values": [[]], "seen": {}}, "data"),
        ("context.removed", {"key": "k", "policy": "log", "values": [], "seen": []}, "data.policy"),
        ("context.incremented", {"key": "k", "policy": "counter", "by": 1.0}, "data.by"),
        ("context.incremented", {"key": "k", "policy": "lww", "by": 1}, "data.policy"),
        ("conflict.resolved", {"key": "k", "policy": "counter", "value": "x"}, "data.value"),
        ("context.restored", {"entries": [{"key": "k", "policy": "set", "value": 1}]}, "data.entries.0.value"),
        ("context.restored", {"entries": [{"key": "con", "deleted": True}]}, "data.entries.0.key"),
        ("context.restored", {"entries": [{"key": "k", "value": 1}, {"key": "k", "value": 2}]}, "data.entries"),
        ("context.read", {"keys": ["k", "a."]}, "data.keys.1"),
        ("context.deleted", {"key": "a.yaml"}, "data.key"),
        ("task.started", {"task": "aux"}, "data.task"),
        ("task.created", {"task": "a.yaml", "title": "t"}, "data.task"),
        ("policy.set", {"pattern": "a//b", "policy": "lww"}, "data.pattern"),
        ("policy.set", {"type": "context.set", "type_schema": {}}, "data.type"),
        ("policy.set", {"pattern": "k", "schema": {"type": 5}}, "data.schema.type"),
        ("policy.set", {"pattern": "k", "schema": {"$ref": "https://example.org/x"}}, "data.schema"),
        ("policy.set", {"pattern": "k", "schema": {"items": [{"$ref": "file:///etc/passwd"}]}}, "data.schema"),
        ("policy.set", {"pattern": "k", "schema": {"$ref": "#/nowhere"}}, "data.schema"),
        ("policy.set", {"pattern": "k", "schema": {"pattern": "("}}, "data.schema"),
        ("policy.set", {"type": "own.type", "type_schema": {"minimum": "x"}}, "data.type_schema.minimum"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_as_well(kind: str, data: dict[str, Any], path: str) -> None:
    event = replace(EVENTS[kind], data=data, prev=None)
    assert schema.is_valid(f"{kind}.v1", data)
    assert list(reasons(event)) == [path]


def test_an_event_may_be_as_large_as_64_kib_and_no_larger() -> None:
    assert schema.size_problems(b"x" * MAX_BYTES) == []
    assert [str(p) for p in schema.size_problems(b"x" * (MAX_BYTES + 1))] == [
        "data: the event has 65,537 bytes; at most 65,536"
    ]


# Types of a ledger's own


OWN = replace(EVENTS["note.added"], type="review.requested", data={"by": "ann"})
DECLARED = {
    "types": {"review.requested": {"type": "object", "required": ["by"], "properties": {"by": {"type": "string"}}}}
}


def test_an_unknown_type_is_refused_with_the_nearest_there_are() -> None:
    near = reasons(replace(OWN, type="context.sat"))["type"]
    assert near.startswith("'context.sat' is no type of this program nor of this ledger; did you mean context.set or ")
    assert reasons(replace(OWN, type="zzz.qqq"))["type"].endswith("; `ledger schema` lists the types")


def test_a_type_of_the_ledgers_own_is_judged_by_what_the_ledger_declares() -> None:
    assert reasons(OWN, DECLARED) == {}
    assert reasons(replace(OWN, data={}), DECLARED) == {"data.by": "is missing"}
    assert reasons(replace(OWN, data={"by": 1}), DECLARED) == {"data.by": "1 is not a text"}


def test_a_declaration_written_into_the_ledger_is_the_one_that_judges() -> None:
    rules = DECLARED["types"]["review.requested"]
    declaring = replace(EVENTS["policy.set"], data={"type": "review.requested", "type_schema": rules})
    assert reasons(declaring) == {}
    assert reasons(OWN, fold([declaring]).get(POLICY)) == {}
    undeclaring = replace(declaring, id=EVENTS["note.added"].id, data={**declaring.data, "type_schema": None})
    assert list(reasons(OWN, fold([declaring, undeclaring]).get(POLICY))) == ["type"]


def test_a_type_of_the_ledgers_own_never_changes_state() -> None:
    assert list(reasons(replace(OWN, changes_state=True), DECLARED)) == ["prev"]
    assert footprint(OWN) == ()
    assert apply(State(), OWN) == {}


def test_a_ledger_cannot_declare_a_type_of_this_program_anew() -> None:
    hijacked = {"types": {"context.set": {}}}
    assert reasons(replace(SET, data={"odd": 1}), hijacked) == reasons(replace(SET, data={"odd": 1}))


def test_a_reason_at_a_part_that_a_declared_schema_refers_to_is_found() -> None:
    rules = {"$ref": "#/$defs/name", "$defs": {"name": {"oneOf": [{"required": ["a"]}, {"required": ["b"]}, True]}}}
    assert schema.rules_problems(rules, "data.schema") == []
    assert schema.explain(rules, {"a": 1, "b": 1})[0].rule
