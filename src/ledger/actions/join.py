"""Join: make two lines of history one, by a commit whose tree is the fold of their union."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.actions.tip import Author, Tip, event_of, raw_commit, tip_at
from ledger.core.clock import next_id, stamp
from ledger.core.event import Event
from ledger.core.fold import refuse_newer, version_of
from ledger.core.merge import Base, Merge, merge
from ledger.core.state import State, unit_paths
from ledger.errors import RefusedError
from ledger.storage.place import Place
from ledger.storage.store import Commit, EventStore, Oid
from ledger.storage.tree import TreeReader, encode


def join(place: Place, author: Author, ours: Tip, theirs: Tip) -> tuple[Tip, bytes | None]:
    """One tip that reaches both, with the raw bytes of the merge commit, or None where a fast-forward was enough.

    Scenarios: (1) theirs has nothing new: ours stands; (2) ours has nothing new: theirs stands;
    (3) both have: a commit of `sync.merged` with both as parents. No ref is moved.
    """
    store = place.store
    if store.is_ancestor(theirs.oid, ours.oid):
        return ours, None
    if store.is_ancestor(ours.oid, theirs.oid):
        return theirs, None
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


def merge_states(store: EventStore, ours: Tip, theirs: Tip) -> tuple[Merge, int]:
    """The merge of two tips' states, and how many events theirs brings."""
    mine, new = TreeReader(store, ours.tree), TreeReader(store, theirs.tree)
    for side in (mine, new):
        refuse_newer(side)
    only_ours = _events(store.walk([ours.oid], [theirs.oid], order="oldest"))
    only_theirs = _events(store.walk([theirs.oid], [ours.oid], order="oldest"))
    bases = [_base(store, oid, ours.oid, theirs.oid) for oid in store.merge_bases(ours.oid, theirs.oid)]
    if not bases:
        raise RefusedError(
            "these two histories have no common root: they are different ledgers or different epochs",
            hint="`ledger log -n 1` in each shows where it begins",
        )

    def history() -> Sequence[Event]:
        return _events(store.walk([ours.oid, theirs.oid], order="oldest"))

    version = max(version_of(mine)[0], version_of(new)[0])
    start = epoch_state(store, ours.oid)
    return merge(mine, only_ours, only_theirs, bases, history, start, version), len(only_theirs)


def merged_tree(store: EventStore, ours: Oid, theirs: Oid, merged: Merge) -> Oid:
    """The tree of a merge: ours, with the units taken from theirs and the documents that were folded again."""
    taken = [path for unit in merged.take for path in unit_paths(unit)]
    return store.edit_tree(ours, encode(merged.changes), take=(theirs, taken) if taken else None)


def epoch_state(store: EventStore, oid: Oid) -> State:
    """The state that the fold of a whole history starts from: that of the epoch's root, empty in the first epoch."""
    reader = TreeReader(store, store.commit(oid).tree)
    if (reader.get("ledger.yaml") or {}).get("epoch", 1) == 1:
        return State()
    root = next(iter(store.walk([oid], order="oldest")))
    return State(dict(TreeReader(store, root.tree).under("")))


def _base(store: EventStore, base: Oid, ours: Oid, theirs: Oid) -> Base:
    since = _events(store.walk([ours, theirs], [base], order="oldest"))
    return Base(TreeReader(store, store.commit(base).tree), since)


def _events(commits: Iterable[Commit]) -> list[Event]:
    return [event_of(commit) for commit in commits]


