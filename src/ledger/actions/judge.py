"""Judge: whether an event may follow the state that it is appended to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.core import schema
from ledger.core.event import Event
from ledger.core.events import kind_of
from ledger.core.events.kind import Kind
from ledger.core.key import key_problems, nearest_key
from ledger.core.policies import declared_policy, most_telling
from ledger.core.state import POLICY, Changes, Document, Reader, key_of
from ledger.core.upcast import upcast
from ledger.errors import InvalidError, Problem

_WRITES = ("context.set", "context.added", "context.removed", "context.incremented")


def judge(event: Event, reader: Reader) -> list[Problem]:
    """Every reason why an event may not be written on top of a state, its effect on it aside.

    The event is judged against the policy of the state itself, hence of its own parent's tree.
    """
    declared = reader.get(POLICY) or {}
    return schema.event_problems(event, declared) or _policy_problems(event, declared)


def judge_read(event: Event, reader: Reader) -> list[Problem]:
    """The same, ten times as fast, for an event read from canonical text that nests nowhere near the limit."""
    kind = kind_of(event)
    if kind is None or not _fits(event, kind):
        return judge(event, reader)
    return _policy_problems(event, reader.get(POLICY) or {})


def judge_values(changes: Changes, reader: Reader) -> list[Problem]:
    """Every reason why the values that an event leaves break the schemas that the ledger declares for their keys."""
    rules: Mapping[str, Any] = (reader.get(POLICY) or {}).get("schemas", {})
    if not rules:
        return []
    broken = []
    for path, document in changes.items():
        pattern = _pattern_of(path, rules)
        if pattern is not None and document is not None and "value" in document:
            broken += schema.explain(rules[pattern], document["value"], "value")
    return broken


def judge_sums(changes: Changes, reader: Reader) -> list[Problem]:
    """Every counter that a write would take beyond 64 bits, or further beyond.

    Writers who do not see each other may still leave such a sum: it is kept exactly, so history holds it rightly.
    """
    return [
        Problem("data.by", f"leaves a sum of {document['marks']['total']}; a counter holds at most 64 bits")
        for path, document in changes.items()
        if document is not None and _sum_beyond(document) > _sum_beyond(reader.get(path))
    ]


def refuse(event: Event, broken: list[Problem]) -> None:
    """Raise InvalidError with all that is wrong with an event, if anything is."""
    if broken:
        raise InvalidError(f"{event.type} is refused:", broken, hint=_hint(event, broken))


def refuse_values(event: Event, changes: Changes, reader: Reader) -> None:
    """Raise InvalidError with all that is wrong with the values that an event leaves, if anything is."""
    broken = judge_values(changes, reader)
    if broken:
        rules: Mapping[str, Any] = (reader.get(POLICY) or {}).get("schemas", {})
        patterns = {pattern for pattern in (_pattern_of(path, rules) for path in changes) if pattern is not None}
        named = ", ".join(map(repr, sorted(patterns)))
        hint = f"this ledger declares a schema for {named}; `ledger policy list` shows it"
        raise InvalidError(f"{event.type} is refused:", broken, hint=hint)
    beyond = judge_sums(changes, reader)
    if beyond:
        hint = "`ledger set KEY 0` starts anew; the sums so far stay in `ledger history KEY`"
        raise InvalidError(f"{event.type} is refused:", beyond, hint=hint)


def _pattern_of(path: str, rules: Mapping[str, Any]) -> str | None:
    key = key_of(path) if path.startswith("context/") else None
    return None if key is None else most_telling(rules, key)


def _sum_beyond(entry: Document | None) -> int:
    """How large a counter's sum is, where that is beyond 64 bits; else 0."""
    if entry is None or entry.get("policy") != "counter":
        return 0
    return abs(int(entry.get("marks", {}).get("total", 0)))


def _fits(event: Event, kind: Kind) -> bool:
    return (
        schema.is_valid("envelope", event.document())
        and schema.is_valid(f"{event.type}.v{event.v}", event.data)
        and kind.changes_state == event.changes_state
        and all(seen < event.id for seen in event.seen)
        and not kind.problems(upcast(event).data)
    )


def _policy_problems(event: Event, declared: Mapping[str, Any]) -> list[Problem]:
    if event.type not in _WRITES or event.data.get("scope") == "session":
        return []
    wanted = declared_policy(event.data["key"], dict(declared))
    used = event.data.get("policy", "lww")
    if wanted in (None, used):
        return []
    return [Problem("data.policy", f"this ledger declares {wanted!r} for {event.data['key']!r}, not {used!r}")]


def _hint(event: Event, broken: list[Problem]) -> str:
    key = event.data.get("key")
    # The key of a session is the agent's own id of its run, which is no key of the ledger.
    if isinstance(key, str) and key_problems(key) and not event.type.startswith("session."):
        return f"the nearest valid key is {nearest_key(key)!r}"
    if any("bytes; at most" in p.rule for p in broken):
        return "keep the large part in a file and put its path into the ledger"
    if any("characters; at most" in p.rule for p in broken):
        return "shorten it, or keep the whole in a file and say which"
    if any(p.path == "data.policy" for p in broken):
        return "`ledger policy` lists what is declared; `ledger policy set PATTERN POLICY` changes it"
    return f"`ledger schema {event.type}` shows what such an event looks like"
