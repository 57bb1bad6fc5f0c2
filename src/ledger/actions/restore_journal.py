"""Restore from the journal: after an unclean stop, bring back every event that was acknowledged.

An acknowledged event is in a journal, or its objects were synced before its journal was cut. The journal
holds raw commits; their trees follow from the law; and a ref is the join of what was to move it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ledger.actions.join import join, merge_states, merged_tree
from ledger.actions.soundness import is_rewritten, mend_entrance
from ledger.actions.tip import Author, Tip, event_id, event_of, is_private, raw_commit, tip_at
from ledger.core import fold
from ledger.core.event import Event
from ledger.core.ids import EventId
from ledger.errors import DamageError, LedgerError, NotFoundError
from ledger.storage import journal, restore
from ledger.storage.codec import decode_commit, is_oid
from ledger.storage.git import GitStore
from ledger.storage.journal import Journal, JournalRecord
from ledger.storage.layout import MAIN, Layout, is_ref_name, private_ref, session_ref
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine, scan_loose
from ledger.storage.place import Place
from ledger.storage.queue import Queue
from ledger.storage.refs import bad_refs, left_locks
from ledger.storage.store import Commit, Oid
from ledger.storage.tree import TreeReader, encode

LOCK_SECONDS = 30.0


@dataclass(slots=True)
class Restored:
    """What was put right: `commits` written again, `refs` set, files `rewritten`, damaged files moved to quarantine.

    `lost` names the events in a journal that could not be brought back, each with its reason; acknowledged
    events are never among them unless the journal's own ground was destroyed as well.
    """

    commits: int = 0
    recommitted: int = 0
    refs: list[str] = field(default_factory=list)
    rewritten: list[Path] = field(default_factory=list)
    quarantined: list[Path] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether anything had to be put right."""
        return bool(self.commits or self.recommitted or self.refs or self.rewritten or self.quarantined or self.lost)


def restore_journal(place: Place) -> Restored:
    """Bring back every acknowledged event, and leave nothing damaged in anybody's way.

    Waits until nobody writes, then holds all writers off. Damaged files are moved to `quarantine/`, never
    deleted. Raises BusyError where a writer does not come to an end, StorageError where the disk refuses.
    """
    layout = place.layout
    if layout is None:
        return Restored()
    started = time.perf_counter()
    done = Restored()
    with _alone(layout):
        done.rewritten = mend_entrance(layout)
        _set_damage_aside(layout, done)
        with _fresh_store(place):
            _Restoration(place, done).run(_records(layout))
        journal.sync_file_system(layout.root)
        _cut(layout)
        restore.note_boot(layout)
    done.seconds = time.perf_counter() - started
    return done


class _Restoration:
    """Commits and refs from the records of all journals."""

    def __init__(self, place: Place, done: Restored) -> None:
        self._place, self._store, self._done = place, place.store, done

    def run(self, records: Sequence[JournalRecord]) -> None:
        """Write the commits again, parents first, then set the refs."""
        decoded = [(record, decode_commit(record.oid, record.raw)) for record in records]
        # An id is greater than all that its commit can reach, so this is parents first.
        decoded.sort(key=lambda pair: event_id(pair[1]))
        stranded = [record for record, commit in decoded if not self._bring_back(record, commit)]
        self._set_refs(decoded, stranded)

    def _bring_back(self, record: JournalRecord, commit: Commit) -> bool:
        try:
            tree = self._tree(commit)
        except LedgerError:
            # What it stands on is gone, or is no longer what it was: `_carry` sees to the event.
            return False
        if tree != commit.tree:
            return False
        if not self._is_stored(record.oid):
            self._store.write_commit(record.raw)
            self._done.commits += 1
        return True

    def _tree(self, commit: Commit) -> Oid:
        """Write what the commit changed; its id shows whether that is what had been written."""
        event = event_of(commit)
        parents = [tip_at(self._store, oid) for oid in commit.parents]
        if len(parents) == 2:
            ours, theirs = parents
            merged, _ = merge_states(self._store, ours, theirs)
            return merged_tree(self._store, ours.tree, theirs.tree, merged)
        if not parents and event.type == "epoch.started":
            return self._store.commit(commit.oid).tree
        return _tree_after(self._place, event, parents[0].tree if parents else None)

    def _is_stored(self, oid: Oid) -> bool:
        try:
            self._store.commit_raw(oid)
        except NotFoundError:
            return False
        return True

    def _set_refs(self, decoded: Sequence[tuple[JournalRecord, Commit]], stranded: Sequence[JournalRecord]) -> None:
        gone = {record.oid for record in stranded}
        wanted = {MAIN: self._remembered()}
        for ref in dict.fromkeys(ref for record, _ in decoded for ref in record.refs):
            wanted[ref] = [*wanted.get(ref, ()), *_ends(decoded, ref)]
        if self._is_rewritten():
            del wanted[MAIN]
        tips = {ref: tip for ref, oids in wanted.items() if (tip := self._join_all(ref, oids, gone)) is not None}
        for record in stranded:
            self._carry(record, tips)
        self._move(MAIN, tips.get(MAIN))
        for ref, tip in sorted(tips.items()):
            if ref != MAIN and not (MAIN in tips and self._store.is_ancestor(tip.oid, tips[MAIN].oid)):
                self._move(ref, tip)

    def _is_rewritten(self) -> bool:
        try:
            last = self._place.heads.last(MAIN) if self._place.heads is not None else None
            return is_rewritten(self._store, last)
        except DamageError:
            # Every object is whole by now: what cannot be read on the way was written so by somebody else.
            return True

    def _remembered(self) -> list[Oid]:
        last = self._place.heads.last(MAIN) if self._place.heads is not None else None
        return [last] if last is not None and self._place.store.ref(MAIN) is None and self._is_stored(last) else []

    def _join_all(self, ref: str, oids: Iterable[Oid], gone: set[Oid]) -> Tip | None:
        """One tip that reaches where the ref is now and everything that was to move it."""
        now = self._store.ref(ref)
        tip: Tip | None = None
        for oid in dict.fromkeys([*([now] if now is not None else []), *oids]):
            if oid not in gone and self._is_stored(oid):
                tip = self._joined(tip, tip_at(self._store, oid))
        return tip

    def _joined(self, tip: Tip | None, other: Tip) -> Tip:
        if tip is None:
            return other
        commit = self._store.commit(other.oid)
        return join(self._place, Author(commit.author.email, commit.author.name), tip, other)[0]

    def _carry(self, record: JournalRecord, tips: dict[str, Tip]) -> None:
        """Give an event whose commit stands on lost ground a commit on what is there.

        The ground was written by somebody with less durability than the event on it. Its id, body and author
        stay; merges are left out, as the join that follows does their work.
        """
        commit = decode_commit(record.oid, record.raw)
        event = event_of(commit)
        if event.type == "sync.merged":
            return
        ref = record.refs[0] if record.refs else self._own_ref(event.session, tips)
        tip = tips.get(ref) or tips.get(MAIN)
        base = None if tip is None else self._ground(tip, event)
        if tip is None or base is None:
            self._done.lost.append(f"event {event.id} of commit {record.oid}: there is no history to put it on")
            return
        author = Author(commit.author.email, commit.author.name)
        tree = _tree_after(self._place, event, base.tree)
        oid = self._store.write_commit(raw_commit(self._place, author, event, (base.oid,), tree))
        self._done.recommitted += 1
        tips[ref] = self._joined(tip, Tip(oid, tree, EventId(event.id)))

    def _own_ref(self, session: str, tips: dict[str, Tip]) -> str:
        # What a private session wrote must not come back on a line that is shared.
        private = private_ref(session)
        return private if private in tips or is_private(self._store, session) else session_ref(session)

    def _ground(self, tip: Tip, event: Event) -> Tip | None:
        for commit in self._store.walk([tip.oid], order="newest"):
            if event_id(commit) < event.id:
                return tip_at(self._store, commit.oid)
        return None

    def _move(self, ref: str, tip: Tip | None) -> None:
        now = self._store.ref(ref)
        if tip is not None and tip.oid != now and self._store.move_ref(ref, tip.oid, now):
            self._done.refs.append(ref)
            if ref == MAIN and self._place.heads is not None:
                self._place.heads.remember(ref, tip.oid)


def _tree_after(place: Place, event: Event, before: Oid | None) -> Oid:
    reader = TreeReader(place.store, before if before is not None else place.store.edit_tree(None, {}))
    changes = fold.apply(reader, event, fold.version_of(reader)[0])
    return place.store.edit_tree(before, encode(changes))


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold every writer off. A writer holds one session's lock and then the queue's; this is the same order."""
    with ExitStack() as stack:
        stack.enter_context(Lock(layout.recovery_lock).hold(LOCK_SECONDS))
        for path in sorted(layout.journal.glob("*.journal")):
            stack.enter_context(Lock(layout.session_lock(path.stem)).hold(LOCK_SECONDS))
        stack.enter_context(Queue(layout.queue_lock).hold(LOCK_SECONDS))
        yield


@contextmanager
def _fresh_store(place: Place) -> Iterator[None]:
    """Work on a store that remembers nothing from before the damage."""
    before = place.store
    place.store = GitStore(before.path if isinstance(before, GitStore) else Path())
    try:
        yield
    finally:
        place.store.close()
        place.store = before


def _set_damage_aside(layout: Layout, done: Restored) -> None:
    # After a restart nobody holds git's lock files any more; else those of the last minute may be in use.
    age = 0.0 if restore.has_rebooted(layout) else 60.0
    for git_dir in layout.repositories:
        # Object files first: libgit2, and an object written again, must meet none that is cut short.
        damaged = [*scan_loose(git_dir), *left_locks(git_dir, older_than=age)]
        done.quarantined += quarantine(damaged, layout.quarantine)
        for bad in bad_refs(git_dir):
            done.quarantined += (aside := quarantine([bad.path], layout.quarantine))
            if bad.path.name == "packed-refs":
                _keep_readable(git_dir, aside[0], done)


def _keep_readable(git_dir: Path, packed: Path, done: Restored) -> None:
    store = GitStore(git_dir)
    for name, oid in _packed_lines(packed):
        if store.has(oid) and store.move_ref(name, oid, None):
            done.refs.append(name)
    store.close()


def _records(layout: Layout) -> list[JournalRecord]:
    readings = journal.read_all(layout.journal).values()
    return restore.counting(record for reading in readings for record in reading.records)


def _cut(layout: Layout) -> None:
    for path in layout.journal.glob("*.journal"):
        with Journal(path) as emptied:
            emptied.cut()


def _ends(decoded: Sequence[tuple[JournalRecord, Commit]], ref: str) -> list[Oid]:
    """The commits that a ref moved to and that no later move of it stands on, as far as the records tell."""
    commits = {record.oid: commit for record, commit in decoded}
    moves = [record.oid for record, _ in decoded if ref in record.refs]
    todo, below = list(moves), set[Oid]()
    while todo:
        commit = commits.get(todo.pop())
        new = [oid for oid in commit.parents if oid not in below] if commit is not None else []
        below.update(new)
        todo += new
    return [oid for oid in dict.fromkeys(moves) if oid not in below]


def _packed_lines(path: Path) -> Iterator[tuple[str, Oid]]:
    """What can still be read of a damaged file of packed refs."""
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        oid, _, name = line.partition(" ")
        if is_oid(oid) and is_ref_name(name):
            yield name, oid
