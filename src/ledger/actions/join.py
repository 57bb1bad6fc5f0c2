"""Join: make two lines of history one, by a commit whose tree is the fold of their union."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ledger.actions.tip import Author, Tip, event_of, raw_commit, tip_at
from ledger.core.clock import next_id, stamp
from ledger.core.event import Event
from ledger.core.fold import refuse_newer, version_of
from ledger.core.merge import Base, Merge, merge, merge_by_last
from ledger.core.state import Changes, Reader, State, name_of, unit_of, unit_paths
from ledger.errors import RefusedError
from ledger.storage.graph import Fork, fork
from ledger.storage.place import Place
from ledger.storage.store import Commit, EventStore, Oid
from ledger.storage.tree import TreeReader, encode

Read = Callable[[Oid], Reader]
TreeOf = Callable[[Oid], Oid]


class Merged(NamedTuple):
    """A merge of states, and how many events theirs brings."""

    merge: Merge
    brought: int


def join(place: Place, author: Author, ours: Tip, theirs: Tip, known: Merged | None = None) -> tuple[Tip, bytes | None]:
    """One tip that reaches both, with the raw bytes of the merge commit, or None where a fast-forward was enough.

    Scenarios: (1) theirs has nothing new: ours stands; (2) ours has nothing new: theirs stands;
    (3) both have: a commit of `sync.merged` with both as parents. No ref is moved. `known` is the merge of just
    these two, from a caller who has found it already.
    """
    store = place.store
    if known is None:
        apart = fork(store.commit, ours.oid, theirs.oid)
        if is_within(store, ours.oid, theirs.oid, apart):
            return theirs, None
        if is_within(store, theirs.oid, ours.oid, apart):
            return ours, None
        known = merge_states(store, ours, theirs, apart=apart)
    tree = merged_tree(store, ours.tree, theirs.tree, known.merge)
    now = place.now()
    refolded = list(known.merge.refolded[:1000])
    event = Event(
        id=str(next_id(now // 1000, max(ours.id, theirs.id), place.random62())),
        type="sync.merged",
        v=1,
        session=author.session,
        time=stamp(now),
        data={"ours": ours.oid, "theirs": theirs.oid, "events": known.brought, "refolded": refolded},
    )
    raw = raw_commit(place, author, event, (ours.oid, theirs.oid), tree)
    return tip_at(store, store.write_commit(raw)), raw


def is_within(store: EventStore, one: Oid, other: Oid, apart: Fork | None) -> bool:
    """Whether `other` reaches `one`, of two tips that lie `apart` as found by `fork`."""
    return one == apart.base if apart is not None else store.is_ancestor(one, other)


def merge_states(
    store: EventStore,
    ours: Tip,
    theirs: Tip,
    read: Read | None = None,
    tree_of: TreeOf | None = None,
    apart: Fork | None = None,
) -> Merged:
    """The merge of two tips' states, and how many events theirs brings.

    `read` gives the state of a tree and `tree_of` the tree of an older commit; as stored unless given. `apart` is
    what `fork` says of the two, if it was asked already.
    Raises RefusedError for histories without a common root, NewerFormatError for a fold not known here.
    """
    apart = apart or fork(store.commit, ours.oid, theirs.oid)
    if apart is None:
        return merge_whole(store, ours, theirs, read, tree_of)
    sides = _sides(store, ours, theirs, read, tree_of)
    brought = events_of(store.commit(oid) for oid in apart.theirs)
    base = sides.at(apart.base)
    merged, left = merge_by_last(sides.ours, brought, base, sides.version)
    if left:
        rest = _merge_units(store, ours, sides, apart, base, brought, left)
        merged = _both(merged, rest, frozenset(left))
    return Merged(merged, len(brought))


class _Sides(NamedTuple):
    """What is read of two tips: the state of ours, that of an older commit, and the highest version of the fold."""

    ours: Reader
    at: Read
    version: int


def _sides(store: EventStore, ours: Tip, theirs: Tip, read: Read | None, tree_of: TreeOf | None) -> _Sides:
    def stored(tree: Oid) -> Reader:
        return TreeReader(store, tree)

    state = read or stored
    mine, new = state(ours.tree), state(theirs.tree)
    for side in (mine, new):
        refuse_newer(side)
    version = max(version_of(mine)[0], version_of(new)[0])
    return _Sides(mine, lambda oid: state(tree_of(oid) if tree_of else store.commit(oid).tree), version)


def merge_whole(
    store: EventStore, ours: Tip, theirs: Tip, read: Read | None = None, tree_of: TreeOf | None = None
) -> Merged:
    """The same, of lines however entangled: from all events that only one side has, and every merge base."""
    sides = _sides(store, ours, theirs, read, tree_of)
    only_ours = events_of(store.walk([ours.oid], [theirs.oid], order="oldest"))
    only_theirs = events_of(store.walk([theirs.oid], [ours.oid], order="oldest"))
    bases = [
        Base(sides.at(oid), events_of(store.walk([ours.oid, theirs.oid], [oid], order="oldest")))
        for oid in store.merge_bases(ours.oid, theirs.oid)
    ]
    if not bases:
        raise RefusedError(
            "these two histories have no common root: they are different ledgers or different epochs",
            hint="`ledger log -n 1` in each shows where it begins",
        )

    def history() -> Sequence[Event]:
        return events_of(store.walk([ours.oid, theirs.oid], order="oldest"))

    merged = merge(sides.ours, only_ours, only_theirs, bases, history, epoch_state(store, ours.oid), sides.version)
    return Merged(merged, len(only_theirs))


def _merge_units(
    store: EventStore,
    ours: Tip,
    sides: _Sides,
    apart: Fork,
    base: Reader,
    brought: Sequence[Event],
    units: Sequence[str],
) -> Merge:
    """The merge as far as `units` go, with the events of ours that name one of them."""
    names = [name_of(unit).encode() for unit in units]

    def naming(commits: Iterable[Commit]) -> list[Event]:
        # To search a message takes a hundredth of what reading its event does.
        return events_of(commit for commit in commits if any(name in commit.message for name in names))

    def history() -> Sequence[Event]:
        return [*naming(store.walk([ours.oid], order="oldest")), *brought]

    only_ours = naming(store.walk([ours.oid], [apart.base], order="oldest"))
    bases = [Base(base, [*only_ours, *brought])]
    return merge(sides.ours, only_ours, brought, bases, history, epoch_state(store, ours.oid), sides.version)


def _both(found: Merge, rest: Merge, units: frozenset[str]) -> Merge:
    """One merge of two, of which the second counts for `units` only."""
    return Merge(
        take=tuple(sorted({*found.take, *units.intersection(rest.take)})),
        changes=found.changes | {path: d for path, d in rest.changes.items() if unit_of(path) in units},
        refolded=tuple(sorted({*found.refolded, *units.intersection(rest.refolded)})),
    )


def merge_changes(merged: Merge) -> tuple[Changes, list[str]]:
    """What a merge does to ours: documents to change, and the paths to take from theirs as they stand."""
    return merged.changes, [path for unit in merged.take for path in unit_paths(unit)]


def merged_tree(store: EventStore, ours: Oid, theirs: Oid, merged: Merge) -> Oid:
    """The tree of a merge: ours, with the units taken from theirs and the documents that were folded again."""
    changes, taken = merge_changes(merged)
    return store.edit_tree(ours, encode(changes), take=(theirs, taken) if taken else None)


def epoch_state(store: EventStore, oid: Oid) -> State:
    """The state that the fold of a whole history starts from: that of the epoch's root, empty in the first epoch."""
    reader = TreeReader(store, store.commit(oid).tree)
    if (reader.get("ledger.yaml") or {}).get("epoch", 1) == 1:
        return State()
    root = next(iter(store.walk([oid], order="oldest")))
    return State(dict(TreeReader(store, root.tree).under("")))


def events_of(commits: Iterable[Commit]) -> list[Event]:
    """The events that commits carry, in the same order; raises DamageError where one carries none."""
    return [event_of(commit) for commit in commits]
