"""`policy.set`: how writes to the keys of a pattern combine, what their values must look like, or a type of one's own.

The declaration binds writers; the fold never looks at it, as every write carries the policy that it used.
"""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events import find_kind
from ledger.core.events.kind import Data, Kind, Titles, brief
from ledger.core.policies import pattern_problems
from ledger.core.state import POLICY, Changes, Reader
from ledger.errors import Problem

# field of the event -> the part of policy.yaml that it goes to, and the field that names it there
_PARTS = {
    "policy": ("policies", "pattern"),
    "schema": ("schemas", "pattern"),
    "type_schema": ("types", "type"),
}


def titles(data: Data) -> Titles:
    return str(data.get("pattern") or data.get("type")), brief(data.get("policy", data.get("schema", "schema")))


def footprint(event: Event) -> tuple[str, ...]:
    return (POLICY,)


def apply(reader: Reader, event: Event) -> Changes:
    document = dict(reader.get(POLICY) or {})
    for name, (part, named_by) in _PARTS.items():
        if name in event.data and named_by in event.data:
            document[part] = _with(document.get(part, {}), event.data[named_by], event.data[name])
    return {POLICY: document | {"event": event.id, "last": event.id}}


def problems(data: Data) -> list[Problem]:
    # A schema is heavy to load, and a fold of this type has no need of it.
    from ledger.core.schema import rules_problems

    broken = [Problem("data.pattern", p.rule) for p in pattern_problems(data.get("pattern", "**"))]
    if find_kind(data.get("type", "")) is not None:
        broken.append(Problem("data.type", f"{data['type']!r} is a type of this program already"))
    declared = [(name, data[name]) for name in ("schema", "type_schema") if data.get(name) is not None]
    return [*broken, *(p for name, rules in declared for p in rules_problems(rules, f"data.{name}"))]


def _with(part: Data, name: str, value: object) -> Data:
    rest = {k: v for k, v in part.items() if k != name}
    return rest if value is None else rest | {name: value}


KIND = Kind(type="policy.set", titles=titles, footprint=footprint, apply=apply, problems=problems)
