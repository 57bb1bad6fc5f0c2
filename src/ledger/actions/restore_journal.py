"""Restore from the journal: after an unclean stop, bring back every event that was acknowledged.

An acknowledged event is in a journal, or its objects were synced before its journal was cut. The journal
holds raw commits; their trees follow from the law; and a ref is the join of what was to move it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ledger.actions.alone import LOCK_SECONDS, beside_beginners
from ledger.actions.epoch import finish_turning
from ledger.actions.join import join, merge_states, merged_tree
from ledger.actions.soundness import is_rewritten, mend_entrance
from ledger.actions.tip import Author, Tip, event_id, event_of, is_private, raw_commit, tip_at
from ledger.core import fold
from ledger.core.event import Event
from ledger.core.ids import EventId
from ledger.errors import DamageError, NotFoundError
from ledger.storage import journal, restore, turning
from ledger.storage.codec import decode_commit, is_oid
from ledger.storage.files import modified
from ledger.storage.git import GitStore
from ledger.storage.journal import Journal, JournalRecord
from ledger.storage.layout import MAIN, PRIVATE, Layout, is_ref_name, private_ref, session_of, session_ref
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine, scan_loose
from ledger.storage.place import Place
from ledger.storage.refs import bad_refs, left_locks
from ledger.storage.store import Commit, Oid
from ledger.storage.tree import TreeReader, encode

SETTLED_SECONDS = 3600.0  # what was written so long before the last write is on the disk: Linux waits for 30 s


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


def restore_journal(place: Place, is_due: Callable[[], bool] = lambda: True) -> Restored | None:
    """Bring back every acknowledged event, and leave nothing damaged in anybody's way; None where that is not due.

    Waits until nobody writes, then holds all writers off. Damaged files are moved to `quarantine/`, never
    deleted. Raises BusyError where a writer does not come to an end, StorageError where the disk refuses.
    """
    layout = place.layout
    if layout is None:
        return None
    with Lock(layout.recovery_lock).hold(LOCK_SECONDS):
        # Asked again: of many that open a ledger after an unclean stop one restores, and the others have waited for it.
        return _restore(place, layout) if is_due() else None


def _restore(place: Place, layout: Layout) -> Restored:
    started = time.perf_counter()
    done = Restored()
    if turning.is_left(layout):
        finish_turning(place)
    with beside_beginners(layout) as journals:
        done.rewritten = mend_entrance(layout)
        _set_damage_aside(layout, done)
        with _fresh_store(place) as store:
            _Restoration(place, store, done).run([journal.read(path).records for path in journals])
        journal.sync_file_system(layout.root)
        if done.lost:  # the journals are all that is left of these events
            done.quarantined += quarantine(filter(Path.exists, journals), layout.quarantine)
        _cut(journals)
        restore.note_boot(layout)
    done.seconds = time.perf_counter() - started
    return done


class _Restoration:
    """Commits and refs from the records of all journals, and from what is left of lines that lost a part."""

    def __init__(self, place: Place, store: GitStore, done: Restored) -> None:
        self._place, self._store, self._done = place, store, done
        self._settled = _last_write(place) - SETTLED_SECONDS
        self._known: dict[Oid, bool] = {}
        self._lines: dict[Oid, str] = {}

    def run(self, journals: Sequence[Sequence[JournalRecord]]) -> None:
        """Write the commits again, parents first, then set the refs."""
        records = [record for one in journals for record in one]
        self._lines = {oid: ref for one in journals for oid, ref in _lines(one).items()}
        decoded = [(record, decode_commit(record.oid, record.raw)) for record in restore.counting(records)]
        # An id is greater than all that its commit can reach, so this is parents first.
        decoded.sort(key=lambda pair: event_id(pair[1]))
        stranded = [record for record, commit in decoded if not self._bring_back(record, commit)]
        self._set_refs(decoded, stranded)

    def _bring_back(self, record: JournalRecord, commit: Commit) -> bool:
        # What it stands on may be gone: then `_carry` sees to the event.
        self._known[record.oid] = all(self._stands(parent) for parent in commit.parents) and self._is_whole(commit)
        if self._known[record.oid] and not self._is_stored(record.oid):
            self._store.write_commit(record.raw)
            self._done.commits += 1
        return self._known[record.oid]

    def _stands(self, oid: Oid) -> bool:
        """Whether a commit is there with all that it stands on; files that follow by the law are written again.

        Somebody with less durability may have written a part of it, so that any commit, and any file that it changed,
        may be gone while later ones are there.
        """
        todo = [oid]
        while todo:
            commit = self._doubtful(todo[-1])
            unknown = [] if commit is None else [parent for parent in commit.parents if parent not in self._known]
            if commit is not None and not unknown:
                self._known[commit.oid] = all(map(self._known.get, commit.parents)) and self._is_whole(commit)
            todo += unknown
            while todo and todo[-1] in self._known:
                todo.pop()
        return self._known[oid]

    def _doubtful(self, oid: Oid) -> Commit | None:
        """A commit that has to be looked into; None where it is known by now whether it stands."""
        if oid in self._known:
            return None
        file = self._store.file_of(oid)
        if file is None or (modified(file) or 0.0) < self._settled:
            self._known[oid] = file is not None
            return None
        return self._store.commit(oid)

    def _is_whole(self, commit: Commit) -> bool:
        """Whether all that a commit changed is there; what is not is written again where the law gives it."""
        try:
            before = self._store.commit(commit.parents[0]).tree if commit.parents else None
            for path in self._store.changed_paths(before, commit.tree):
                self._store.read_file(commit.tree, path)
        except (DamageError, NotFoundError):
            return self._follows(commit)
        return True

    def _follows(self, commit: Commit) -> bool:
        try:
            return self._tree(commit) == commit.tree
        except (DamageError, NotFoundError):
            return False

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
        standing = [pair for pair in decoded if self._known[pair[0].oid]]
        broken = self._broken(stranded)
        wanted = {MAIN: self._remembered()}
        for ref, one in broken.items():
            wanted[ref] = [*wanted.get(ref, ()), *one.joined]
        for ref in dict.fromkeys(ref for record, _ in standing for ref in record.refs):
            wanted[ref] = [*wanted.get(ref, ()), *_ends(standing, ref)]
        if self._is_rewritten():
            del wanted[MAIN]
        tips = {ref: tip for ref, oids in wanted.items() if (tip := self._join_all(ref, oids)) is not None}
        for record in _parents_first([record for one in broken.values() for record in one.above]):
            self._carry(record, tips)
        self._move_all(tips, broken)

    def _broken(self, stranded: Sequence[JournalRecord]) -> dict[str, _Broken]:
        """The lines that have lost a part, by ref, main first."""
        ends: dict[str, list[Oid]] = {MAIN: []}
        for record in stranded:
            ends.setdefault(self._line_of(record), []).append(record.oid)
        for ref in self._store.refs():
            if (ref == MAIN or session_of(ref) is not None) and (oid := self._hollow(ref)) is not None:
                ends.setdefault(ref, []).append(oid)
        raws = {record.oid: record.raw for record in stranded}
        return {ref: self._left_of(ref, oids, raws) for ref, oids in ends.items() if oids}

    def _hollow(self, ref: str) -> Oid | None:
        """Where a ref is, if something is missing below that."""
        now = self._store.ref(ref)
        return None if now is None or self._stands(now) else now

    def _left_of(self, ref: str, ends: Iterable[Oid], raws: Mapping[Oid, bytes]) -> _Broken:
        above: list[JournalRecord] = []
        joined, seen, todo = list[Oid](), set[Oid](), [*ends]
        while todo:
            oid = todo.pop()
            if oid in seen:
                continue
            seen.add(oid)
            if self._stands(oid):
                joined.append(oid)
            elif oid in raws or self._is_stored(oid):
                raw = raws.get(oid) or self._store.commit_raw(oid)
                above.append(JournalRecord(oid, raw, (ref,)))
                todo += decode_commit(oid, raw).parents
        return _Broken(tuple(above), tuple(joined))

    def _is_rewritten(self) -> bool:
        try:
            last = self._place.heads.last(MAIN) if self._place.heads is not None else None
            return is_rewritten(self._store, last)
        except NotFoundError:
            # A part of the line is gone; nobody has written another in its place.
            return False
        except DamageError:
            # Every object is whole by now: what cannot be read on the way was written so by somebody else.
            return True

    def _remembered(self) -> list[Oid]:
        """Where main was last seen with nothing missing below it, if that cannot be said of where it is now."""
        is_known = self._store.ref(MAIN) is not None and self._hollow(MAIN) is None
        if self._place.heads is None or is_known:
            return []
        return list(islice(filter(self._stands, reversed(self._place.heads.trail(MAIN))), 1))

    def _join_all(self, ref: str, oids: Iterable[Oid]) -> Tip | None:
        """One tip that reaches where the ref is now and everything that was to move it."""
        now = self._store.ref(ref)
        tip: Tip | None = None
        for oid in dict.fromkeys([*([now] if now is not None else []), *oids]):
            if self._stands(oid):
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
        (ref,) = record.refs
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

    def _line_of(self, record: JournalRecord) -> str:
        """The ref of the line that a record's commit was on."""
        session = event_of(decode_commit(record.oid, record.raw)).session
        private = private_ref(session)
        # What a private session wrote must not come back on a line that is shared.
        own = private if private in self._lines.values() or is_private(self._store, session) else session_ref(session)
        return self._lines.get(record.oid, own)

    def _ground(self, tip: Tip, event: Event) -> Tip | None:
        for commit in self._store.walk([tip.oid], order="newest"):
            if event_id(commit) < event.id:
                return tip_at(self._store, commit.oid)
        return None

    def _move_all(self, tips: dict[str, Tip], broken: dict[str, _Broken]) -> None:
        self._move(MAIN, tips.get(MAIN))
        for ref, tip in sorted(tips.items()):
            if self._hollow(ref) is not None or not (MAIN in tips and self._store.is_ancestor(tip.oid, tips[MAIN].oid)):
                self._move(ref, tip)
        for ref in sorted(broken.keys() - tips.keys() - {MAIN}):
            if not broken[ref].above:
                self._begin_anew(ref, tips.get(MAIN))

    def _begin_anew(self, ref: str, main: Tip | None) -> None:
        """Nothing is left of a line: it ends, or, where it makes its session private, begins again at main."""
        if ref.startswith(PRIVATE):
            self._move(ref, main)
        elif self._store.move_ref(ref, None, self._store.ref(ref)):
            self._done.refs.append(ref)

    def _move(self, ref: str, tip: Tip | None) -> None:
        now = self._store.ref(ref)
        if tip is not None and tip.oid != now and self._store.move_ref(ref, tip.oid, now):
            self._done.refs.append(ref)
            if ref == MAIN and self._place.heads is not None:
                self._place.heads.remember(ref, tip.oid)


class _Broken(NamedTuple):
    """A line that has lost a part: what is left of it above the gap, and the whole lines that this had joined."""

    above: tuple[JournalRecord, ...]
    joined: tuple[Oid, ...]


def _tree_after(place: Place, event: Event, before: Oid | None) -> Oid:
    reader = TreeReader(place.store, before if before is not None else place.store.edit_tree(None, {}))
    changes = fold.apply(reader, event, fold.version_of(reader)[0])
    return place.store.edit_tree(before, encode(changes))


def _last_write(place: Place) -> float:
    """When the ledger was last written, in seconds since 1970 by the clock of the file system."""
    layout = place.layout
    files = [] if layout is None else [layout.heads, *layout.journal.glob("*.journal")]
    return max((modified(path) or 0.0 for path in files), default=0.0)


@contextmanager
def _fresh_store(place: Place) -> Iterator[GitStore]:
    """Work on a store that remembers nothing from before the damage."""
    before = place.store
    place.store = fresh = GitStore(before.path if isinstance(before, GitStore) else Path())
    try:
        yield fresh
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


def _cut(journals: Iterable[Path]) -> None:
    for path in journals:
        with Journal(path) as emptied:
            emptied.cut()


def _lines(records: Sequence[JournalRecord]) -> dict[Oid, str]:
    """The ref that each record was to move, or the last of its batch."""
    found: dict[Oid, str] = {}
    ref = ""
    for record in reversed(records):
        ref = next(iter(record.refs), ref)
        if ref and record.raw:
            found[record.oid] = ref
    return found


def _parents_first(records: Sequence[JournalRecord]) -> list[JournalRecord]:
    """Each commit once, on the first line that has it (main, of those that lost a part), by the ids of their events."""
    each = {record.oid: record for record in reversed(records)}
    return sorted(each.values(), key=lambda record: event_id(decode_commit(record.oid, record.raw)))


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
