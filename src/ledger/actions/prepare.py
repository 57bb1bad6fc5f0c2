"""Prepare: find the merge of a session's own line before the queue is held, so that nobody waits for it.

A merge holds for every later main whose new events touch none of the units that theirs touches: what an event
does to a unit depends on that unit alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.actions.join import Merged, is_within, merge_states
from ledger.actions.tip import event_of, tip_at
from ledger.core.fold import footprint
from ledger.core.state import LEDGER
from ledger.storage.graph import Fork, fork
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.store import Commit, EventStore, Oid

AT_MOST = 256  # new commits of main that are looked at while others wait


@dataclass(frozen=True, slots=True)
class Prepared:
    """The merge of `theirs`, as it lies `apart`, into main at `ours`."""

    ours: Oid
    theirs: Oid
    apart: Fork
    merged: Merged

    def for_main(self, store: EventStore, main: Oid | None, theirs: Oid) -> Merged | None:
        """The same merge into main as it is now; None where something new there has a say in it."""
        if main is None or theirs != self.theirs:
            return None
        if main == self.ours:
            return self.merged
        merge = self.merged.merge
        touched = {LEDGER, *merge.take, *merge.refolded}
        found = _since(store, self.ours, main)
        if found is None or any(touched.intersection(footprint(event_of(commit))) for commit in found):
            return None
        return None if {commit.oid for commit in found}.intersection(self.apart.theirs) else self.merged


def prepare(store: EventStore, session: str) -> Prepared | None:
    """The merge of what a session has of its own into main; None where none is needed, or the two are entangled."""
    main, own = store.ref(MAIN), store.ref(session_ref(session))
    if main is None or own is None:
        return None
    apart = fork(store.commit, main, own)
    if apart is None or is_within(store, main, own, apart) or is_within(store, own, main, apart):
        return None
    return Prepared(main, own, apart, merge_states(store, tip_at(store, main), tip_at(store, own), apart=apart))


def _since(store: EventStore, before: Oid, main: Oid) -> list[Commit] | None:
    """What main has gained, lines merged into it included; None where that is much, or entangled."""
    found: list[Commit] = []
    while main != before:
        commit = store.commit(main)
        if len(found) >= AT_MOST or not commit.parents:
            return None
        main, *sides = commit.parents
        found.append(commit)
        for side in sides:
            apart = fork(store.commit, main, side, AT_MOST)
            if apart is None:
                return None
            found += [store.commit(oid) for oid in apart.theirs]
    return found
