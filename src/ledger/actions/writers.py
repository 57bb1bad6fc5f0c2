"""Writers: what the verbs of context say, put into events against the state that they are appended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ledger.actions.append import Draft, Writer
from ledger.core.entry import Entry, entry_of
from ledger.core.event import Prev
from ledger.core.ids import EventId
from ledger.core.key import check_key
from ledger.core.policies import declared_policy, is_vendored, policy
from ledger.core.policies.policy import EMPTY, Cell, Op, Value, text_of
from ledger.core.state import POLICY, Reader, conflicts_path, context_path
from ledger.errors import InvalidError, NotFoundError, Problem, RefusedError


class Target(NamedTuple):
    """The key that is written: shared, or of one session alone; for a time; and what its writer saw there.

    `saw` is what the writer replaces where that is not what stands at the tip (`sees_tip` False), and `base` the entry
    that it saw then, if any: a whole new value says what it changes in that one, and leaves what came since.
    """

    key: str
    session: str | None = None
    policy: str | None = None
    ttl: int | None = None
    saw: Prev = None
    sees_tip: bool = True
    base: Entry | None = None


def setting(target: Target, value: Value) -> Writer:
    """Give a key a whole new value; its policy decides what event that is."""
    check_key(target.key)

    def write(reader: Reader) -> Draft:
        name = policy_name(target, reader, "lww")
        _require_fit(name, value, target.key)
        return _draft(target, name, policy(name).diff(_base(target, reader, name), value))

    return write


def adding(target: Target, values: Sequence[Value]) -> Writer:
    """Add elements to a set, or items to the end of a log; a key that is new becomes a set.

    Nothing is written where the set holds them all.
    """
    check_key(target.key)

    def write(reader: Reader) -> Draft | None:
        name = _policy_among(target, reader, ("set", "log"))
        if is_vendored(name):
            return _grown(target, reader, name, values)
        cell = _cell(target, reader, name)
        carried = list(_carried(target, reader, name) or [])
        wanted = [*carried, *values] if name == "log" else _union(cell.value or carried, values)
        _require_fit(name, wanted, target.key)
        new = wanted if name == "log" else policy(name).diff(cell, wanted).fields["values"]
        return _draft(target, name, Op("context.added", {"values": new})) if new else None

    return write


def removing(target: Target, values: Sequence[Value]) -> Writer:
    """Take elements from a set, or fields (by name) from a map; raises NotFoundError for what is not there."""
    check_key(target.key)

    def write(reader: Reader) -> Draft:
        name = _policy_among(target, reader, ("set", "map"))
        cell = _cell(target, reader, name)
        gone = {text_of(v) for v in values}
        held = _held(target, reader, name, (list, dict), "list or mapping") or []
        there = list(held)
        missing = [v for v in values if text_of(v) not in {text_of(t) for t in there}]
        if missing:
            raise NotFoundError(f"{target.key!r} does not hold {missing[0]!r}")
        rest = [v for v in there if text_of(v) not in gone]
        left = {f: held[f] for f in rest} if isinstance(held, dict) else rest
        return _draft(target, name, policy(name).diff(cell, left))

    return write


def incrementing(target: Target, by: int) -> Writer:
    """Add to a counter; a key that is new starts from 0."""
    check_key(target.key)

    def write(reader: Reader) -> Draft:
        name = _policy_among(target, reader, ("counter",))
        if is_vendored(name):
            return _stepped(target, reader, name, by)
        start = _carried(target, reader, name) or 0
        return _draft(target, name, Op("context.incremented", {"by": start + by}))

    return write


def deleting(target: Target, because: str | None = None) -> Writer:
    """Take a key's value away; raises NotFoundError where there is none."""
    check_key(target.key)

    def write(reader: Reader) -> Draft:
        entry = entry_of(reader.get(context_path(target.key, target.session)))
        if entry is None or entry.deleted:
            raise NotFoundError(f"no value stands at {target.key!r}", hint="`ledger keys` lists what there is")
        data = {"key": target.key} | ({"because": because} if because else {})
        return _seen(target, Draft("context.deleted", data | _scope(target)))

    return write


def deciding(target: Target, decision: str, because: str | None = None, instead_of: Sequence[str] = ()) -> Writer:
    """Record a decision at a key, with its reason and what was turned down."""
    check_key(target.key)
    data: dict[str, Any] = {"key": target.key, "decision": decision}
    data |= {"because": because} if because else {}
    data |= {"instead_of": list(instead_of)} if instead_of else {}
    return lambda _: _seen(target, Draft("decision.recorded", data))


def resolving(target: Target, take: str | None = None, value: Value = None) -> Writer:
    """Settle a conflict: take one of the siblings by (the start of) its event id, or a value of one's own."""
    check_key(target.key)

    def write(reader: Reader) -> Draft:
        entry = entry_of(reader.get(context_path(target.key, target.session)))
        losers = (reader.get(conflicts_path(target.key, target.session)) or {}).get("losers", [])
        if entry is None or not losers:
            raise NotFoundError(f"no conflict stands at {target.key!r}", hint="`ledger conflicts` lists them")
        data = {"key": target.key, "policy": entry.policy} | _scope(target)
        if take is None:
            return Draft("conflict.resolved", data | {"value": value})
        return Draft("conflict.resolved", data | _sibling(entry, losers, take))

    return write


def _sibling(entry: Entry, losers: Sequence[Mapping[str, Any]], take: str) -> dict[str, Any]:
    stands: dict[str, Any] = {"deleted": True} if entry.deleted else {"value": entry.cell.value}
    found = {entry.event: stands}
    # What the winner itself found no room for finds none now either: its event means what stands.
    for loser in (loser for loser in losers if loser["event"] != entry.event):
        # A write may have lost several fields, one after the other: they are taken together.
        found[loser["event"]] = _taken(entry, loser, found.get(loser["event"], stands))
    chosen = EventId.find(take, found)
    return found[chosen] | {"take": str(chosen)}


def _taken(entry: Entry, loser: Mapping[str, Any], stands: Mapping[str, Any]) -> dict[str, Any]:
    """What stands once a loser is taken: under `map` and `set` a loser is what it would have put in, not a whole."""
    if loser.get("deleted"):
        return {"deleted": True}
    there, lost = stands.get("value"), loser["value"]
    if entry.policy == loser.get("policy") == "map" and isinstance(there, dict):
        return {"value": {**there, **lost}}
    if entry.policy == loser.get("policy") == "set" and isinstance(there, list):
        return {"value": _union(there, lost)}
    return {"value": lost}


def _draft(target: Target, name: str, op: Op) -> Draft:
    data = {"key": target.key, "policy": name, **op.fields, **_scope(target)}
    if target.ttl is not None:
        data["ttl"] = target.ttl
    return _seen(target, Draft(op.type, data))


def _grown(target: Target, reader: Reader, name: str, values: Sequence[Value]) -> Draft | None:
    """Add under a policy of another package: to the end, or as to a set where it holds nothing twice."""
    held = _held(target, reader, name, (list,), "list") or []
    grown = _union(held, values) if policy(name).problems([*held, *values]) else [*held, *values]
    return None if grown == held else _whole(target, reader, name, grown)


def _stepped(target: Target, reader: Reader, name: str, by: int) -> Draft:
    """Add to a number under a policy of another package."""
    return _whole(target, reader, name, (_held(target, reader, name, (int,), "whole number") or 0) + by)


def _whole(target: Target, reader: Reader, name: str, value: Value) -> Draft:
    _require_fit(name, value, target.key)
    return _draft(target, name, policy(name).diff(_cell(target, reader, name), value))


def _held(target: Target, reader: Reader, name: str, kinds: tuple[type, ...], noun: str) -> Value:
    cell = _cell(target, reader, name)
    held = _carried(target, reader, name) if cell is EMPTY else cell.value
    if held is None or (isinstance(held, kinds) and not isinstance(held, bool)):
        return held
    raise RefusedError(
        f"what stands at {target.key!r} is no {noun}",
        hint=f"`ledger get {target.key}` shows it; `ledger set` gives a whole new value",
    )


def _seen(target: Target, draft: Draft) -> Draft:
    return draft if target.sees_tip else replace(draft, prev=target.saw, sees_tip=False)


def _scope(target: Target) -> dict[str, Any]:
    return {} if target.session is None else {"scope": "session"}


def policy_name(target: Target, reader: Reader, new: str) -> str:
    """The policy of a write: as asked, as declared for the key, as it stands there, or what is usual for the verb."""
    declared = declared_policy(target.key, reader.get(POLICY))
    if target.policy is not None:
        _require_declared(target.policy, declared, target.key)
        return policy(target.policy).name
    entry = entry_of(reader.get(context_path(target.key, target.session)))
    there = None if entry is None or entry.deleted else entry.policy
    return declared or there or new


def _require_declared(name: str, declared: str | None, key: str) -> None:
    # Only the declaration has held it to the laws, and tells the others which package they need.
    if is_vendored(name) and name != declared:
        raise RefusedError(
            f"the policy {name!r} is not declared for {key!r}", hint=f"declare it first: ledger policy set {key} {name}"
        )


def _policy_among(target: Target, reader: Reader, fitting: tuple[str, ...]) -> str:
    name = policy_name(target, reader, fitting[0])
    if name in fitting or is_vendored(name):
        return name
    raise RefusedError(
        f"{target.key!r} is under the policy {name!r}; this needs {' or '.join(fitting)}",
        hint=f"use another key, or declare: ledger policy set {target.key} {fitting[0]}",
    )


def _cell(target: Target, reader: Reader, name: str) -> Cell:
    entry = entry_of(reader.get(context_path(target.key, target.session)))
    return EMPTY if entry is None or entry.deleted or entry.policy != name else entry.cell


def _base(target: Target, reader: Reader, name: str) -> Cell:
    """What a whole new value is compared with: what its writer saw."""
    if target.sees_tip:
        return _cell(target, reader, name)
    return EMPTY if target.base is None or target.base.policy != name else target.base.cell


def _carried(target: Target, reader: Reader, name: str) -> Value:
    """The value that stands under another policy: the first step under the new one carries it over; None for none."""
    entry = entry_of(reader.get(context_path(target.key, target.session)))
    if entry is None or entry.deleted or entry.policy == name:
        return None
    broken = policy(name).problems(entry.cell.value)
    if broken:
        raise RefusedError(
            f"what stands at {target.key!r} was written under the policy {entry.policy!r} and does not fit {name!r}: "
            f"{broken[0].rule}",
            hint=f"`ledger delete {target.key}` lets it start anew; or use another key",
        )
    return entry.cell.value


def _require_fit(name: str, value: Value, key: str) -> None:
    broken = policy(name).problems(value)
    if broken:
        raise InvalidError(
            f"{key!r} is under the policy {name!r}, which this value does not fit:",
            [Problem(p.path, p.rule) for p in broken],
            hint="`ledger policy set` changes the policy of a key",
        )


def _union(there: Sequence[Value], values: Sequence[Value]) -> list[Value]:
    return list({text_of(v): v for v in [*there, *values]}.values())
