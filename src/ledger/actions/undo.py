"""Undo: take back a session's last change of context. It is written as a new event; nothing leaves the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.actions.append import Draft, stays_apart
from ledger.actions.find import main_tip, walk
from ledger.actions.inverse import Inverse, Written, inverse_of
from ledger.actions.log import Logged
from ledger.actions.rollback import Restored, batches, standing
from ledger.actions.tip import Author, event_of, own_tip
from ledger.core.entry import Entry, siblings
from ledger.core.event import Event, Prev
from ledger.core.fold import footprint
from ledger.core.policies.policy import Op
from ledger.core.state import Reader, State, conflicts_path, context_path, key_of
from ledger.errors import NotFoundError
from ledger.storage.place import Place
from ledger.storage.store import Oid
from ledger.storage.tree import TreeReader

_UNDOES = "undo:"
_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo would do: the event it takes back, its keys, and what would be lost by it.

    `op` is the step that takes the write of one key back; without it the keys get whole values back. `later` holds
    the newest write of others, by key, that the event's writer had not seen and the undo would overrule; `unsettled`
    the keys where the event settled a conflict, which an undo cannot bring back. `heads` are the writes it replaces.
    """

    target: Logged
    restored: list[Restored]
    op: Op | None = None
    later: dict[str, Event] = field(default_factory=dict)
    unsettled: tuple[str, ...] = ()
    heads: dict[str, list[str]] = field(default_factory=dict)


def plan_undo(place: Place, author: Author) -> Undo:
    """Find the newest change of shared context by this session that it has not taken back yet.

    Raises NotFoundError where there is none.
    """
    tip = _tip(place, author)
    target = _newest(place, author, tip)
    before, after, now = _states(place, target, tip)
    keys, moment = list(_keys_of(target.event)), place.now()
    others = _others(place, target, tip)
    restored = [Restored(key, standing(now, key, moment), standing(before, key, moment)) for key in keys]
    inverse = _inverse(target.event, restored[0], standing(after, keys[0], moment), others)
    return Undo(
        target,
        restored if inverse is None else [restored[0]._replace(then=inverse.then)],
        None if inverse is None else inverse.op,
        _first(keys, others if inverse is None else {keys[0]: list(inverse.overruled)}),
        tuple(key for key in keys if _losers(before, key) - _losers(after, key)),
        {key: siblings(now.get(context_path(key)), None) for key in keys},
    )


def undo_drafts(planned: Undo) -> Iterator[Draft]:
    """What takes the event back. It replaces what was planned for: a write in between becomes a conflict."""
    target = planned.target.event.id
    if planned.op is not None:
        data = planned.target.event.data
        fields = {"key": data["key"], "policy": data["policy"], **planned.op.fields}
        now = planned.restored[0].now
        fields |= {"ttl": now.ttl} if now is not None and now.ttl is not None else {}
        yield _draft(planned, planned.op.type, fields, [data["key"]], target)
        return
    for number, items in enumerate(batches(planned.restored), start=1):
        # An origin names one fact: of several events that take back one, each has its own.
        ref = target if number == 1 else f"{target}.{number}"
        keys = [item["key"] for item in items]
        yield _draft(planned, "context.restored", {"entries": items, "to": target}, keys, ref)


def _draft(planned: Undo, type_: str, data: dict[str, Any], keys: Sequence[str], ref: str) -> Draft:
    heads = sorted({head for key in keys for head in planned.heads[key]})
    prev: Prev = None if not heads else heads[0] if len(heads) == 1 else heads
    return Draft(type_, data, origin={"source": "call", "ref": f"{_UNDOES}{ref}"}, prev=prev, sees_tip=False)


def _tip(place: Place, author: Author) -> Oid:
    """The end of the line to which the session's shared writes go: main, unless they stay apart."""
    own = own_tip(place.store, author.session) if stays_apart(place, author) else None
    return own or main_tip(place)


def _newest(place: Place, author: Author, tip: Oid) -> Logged:
    undone: set[str] = set()
    for commit in walk(place, [tip]):
        logged = Logged(event_of(commit), commit)
        if logged.event.session != author.session:
            continue
        taken_back = _undone_by(logged.event)
        if taken_back is not None:
            undone.add(taken_back)
        elif logged.event.id not in undone and any(_keys_of(logged.event)):
            return logged
    raise NotFoundError("this session has no change of context to take back", hint="`ledger log` shows who did what")


def _states(place: Place, logged: Logged, tip: Oid) -> tuple[Reader, Reader, Reader]:
    store, parents = place.store, logged.commit.parents
    before = TreeReader(store, store.commit(parents[0]).tree) if parents else State()
    return before, TreeReader(store, logged.commit.tree), TreeReader(store, store.commit(tip).tree)


def _others(place: Place, target: Logged, tip: Oid) -> dict[str, list[Event]]:
    """Others' writes that the target does not stand on, by key, the newest first: later ones and concurrent ones."""
    found: dict[str, list[Event]] = {}
    for commit in place.store.walk([tip], [target.commit.oid], order="newest"):
        event = event_of(commit)
        if event.session != target.event.session:
            for key in _keys_of(event):
                found.setdefault(key, []).append(event)
    return found


def _inverse(event: Event, restored: Restored, after: Entry | None, others: dict[str, list[Event]]) -> Inverse | None:
    return inverse_of(Written(event, restored.then, after, restored.now, others.get(restored.key, ())))


def _first(keys: Sequence[str], events: dict[str, list[Event]]) -> dict[str, Event]:
    return {key: events[key][0] for key in keys if events.get(key)}


def _losers(reader: Reader, key: str) -> set[str]:
    return {loser["event"] for loser in (reader.get(conflicts_path(key)) or {}).get("losers", ())}


def _undone_by(event: Event) -> str | None:
    ref = str((event.origin or {}).get("ref", ""))
    return ref.removeprefix(_UNDOES)[:_ID_LENGTH] if ref.startswith(_UNDOES) else None


def _keys_of(event: Event) -> Iterator[str]:
    for unit in footprint(event):
        key = key_of(unit)
        if key is not None:
            yield key
