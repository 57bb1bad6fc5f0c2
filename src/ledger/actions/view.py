"""View: main and a session's own line as one state, without writing anything."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ledger.actions.join import merge_changes, merge_states
from ledger.actions.tip import tip_at
from ledger.core.state import Changes, Document, Overlay, Reader, read_unit, unit_of
from ledger.errors import RefusedError
from ledger.storage.store import EventStore, Oid
from ledger.storage.tree import TreeReader


def view(store: EventStore, main: Oid, own: Oid | None) -> Reader:
    """What a session sees: main, with what its own line has beyond it.

    Scenarios: (1) it has no line of its own, or main holds that: main stands; (2) its line holds main: the line
    stands; (3) both went on: the merge of both, as it will be once the line is brought to main.
    """
    if own is None or store.is_ancestor(own, main):
        return TreeReader(store, store.commit(main).tree)
    if store.is_ancestor(main, own):
        return TreeReader(store, store.commit(own).tree)
    return Both(store, main, own)


# A step at a task that another session is at changes nothing, nor does one at a task that is not there; merged with
# what the other side did, it may. So that a document is as it was does not show that nobody named it.
_UNCHANGED_BY_SOME = ("tasks/", "leases/")


class Both:
    """The state that the merge of two lines would have, read on demand.

    A unit that only one side has changed since their merge base is read there; events are read for the others alone,
    and for tasks and leases.
    """

    def __init__(self, store: EventStore, main: Oid, own: Oid) -> None:
        self._store, self._main_oid, self._own_oid = store, main, own
        self._main, self._own = self._state(main), self._state(own)

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""
        if path.startswith(_UNCHANGED_BY_SOME):
            return self._merged.get(path)
        unit = unit_of(path)
        unit = path if unit.endswith("/") else unit  # a session's folder may be large, and is its own session's alone
        bases, mine, theirs = self._bases, read_unit(self._main, unit), read_unit(self._own, unit)
        if len(bases) == 1:
            base = read_unit(bases[0], unit)
            if theirs == base:
                return mine.get(path)
            if mine == base:
                return theirs.get(path)
        return self._merged.get(path)

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document whose path starts with `folder` (which ends in "/"), sorted by path."""
        return self._merged.under(folder)

    @cached_property
    def _bases(self) -> list[Reader]:
        return [self._state(oid) for oid in self._store.merge_bases(self._main_oid, self._own_oid)]

    @cached_property
    def _merged(self) -> Reader:
        ours, theirs = tip_at(self._store, self._main_oid), tip_at(self._store, self._own_oid)
        try:
            merged, _ = merge_states(self._store, ours, theirs)
        except RefusedError:
            # What this program cannot merge (a newer fold, a policy that is not installed) it can still read: the
            # session sees what it wrote, and the rest as it was when its line began.
            return self._own
        changes, taken = merge_changes(merged)
        return Overlay(self._main, changes | self._taken(taken))

    def _taken(self, paths: list[str]) -> Changes:
        changes: Changes = {}
        for path in paths:
            changes[path] = None if path.endswith("/") else self._own.get(path)
            changes |= dict(self._own.under(path)) if path.endswith("/") else {}
        return changes

    def _state(self, oid: Oid) -> Reader:
        return TreeReader(self._store, self._store.commit(oid).tree)
