"""Check a file: what is wrong with an event, a value or a setting that somebody wrote, before it is used."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ledger.actions.record import shape_problems
from ledger.core import canonical, schema
from ledger.core.event import Event, from_document
from ledger.core.events import find_kind
from ledger.errors import InvalidError, Problem, UsageError

_ID = "00000000-0000-7000-8000-000000000000"
_TIME = "2000-01-01T00:00:00.000000Z"

_NAMED = {"config.toml": "config", "policy.yaml": "policy", "ledger.yaml": "ledger"}
# A ledger that was cloned or exported as files: each lies where it lies in a commit's tree.
_PLACED = {
    "context": "entry",
    "conflicts": "conflicts",
    "sessions": "session",
    "tasks": "task",
    "leases": "lease",
}
_JSON_SCHEMA = "JSON Schema"


class Checked(NamedTuple):
    """The schema that a file was held against, and every problem found."""

    schema: str
    problems: list[Problem]


def schema_name(name: str) -> str:
    """The full name of a schema: `context.set` means its newest version. Raises UsageError with the nearest names."""
    known = schema.names()
    newest = next((n for n in reversed(known) if n.rpartition(".v")[0] == name), name)
    if newest in known:
        return newest
    near = difflib.get_close_matches(name, sorted({n.rpartition(".v")[0] or n for n in known}), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`ledger schema` lists them"
    raise UsageError(f"no schema is named {name!r}", hint=hint)


def check_file(file_name: str, raw: bytes, wanted: str | None, policy: Mapping[str, Any] | None = None) -> Checked:
    """Hold the bytes of a file against the schema `wanted`, or against the one that its name or form tells.

    `config.toml`, `policy.yaml` and `ledger.yaml` are known by name, events by their `type`, JSON Schemas by their
    `$schema`, the other files of a ledger's tree by the folder they lie in. Raises UsageError where nothing tells.
    """
    try:
        document = tomllib.loads(raw.decode()) if file_name.endswith(".toml") else canonical.loads_lenient(raw)
    except InvalidError as error:
        return Checked(wanted or "", list(error.problems))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Checked(wanted or "config", [Problem("", str(error))])
    name = wanted or _NAMED.get(file_name.rpartition("/")[2]) or _told_by_form(document) or _told_by_place(file_name)
    if name is None:
        raise UsageError(
            f"nothing tells what {file_name} should be", hint="say so: --schema NAME; `ledger schema` lists the names"
        )
    if name == "event" and isinstance(document, dict):
        return _checked_event(document, policy)
    if name == _JSON_SCHEMA and isinstance(document, dict):
        return Checked(name, schema.rules_problems(document, ""))
    rules = schema.schema(schema_name(name))
    return Checked(schema_name(name), schema.explain(rules, document))


def _told_by_form(document: Any) -> str | None:
    if not isinstance(document, dict):
        return None
    if "type" in document and "data" in document:
        return "event"
    return _JSON_SCHEMA if "$schema" in document else None


def _told_by_place(file_name: str) -> str | None:
    folders = file_name.split("/")[:-1] if file_name.endswith(".yaml") else []
    if folders[-2:-1] == ["sessions"] and not file_name.endswith("/session.yaml"):
        return None
    # The folder of a session has folders of its own; the innermost tells.
    return next((_PLACED[folder] for folder in reversed(folders) if folder in _PLACED), None)


def _checked_event(document: dict[str, Any], policy: Mapping[str, Any] | None) -> Checked:
    name = f"{document['type']}.v{document.get('v', 1)}"
    try:
        broken = [] if "id" in document else list(shape_problems(document))
        event = None if broken else from_document(document) if "id" in document else _as_if_written(document)
    except InvalidError as error:
        return Checked(name, list(error.problems))
    return Checked(name, broken if event is None else schema.event_problems(event, policy))


def _as_if_written(document: dict[str, Any]) -> Event:
    """The event that recording the document would make, as far as the document tells."""
    kind = find_kind(document["type"])
    return Event(
        id=_ID,
        type=document["type"],
        v=document.get("v", 1),
        session=_ID.replace("7", "5"),
        time=document.get("time", _TIME),
        data=document["data"],
        changes_state=kind is not None and kind.changes_state,
        origin=document.get("origin"),
    )
