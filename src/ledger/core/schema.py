"""Schemas: JSON Schema 2020-12, one file per event type and version, and one per other document.

jsonschema-rs decides, as it is fast enough for every write; jsonschema explains, when the answer was no.
A property test holds that both agree. The files ship with the package and are part of its code.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import yaml

from ledger.core import canonical
from ledger.core.clock import micros
from ledger.core.event import MAX_BYTES, Event
from ledger.core.events import TYPES, find_kind, kind_of
from ledger.core.events.kind import Kind
from ledger.core.upcast import upcast
from ledger.errors import InvalidError, Problem

if TYPE_CHECKING:
    import jsonschema_rs

Schema = dict[str, Any]

DOCUMENTS = ("envelope", "entry", "conflicts", "session", "task", "lease", "ledger", "policy", "config", "access")


def names() -> list[str]:
    """The names of all schemas: documents, then event types in each of their versions."""
    return [*DOCUMENTS, *(f"{t}.v{v}" for t in TYPES for v in range(1, _version(t) + 1))]


@functools.cache
def schema(name: str) -> Schema:
    """The schema of that name (`envelope`, `context.set.v1`, …); raises InvalidError with the names there are."""
    if not _is_name(name):
        raise InvalidError("no such schema", [Problem("schema", f"{name!r} is none of: {', '.join(names())}")])
    file = _folder() / f"{name}.yaml" if name in DOCUMENTS else _folder() / "events" / f"{name}.yaml"
    # Both loaders are safe ones; the one in C is ten times as fast, and not in every build of PyYAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: Schema = yaml.load(file.read_bytes(), Loader=loader)  # noqa: S506
    return loaded


def is_valid(name: str, document: Any) -> bool:
    """Whether a document, of values that JSON can carry, is valid against the schema of that name."""
    return validator(name).is_valid(document)


@functools.cache
def validator(name: str) -> jsonschema_rs.Validator:
    """The compiled schema of that name."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(schema(name))


def explain(rules: Schema, document: Any, root: str = "") -> list[Problem]:
    """Every reason why a document is not valid against a schema, with the path of each."""
    errors = sorted(_explainer()(rules).iter_errors(document), key=lambda e: list(map(str, e.absolute_path)))
    return [Problem(".".join([root, *map(str, e.absolute_path)]).strip("."), _words(e)) for e in errors]


def rules_problems(rules: Schema, root: str) -> list[Problem]:
    """Every reason why a schema that somebody declares in a ledger cannot judge documents."""
    import jsonschema_rs

    # A foreign reference would be fetched from wherever it points to, while events are judged.
    broken = [
        Problem(root, f"refers to {ref!r}; a schema may refer only to its own parts (#…)") for ref in _foreign(rules)
    ]
    broken = broken or explain(_explainer().META_SCHEMA, rules, root)
    try:
        _ = broken or jsonschema_rs.Draft202012Validator(rules)
    except ValueError as error:
        return [Problem(root, f"is no JSON Schema: {error}")]
    return broken


def event_problems(event: Event, policy: Mapping[str, Any] | None = None) -> list[Problem]:
    """Every reason why an event may not be written, its type's own rules and the ledger's own types included.

    `policy` is the `policy.yaml` of the state that the event is judged against, that of its parent.
    """
    document = event.document()
    unwritable = _text_problems(event, document)
    if unwritable:  # the validators answer only for what JSON can carry
        return unwritable
    kind = find_kind(event.type)
    body = _own_type_problems(event, policy or {}) if kind is None else _kind_problems(event, kind)
    if is_valid("envelope", document):
        return [*body, *_order_problems(event)]
    return [*explain(schema("envelope"), document), *body]


def size_problems(message: bytes) -> list[Problem]:
    """The one reason why an event is too large, if it is."""
    if len(message) <= MAX_BYTES:
        return []
    return [Problem("data", f"the event has {len(message):,} bytes; at most {MAX_BYTES:,}")]


def _text_problems(event: Event, document: dict[str, Any]) -> list[Problem]:
    if _is_writable(document, canonical.MAX_DEPTH - 1):
        return []
    kind = find_kind(event.type)
    if kind is None or not kind.changes_state:
        return canonical.problems(document)
    if not canonical.problems([document]):
        return []
    too_deep = f"nests deeper than {canonical.MAX_DEPTH - 1} levels, so that a conflict file could not carry it"
    return canonical.problems(document) or [Problem("data", too_deep)]


def _is_writable(value: Any, levels: int) -> bool:
    # No means perhaps: `canonical.problems` knows, and takes ten times as long.
    kind: type = type(value)
    if isinstance(value, str):
        return kind is str and value.isascii() and "\0" not in value
    if kind is dict:
        return levels > 0 and all(
            type(name) is str and len(name) <= 64 and name.isascii() and _is_writable(item, levels - 1)
            for name, item in value.items()
        )
    if kind is list:
        return levels > 0 and all(_is_writable(item, levels - 1) for item in value)
    return value is None or kind is bool or (kind in (int, float) and -(2**63) < value < 2**63)


def _kind_problems(event: Event, kind: Kind) -> list[Problem]:
    broken = []
    if kind.changes_state != event.changes_state:
        broken.append(Problem("prev", "is missing" if kind.changes_state else "has no meaning in this type"))
    if kind_of(event) is None:
        known = "version 1" if kind.version == 1 else f"versions 1 to {kind.version}"
        return [
            *broken,
            Problem("v", f"this program knows {known} of {event.type}, not {event.v}: a newer one wrote it"),
        ]
    name = f"{event.type}.v{event.v}"
    if is_valid(name, event.data):
        return [*broken, *kind.problems(upcast(event).data)]
    return [*broken, *explain(schema(name), event.data, "data")]


def _order_problems(event: Event) -> list[Problem]:
    broken = [Problem("prev", f"{i} is not before the event's own id") for i in sorted(event.seen) if i >= event.id]
    try:
        micros(event.time)
    except ValueError:  # the schema knows the form, not the calendar
        broken.append(Problem("time", f"{event.time!r} is no moment of the calendar"))
    return broken


def _own_type_problems(event: Event, policy: Mapping[str, Any]) -> list[Problem]:
    own: dict[str, Schema] = policy.get("types", {})
    if event.type not in own:
        return [
            Problem(
                "type",
                f"{event.type!r} is no type of this program nor of this ledger; {_nearest(event.type)}",
            )
        ]
    broken = [Problem("prev", "a type of the ledger's own never changes state")] if event.changes_state else []
    return [*broken, *explain(own[event.type], event.data, "data")]


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, TYPES, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near)}?" if near else "`ledger schema` lists the types"


def _version(name: str) -> int:
    kind = find_kind(name)
    return 0 if kind is None else kind.version


def _is_name(name: str) -> bool:
    # Not by `names()`, which imports every type: an appended event needs but its own.
    kind, _, version = name.rpartition(".v")
    return name in DOCUMENTS or (version.isdecimal() and version in map(str, range(1, _version(kind) + 1)))


def _foreign(rules: Any) -> Iterator[str]:
    if isinstance(rules, list):
        for part in rules:
            yield from _foreign(part)
    elif isinstance(rules, dict):
        for name, part in rules.items():
            if name in ("$ref", "$dynamicRef") and isinstance(part, str) and not part.startswith("#"):
                yield part
            yield from _foreign(part)


@functools.cache
def _explainer() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_: Any, wanted: str, instance: Any, __: Any) -> Iterator[ValidationError]:
        # By the engine that decides: Python's reads `$` and `\d` otherwise, and may search for ever.
        if isinstance(instance, str) and not _pattern(wanted).is_valid(instance):
            yield ValidationError(f"{instance!r} does not match {wanted!r}")

    def required(_: Any, wanted: list[str], instance: Any, __: Any) -> Iterator[ValidationError]:
        missing = [name for name in wanted if name not in instance] if isinstance(instance, dict) else []
        for name in missing:
            yield ValidationError("is missing", path=[name])

    def additional(judge: Any, wanted: Any, instance: Any, rules: Schema) -> Iterator[ValidationError]:
        if wanted is not False or "patternProperties" in rules or not isinstance(instance, dict):
            yield from Draft202012Validator.VALIDATORS["additionalProperties"](judge, wanted, instance, rules) or ()
            return
        for name in [name for name in instance if name not in rules.get("properties", {})]:
            yield ValidationError("is not a field here", path=[name])

    changed = {"pattern": pattern, "required": required, "additionalProperties": additional}
    return validators.extend(Draft202012Validator, changed)  # type: ignore[no-untyped-call]  # it has no types


@functools.lru_cache(maxsize=256)
def _pattern(wanted: str) -> jsonschema_rs.Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"type": "string", "pattern": wanted})


_COUNTED = {
    "maxLength": ("at most", "characters"),
    "minLength": ("at least", "characters"),
    "maxItems": ("at most", "elements"),
    "minItems": ("at least", "elements"),
    "maxProperties": ("at most", "fields"),
    "minProperties": ("at least", "fields"),
}
_TYPES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}


def _words(error: Any) -> str:
    rule, wanted = error.validator, error.validator_value
    if rule in ("oneOf", "anyOf") and all(isinstance(w, dict) and w.keys() == {"required"} for w in wanted):
        fields = ", ".join(" with ".join(branch["required"]) for branch in wanted)
        return f"needs {'exactly' if rule == 'oneOf' else 'at least'} one of: {fields}"
    shown = json.dumps(error.instance, ensure_ascii=False)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    description = error.schema.get("description") if isinstance(error.schema, dict) else None
    if description and rule in ("pattern", "anyOf", "oneOf", "const"):
        return f"{shown} is not {description}"
    if rule == "enum":
        return f"{shown} is none of: {', '.join(map(str, wanted))}"
    if rule in _COUNTED:
        limit, noun = _COUNTED[rule]
        return f"has {len(error.instance):,} {noun}; {limit} {wanted:,}" if error.instance else "is empty"
    if rule == "type":
        return f"{shown} is not {' or '.join(_TYPES[one] for one in ([wanted] if isinstance(wanted, str) else wanted))}"
    return error.message if len(error.message) <= 240 else f"{shown} breaks the rule {rule!r}: {str(wanted)[:80]}"


def _folder() -> Traversable:
    return resources.files("ledger") / "schemas"
