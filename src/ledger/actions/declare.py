"""Declare: what a ledger says of its keys and of event types of its own; it binds later writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.actions.append import Draft
from ledger.core.events import TYPES
from ledger.core.policies import pattern_problems, policy
from ledger.core.policies.vendored import Vendored
from ledger.errors import InvalidError, Problem, RefusedError

_TYPE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")


def declaring_policy(pattern: str, name: str | None) -> Draft:
    """Declare the policy of the keys of a pattern; None takes the declaration back.

    One that another package brings is held to the laws first, over the examples that it gives. Raises PolicyError
    where it is not installed, RefusedError with the law and the values where it breaks one.
    """
    require_lawful(name)
    return Draft("policy.set", {"pattern": pattern, "policy": name})


def declaring_schema(pattern: str, rules: Any) -> Draft:
    """Declare what the values of the keys of a pattern look like; None takes it back."""
    _require(pattern_problems(pattern) + list(_schema_problems(rules)), f"the schema for {pattern!r}")
    return Draft("policy.set", {"pattern": pattern, "schema": rules})


def declaring_type(name: str, rules: Any) -> Draft:
    """Declare an event type of the ledger's own, with the schema of its data; None takes it back."""
    problems = list(_schema_problems(rules))
    if not _TYPE.fullmatch(name):
        problems.append(Problem("type", f"{name!r} is not a dotted name such as review.requested"))
    if name in TYPES:
        problems.append(Problem("type", f"{name!r} is a type of the program's own"))
    _require(problems, f"the type {name!r}")
    return Draft("policy.set", {"type": name, "type_schema": rules})


def require_lawful(name: str | None) -> None:
    """Raise RefusedError for a policy of another package that breaks a law, PolicyError where it is not there.

    Raises InvalidError for what is no policy's name; None, which takes a declaration back, is lawful.
    """
    wanted = None if name is None else policy(name)
    if not isinstance(wanted, Vendored):
        return
    from ledger.core.policies import laws

    hint = f"{wanted.origin} brings it; `ledger.testing.check_policy` checks the same"
    if not wanted.examples:
        raise RefusedError(f"the policy {wanted.name!r} gives no examples to hold it to the laws by", hint=hint)
    try:
        laws.check_examples(wanted, wanted.examples)
    except laws.LawError as error:
        raise RefusedError(str(error), hint=hint) from error


def _require(problems: list[Problem], what: str) -> None:
    if problems:
        hint = "a schema is a mapping of JSON Schema 2020-12, such as {type: string, maxLength: 200}"
        raise InvalidError(f"{what} cannot be declared:", problems, hint=hint)


def _schema_problems(rules: Any) -> Iterator[Problem]:
    if rules is None:
        return
    if not isinstance(rules, dict):
        yield Problem("schema", "must be a mapping")
        return
    yield from (Problem("schema", f"refers to {ref!r}; only #… is followed") for ref in _foreign_references(rules))
    yield from _rule_problems(rules)


def _rule_problems(rules: Mapping[str, Any]) -> Iterator[Problem]:
    import jsonschema
    import jsonschema_rs

    try:
        jsonschema.Draft202012Validator.check_schema(rules)
        jsonschema_rs.Draft202012Validator(dict(rules))  # it knows a wrong regular expression, the other does not
    except jsonschema.SchemaError as error:
        where = ".".join(["schema", *map(str, error.absolute_path)])
        yield Problem(where, error.message)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        yield Problem("schema", str(error).splitlines()[0])


def _foreign_references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in ("$ref", "$dynamicRef") and not str(item).startswith("#"):
                yield str(item)
            yield from _foreign_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _foreign_references(item)
