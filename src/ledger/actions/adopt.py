"""Adopt: take a later epoch for one's own, with all that this clone has and the others have not.

Only a root of a higher epoch that names a commit of our own history takes main off its line. What this clone wrote and
never shared is committed again on the new history; what was forgotten or cut there does not come back by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ledger.actions.alone import LOCK_SECONDS, alone
from ledger.actions.epoch import (
    Dated,
    Rebuilt,
    Root,
    carried_lines,
    carry_through,
    dated,
    epoch_of,
    other_refs,
    rebuild,
    root_of,
)
from ledger.actions.join import join
from ledger.actions.tip import Author, Tip, event_of, tip_at
from ledger.actions.truncate import archive
from ledger.core.state import LEDGER
from ledger.errors import RefusedError
from ledger.storage.layout import MAIN, Layout
from ledger.storage.locks import Lock
from ledger.storage.payloads import PayloadStore
from ledger.storage.place import Place
from ledger.storage.store import EventStore, Oid
from ledger.storage.tree import TreeReader
from ledger.storage.turning import Move, Plan


class Adopted(NamedTuple):
    """The epoch that main is in now, main's tip, and how many events of our own came along."""

    epoch: int
    main: Oid
    carried: int


def is_other_epoch(store: EventStore, ours: Oid, theirs: Oid) -> bool:
    """Whether two histories are of one ledger and of different epochs, so that they cannot be merged."""
    one, two = (TreeReader(store, store.commit(oid).tree).get(LEDGER) or {} for oid in (ours, theirs))
    return one.get("id") == two.get("id") and one.get("epoch", 1) != two.get("epoch", 1)


def require_successor(store: EventStore, ours: Oid, theirs: Oid) -> Root:
    """The root of the epoch that `theirs` is in; raises RefusedError unless it may take the place of our history."""
    root, mine = root_of(store, theirs), epoch_of(store, ours)
    if root.number < mine:
        raise RefusedError(
            f"this history is of epoch {root.number}, and this ledger is in epoch {mine}",
            hint="bring this ledger's main there first: what was written there comes along, and can be brought here",
        )
    if not any(_is_known(store, ours, oid) for oid in root.superseded):
        raise RefusedError(
            f"epoch {root.number} begins from a history that this ledger never saw: it names no commit of this one",
            hint="see what is there: `git --git-dir=ledger.git log`; if it is right, clone it anew and import",
        )
    return root


def adopt(place: Place, layout: Layout, author: Author, theirs: Oid) -> Adopted:
    """Put main and every line on the history that ends at `theirs`; the caller has checked that history.

    What only the old epoch reaches is dropped. A kill leaves the old epoch or the new one. Raises RefusedError where
    that history must not take the place of ours, BusyError where a writer does not come to an end.
    """
    with Lock(layout.epoch_lock).hold(LOCK_SECONDS), alone(layout):
        store = place.store
        main = store.ref(MAIN) or ""
        root = require_successor(store, main, theirs)
        own = _own(store, root, main, theirs)
        if not root.forgotten:
            archive(layout, root.number - 1)
        with store.bulk():
            new = dated(store, [theirs])
            tip = _with_own(place, author, tip_at(store, theirs), new, own)
            rebuilt = Rebuilt(tuple(dated(store, [tip.oid])), tip)
            moves = [Move(MAIN, main, tip.oid), *carried_lines(place, author, main, rebuilt), *other_refs(store)]
        plan = Plan(tuple(moves), tuple(_payload_moves(place.payloads, store, root, main)))
        carry_through(place, layout, plan)
        return Adopted(root.number, tip.oid, len(own))


def _own(store: EventStore, root: Root, main: Oid, theirs: Oid) -> list[Dated]:
    """What our main has and neither the new history nor what it supersedes has."""
    superseded = [oid for oid in root.superseded if _has(store, oid)]
    known = {event.id for event in dated(store, [theirs])} | root.forgotten
    own = [event for event in dated(store, [main], superseded) if event.id not in known and _is_no_root(store, event)]
    through = root.data.get("through", "")
    doubtful = [event for event in own if event.id <= through]
    if doubtful and root.head_of(epoch_of(store, main)) not in superseded:
        raise RefusedError(
            f"{len(doubtful)} events of this ledger are older than what epoch {root.number} has cut, and whether they "
            "were among it cannot be told: the head that it was cut from was never here",
            hint="fetch the bundle of the old history first (it is in `archive/` where it was cut), then try again",
        )
    return own


def _with_own(place: Place, author: Author, theirs: Tip, new: Sequence[Dated], own: Sequence[Dated]) -> Tip:
    """Their tip with our own events: on top where all are later, else beside it and merged."""
    if not own:
        return theirs
    if own[0].id > theirs.id:
        return rebuild(place, theirs, own).tip
    beside = rebuild(place, Rebuilt(tuple(new), theirs).ground(place.store, own[0].id), own)
    return join(place, author, theirs, beside.tip)[0]


def _payload_moves(payloads: PayloadStore | None, store: EventStore, root: Root, main: Oid) -> list[Move]:
    """The attachments of forgotten events go here as well."""
    if payloads is None or not root.forgotten:
        return []
    events = (event_of(store.commit(one.oid)) for one in dated(store, [main]) if one.id in root.forgotten)
    gone = {event.data["attachment"]["id"]: None for event in events if "attachment" in event.data}
    return [Move(*move) for move in payloads.rewritten(gone)] if gone else []


def _is_known(store: EventStore, ours: Oid, oid: Oid) -> bool:
    return _has(store, oid) and bool(store.merge_bases(oid, ours))


def _is_no_root(store: EventStore, event: Dated) -> bool:
    return bool(store.commit(event.oid).parents)


def _has(store: EventStore, oid: Oid) -> bool:
    return oid in store.find(oid)
