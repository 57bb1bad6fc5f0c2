"""Join: make two lines of history one, by a commit whose tree is the fold of their union."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ledger.actions.tip import Author, Tip, event_of, raw_commit, tip_at
from ledger.core.clock import next_id, stamp
from ledger.core.event import Event
from ledger.core.fold import refuse_newer, version_of
from ledger.core.merge import Base, Merge, merge
from ledger.core.state import Changes, Reader, State, unit_paths
from ledger.errors import RefusedError
from ledger.storage.place import Place
from ledger.storage.store import Commit, EventStore, Oid
from ledger.storage.tree import TreeReader, encode

Read = Callable[[Oid], Reader]
TreeOf = Callable[[Oid], Oid]


def join(place: Place, author: Author, ours: Tip, theirs: Tip) -> tuple[Tip, bytes | None]:
    """One tip that reaches both, with the raw bytes of the merge commit, or None where a fast-forward was enough.

    Scenarios: (1) theirs has nothing new: ours stands; (2) ours has nothing new: theirs stands;
    (3) both have: a commit of `sync.merged` with both as parents. No ref is moved.
    """
    store = place.store
    if store.is_ancestor(ours.oid, theirs.oid):
        return theirs, None
    if store.is_ancestor(theirs.oid, ours.oid):
        return ours, None
    merged, count = merge_states(store, ours, theirs)
    tree = merged_tree(store, ours.tree, theirs.tree, merged)
    now = place.now()
    event = Event(
        id=str(next_id(now // 1000, max(ours.id, theirs.id), place.random62())),
        type="sync.merged",
        v=1,
        session=author.session,
        time=stamp(now),
        data={"ours": ours.oid, "theirs": theirs.oid, "events": count, "refolded": list(merged.refolded[:1000])},
    )
    raw = raw_commit(place, author, event, (ours.oid, theirs.oid), tree)
    return tip_at(store, store.write_commit(raw)), raw


def merge_states(
    store: EventStore, ours: Tip, theirs: Tip, read: Read | None = None, tree_of: TreeOf | None = None
) -> tuple[Merge, int]:
    """The merge of two tips' states, and how many events theirs brings.

    `read` gives the state of a tree and `tree_of` the tree of an older commit; as stored unless given.
    Raises RefusedError for histories without a common root, NewerFormatError for a fold not known here.
    """
    read = read or (lambda tree: TreeReader(store, tree))
    tree_of = tree_of or (lambda oid: store.commit(oid).tree)
    mine, new = read(ours.tree), read(theirs.tree)
    for side in (mine, new):
        refuse_newer(side)
    only_ours = events_of(store.walk([ours.oid], [theirs.oid], order="oldest"))
    only_theirs = events_of(store.walk([theirs.oid], [ours.oid], order="oldest"))
    bases = [
        Base(read(tree_of(oid)), events_of(store.walk([ours.oid, theirs.oid], [oid], order="oldest")))
        for oid in store.merge_bases(ours.oid, theirs.oid)
    ]
    if not bases:
        raise RefusedError(
            "these two histories have no common root: they are different ledgers or different epochs",
            hint="`ledger log -n 1` in each shows where it begins",
        )

    def history() -> Sequence[Event]:
        return events_of(store.walk([ours.oid, theirs.oid], order="oldest"))

    version = max(version_of(mine)[0], version_of(new)[0])
    merged = merge(mine, only_ours, only_theirs, bases, history, epoch_state(store, ours.oid), version)
    return merged, len(only_theirs)


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
