"""Schemas: JSON Schema 2020-12, one file per event type and version, and one per other document.

jsonschema-rs decides, as it is fast enough for every write; jsonschema explains, when the answer was no.
A property test holds that both agree. The files ship with the package and are part of its code.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import yaml

from ledger.core.event import MAX_BYTES, Event
from ledger.core.events import TYPES, find_kind
from ledger.errors import InvalidError, Problem

if TYPE_CHECKING:
    import jsonschema_rs

Schema = dict[str, Any]

DOCUMENTS = ("envelope", "entry", "conflicts", "session", "task", "lease", "ledger", "policy", "config")


def names() -> list[str]:
    """The names of all schemas: documents, then event types with their versions."""
    return [*DOCUMENTS, *(f"{t}.v{_version(t)}" for t in TYPES)]


@functools.cache
def schema(name: str) -> Schema:
    """The schema of that name (`envelope`, `context.set.v1`, …); raises InvalidError with the names there are."""
    if name not in names():
        raise InvalidError(
            "no such schema", [Problem("schema", f"{name!r} is none of: {', '.join(names())}")]
        )
    file = _folder() / f"{name}.yaml" if name in DOCUMENTS else _folder() / "events" / f"{name}.yaml"
    loaded: Schema = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded


def is_valid(name: str, document: Any) -> bool:
    """Whether a document is valid against the schema of that name."""
    return validator(name).is_valid(document)


@functools.cache
def validator(name: str) -> jsonschema_rs.Validator:
    """The compiled schema of that name."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(schema(name))


def explain(rules: Schema, document: Any, root: str = "") -> list[Problem]:
    """Every reason why a document is not valid against a schema, with the path of each."""
    errors = sorted(
        jsonschema.Draft202012Validator(rules).iter_errors(document), key=lambda e: list(map(str, e.path))
    )
    return [Problem(".".join([root, *map(str, e.absolute_path)]).strip("."), _words(e)) for e in errors]


def event_problems(event: Event, policy: Mapping[str, Any] | None = None) -> list[Problem]:
    """Every reason why an event may not be written, its type's own rules and the ledger's own types included.

    `policy` is the `policy.yaml` of the state that the event is judged against, that of its parent.
    """
    document = event.document()
    broken = [] if is_valid("envelope", document) else explain(schema("envelope"), document)
    kind = find_kind(event.type)
    if kind is None:
        broken += _own_type_problems(event, policy or {})
    elif not 1 <= event.v <= kind.version:
        broken.append(Problem("v", f"{event.type} has version 1 to {kind.version}, not {event.v}"))
    else:
        name = f"{event.type}.v{event.v}"
        broken += [] if is_valid(name, event.data) else explain(schema(name), event.data, "data")
    if kind is not None and not broken:
        broken += kind.problems(event.data)
        if kind.changes_state != event.changes_state:
            broken.append(
                Problem("prev", "is missing" if kind.changes_state else "has no meaning in this type")
            )
    if not broken:
        broken += _order_problems(event)
    return broken


def size_problems(message: bytes) -> list[Problem]:
    """The one reason why an event is too large, if it is."""
    if len(message) <= MAX_BYTES:
        return []
    return [Problem("data", f"the event has {len(message):,} bytes; at most {MAX_BYTES:,}")]


def _order_problems(event: Event) -> list[Problem]:
    late = [i for i in event.seen if i >= event.id]
    return [Problem("prev", f"{i} is not before the event's own id") for i in late]


def _own_type_problems(event: Event, policy: Mapping[str, Any]) -> list[Problem]:
    own: dict[str, Schema] = policy.get("types", {})
    if event.type not in own:
        return [
            Problem(
                "type",
                f"{event.type!r} is no type of this program nor of this ledger; {_nearest(event.type)}",
            )
        ]
    if event.changes_state:
        return [Problem("prev", "a type of the ledger's own never changes state")]
    return explain(own[event.type], event.data, "data")


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, TYPES, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near)}?" if near else "`ledger schema` lists the types"


def _version(name: str) -> int:
    kind = find_kind(name)
    return 1 if kind is None else kind.version


@functools.cache
def _explainer() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[ValidationError]:
        # In Python `$` also matches before a final line end; in ECMA 262, hence in a schema, it does not.
        strict = wanted[:-1] + r"\Z" if wanted.endswith("$") else wanted
        if isinstance(instance, str) and not re.search(strict, instance):
            yield ValidationError(f"{instance!r} does not match {wanted!r}")

    return validators.extend(Draft202012Validator, {"pattern": pattern})


def _words(error: Any) -> str:
    wanted = error.schema.get("description") if isinstance(error.schema, dict) else None
    text = f"{error.message}"
    if len(text) > 240:
        text = f"{json.dumps(error.instance)[:80]}… breaks the rule {error.validator!r}"
    return f"{text} ({wanted})" if wanted and error.validator in ("pattern", "enum", "const", "not") else text


def _folder() -> Traversable:
    return resources.files("ledger") / "schemas"
