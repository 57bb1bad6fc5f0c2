"""Epoch: a new stretch of history, from a root that carries the state, and the change of every ref to it."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ledger.actions.alone import LOCK_SECONDS, alone
from ledger.actions.join import join
from ledger.actions.tip import Author, Tip, event_id, event_of, raw_commit, tip_at
from ledger.core import canonical, fold
from ledger.core.clock import id_beside, stamp
from ledger.core.event import Event
from ledger.core.events import message_of
from ledger.core.ids import EventId
from ledger.core.state import LEDGER
from ledger.errors import BusyError, DamageError, NotFoundError, UsageError
from ledger.storage import journal, turning
from ledger.storage.codec import encode_commit
from ledger.storage.files import refusals
from ledger.storage.git import GitStore
from ledger.storage.journal import Journal
from ledger.storage.layout import MAIN, PRIVATE, SESSIONS, Layout, session_of
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine
from ledger.storage.maintenance import drop_unreached
from ledger.storage.place import Place
from ledger.storage.refs import left_by_packing
from ledger.storage.store import Commit, EventStore, Oid
from ledger.storage.tree import TreeReader, encode
from ledger.storage.turning import Move, Plan

STARTED = "epoch.started"
SUPERSEDED_AT_MOST = 1_000  # ids of 43 bytes each; an event has room for 64 KiB

_MERGE = b"sync.merged"

Rewrite = Callable[[Event], Event]


def state_digest(files: Iterable[tuple[str, bytes]]) -> str:
    """The SHA-256, as 64 hex digits, of what `sha256sum` prints for the files of a state, sorted by path.

    So anyone can work it out from a checkout: `git ls-files | LC_ALL=C sort | xargs sha256sum | sha256sum`.
    """
    whole = hashlib.sha256()
    for path, data in sorted(files):
        whole.update(f"{hashlib.sha256(data).hexdigest()}  {path}\n".encode())
    return whole.hexdigest()


class Dated(NamedTuple):
    """An event where it is: its id and the commit that carries it; they sort in the order of the fold."""

    id: str
    oid: Oid


class Root(NamedTuple):
    """The root of the present epoch: its commit, its event's id and data, and the epoch's number."""

    oid: Oid
    id: EventId
    data: dict[str, Any]
    number: int

    @property
    def superseded(self) -> tuple[Oid, ...]:
        """Commits of earlier epochs that it takes the place of, the last main first."""
        return tuple(self.data.get("superseded", ()))

    def head_of(self, epoch: int) -> Oid:
        """Where main was when an earlier epoch ended; "" where that is not known."""
        return next((one["head"] for one in self.data.get("heads", ()) if one["epoch"] == epoch), "")

    @property
    def forgotten(self) -> frozenset[str]:
        """The ids of the events whose content was forgotten."""
        return frozenset(self.data.get("forgotten", ()))


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new epoch begins with: the tree of its root, but for the epoch's number; what it says of itself.

    `told` are fields of `epoch.started`; `kept` the events that are committed again on the root; `base` is the last
    commit that is not.
    """

    tree: Oid
    kept: Sequence[Dated]
    told: dict[str, Any]
    base: Oid


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A line of commits on a new root, oldest first; the root is the first."""

    line: tuple[Dated, ...]
    tip: Tip

    def ground(self, store: EventStore, event: str) -> Tip:
        """The newest commit whose event comes before `event`: what it may be committed on."""
        at = bisect_left(self.line, (event,))
        return tip_at(store, self.line[max(0, at - 1)].oid)


def root_of(store: EventStore, tip: Oid) -> Root:
    """The root of the epoch that a commit belongs to; raises DamageError where its history has no single one."""
    number = epoch_of(store, tip)
    for commit in store.walk([tip], order="newest"):
        if not commit.parents:
            event = event_of(commit)
            return Root(commit.oid, EventId(event.id), event.data if event.type == STARTED else {}, number)
    raise DamageError(f"the history of {tip} has no root", hint="run: ledger verify --full")


def epoch_of(store: EventStore, tip: Oid) -> int:
    """The number of the epoch that a commit belongs to."""
    document = TreeReader(store, store.commit(tip).tree).get(LEDGER) or {}
    return int(document.get("epoch", 1))


def takes_place_of(store: EventStore, tip: Oid, old: Oid) -> bool:
    """Whether the epoch of `tip` is a later one that names `old`, or a commit that comes after it."""
    root = root_of(store, tip)
    if old in root.superseded:
        return not store.find(old) or epoch_of(store, old) < root.number
    named = (oid for oid in root.superseded if store.find(oid))
    return bool(store.find(old)) and any(store.is_ancestor(old, oid) for oid in named)


def dated(store: EventStore, include: Iterable[Oid], exclude: Iterable[Oid] = ()) -> list[Dated]:
    """Every event that `include` reach and `exclude` do not, each once, in the order of the fold; no merges."""
    commits = store.walk(list(include), list(exclude))
    found = {str(event_id(one)): one.oid for one in commits if not one.message.startswith(_MERGE)}
    return [Dated(*each) for each in sorted(found.items())]


def rebuild(place: Place, tip: Tip, events: Iterable[Dated], rewrite: Rewrite | None = None) -> Rebuilt:
    """Commit events again on a tip, in the order of the fold: ids, authors and times stay, trees follow by the law."""
    line = [Dated(str(tip.id), tip.oid)]
    for event in events:
        tip = _recommitted(place, tip, place.store.commit(event.oid), rewrite)
        line.append(Dated(event.id, tip.oid))
    return Rebuilt(tuple(line), tip)


def start_epoch(
    place: Place,
    author: Author,
    begin: Callable[[Root], Beginning],
    rewrite: Rewrite | None = None,
    payloads: Callable[[], Iterable[Move]] = tuple,
) -> Root:
    """Put every line on a new root; what `begin` keeps is committed again, and what nothing reaches then is gone.

    `begin` is called with the present root while nobody else writes; `rewrite` gives an event its new body; `payloads`
    the refs of attachments that move. A kill leaves the old epoch or the new one, and the next opening finishes it.
    Raises BusyError where a writer does not come to an end, and what `begin` raises, with nothing changed.
    """
    layout = _layout_of(place)
    with Lock(layout.epoch_lock).hold(LOCK_SECONDS), alone(layout):
        _refuse_second(layout)
        main = _head(place.store)
        present = root_of(place.store, main)
        with place.store.bulk():
            beginning = begin(present)
            root = _write_root(place, author, present, beginning)
            rebuilt = rebuild(place, root, beginning.kept, rewrite)
            moves = [
                Move(MAIN, main, rebuilt.tip.oid),
                *carried_lines(place, author, main, rebuilt, rewrite),
                *other_refs(place.store),
            ]
        carry_through(place, layout, Plan(tuple(moves), tuple(payloads())))
        return root_of(place.store, rebuilt.tip.oid)


def carry_through(place: Place, layout: Layout, plan: Plan) -> None:
    """Decide a plan whose objects are written, and carry it out; the caller is alone."""
    journal.sync_file_system(layout.root)
    turning.decide(layout, plan)
    _carry_out(place, layout, plan)


def finish_turning(place: Place) -> None:
    """Carry out what somebody decided and was killed at; what was not decided is taken back.

    Waits for who is at work. Raises BusyError where that takes longer than 30 s.
    """
    layout = _layout_of(place)
    with Lock(layout.epoch_lock).hold(LOCK_SECONDS):
        if not turning.is_turning(layout):
            return
        with alone(layout):
            plan = turning.plan_of(layout)
            if plan is not None:
                _carry_out(place, layout, plan)


def carried_lines(
    place: Place, author: Author, main: Oid, rebuilt: Rebuilt, rewrite: Rewrite | None = None
) -> Iterator[Move]:
    """Where the line of each session goes: what it has that `main` has not is committed again beside the new main.

    A line with nothing of its own ends; that of a private session goes on at the new main.
    """
    store = place.store
    new = {event.id for event in rebuilt.line}
    for ref, old in {**store.refs(SESSIONS), **store.refs(PRIVATE)}.items():
        own = [event for event in dated(store, [old], [main]) if event.id not in new]
        tip = rebuild(place, rebuilt.ground(store, own[0].id), own, rewrite).tip if own else None
        if ref.startswith(PRIVATE):
            session = session_of(ref) or author.session
            tip = rebuilt.tip if tip is None else join(place, Author(session, author.agent), tip, rebuilt.tip)[0]
        yield Move(ref, old, None if tip is None else tip.oid)


def other_refs(store: EventStore) -> Iterator[Move]:
    """Refs that are no ledger's own, such as those of a fetch: they would hold on to the old epoch."""
    for ref, oid in store.refs("refs/").items():
        if ref != MAIN and not ref.startswith((SESSIONS, PRIVATE)):
            yield Move(ref, oid, None)


def _write_root(place: Place, author: Author, before: Root, beginning: Beginning) -> Tip:
    tree = _numbered(place.store, beginning.tree, before.number + 1, str(beginning.told.get("through", "")))
    event = Event(
        id=str(id_beside(before.id, place.random62())),
        type=STARTED,
        v=1,
        session=author.session,
        time=stamp(place.now()),
        data={
            "epoch": before.number + 1,
            "digest": state_digest(place.store.files(tree)),
            "superseded": _superseded(place.store, before, beginning.base),
            "heads": [*before.data.get("heads", ()), {"epoch": before.number, "head": _head(place.store)}],
            **beginning.told,
        },
    )
    oid = place.store.write_commit(raw_commit(place, author, event, (), tree))
    return Tip(oid, tree, EventId(event.id))


def _superseded(store: EventStore, before: Root, base: Oid) -> list[Oid]:
    """Main's head, the other heads, the cut, the root that every clone has, and what that had superseded itself."""
    lines = (oid for ref, oid in store.refs("refs/heads/").items() if not ref.startswith(PRIVATE))
    return list(dict.fromkeys([_head(store), *lines, base, before.oid, *before.superseded]))[:SUPERSEDED_AT_MOST]


def _numbered(store: EventStore, tree: Oid, number: int, through: str) -> Oid:
    document = TreeReader(store, tree).get(LEDGER) or {}
    # Whoever writes next comes after all that was cut, whatever the clock says: the state is known by those ids.
    changed = {"epoch": number, "last": max(str(document["last"]), through)}
    return store.edit_tree(tree, {LEDGER: canonical.dumps(document | changed).encode()})


def _recommitted(place: Place, tip: Tip, old: Commit, rewrite: Rewrite | None) -> Tip:
    known = event_of(old)
    event = known if rewrite is None else rewrite(known)
    reader = place.reader(tip.tree)
    changes = fold.apply(reader, event, fold.version_of(reader)[0])
    tree = place.store.edit_tree(tip.tree, encode(changes)) if changes else tip.tree
    message = old.message if event is known else message_of(event)
    raw = encode_commit(tree, (tip.oid,), old.author, old.committer, message)
    oid = place.store.write_commit(place.signed(raw))
    if changes:
        place.keep(reader.after(changes, tree))
    return Tip(oid, tree, EventId(event.id))


def _carry_out(place: Place, layout: Layout, plan: Plan) -> None:
    """Move the refs, let go of what the old epoch left behind, and let everybody write again; it may be done twice."""
    payloads = GitStore(layout.payloads_dir) if place.payloads is None else place.payloads.store
    for store, moves in ((place.store, plan.events), (payloads, plan.payloads)):
        for move in moves:
            _move(store, move)
    _remember_heads(place, plan)
    _cut_journals(place, layout)
    with refusals(layout.index):
        for path in (layout.reached, layout.index / "verified"):
            path.unlink(missing_ok=True)
    for git_dir in layout.repositories if plan.payloads else (layout.git_dir,):
        quarantine(left_by_packing(git_dir), layout.quarantine)
        drop_unreached(git_dir)
    place.store.close()  # what it remembers is from before
    turning.end(layout)


def _move(store: EventStore, move: Move) -> None:
    if store.ref(move.ref) != move.new and not store.move_ref(move.ref, move.new, move.old):
        raise BusyError(
            f"{move.ref} was moved by a program that takes no locks, while a new epoch began",
            hint="put it back with git update-ref, to where the file `turning` of the ledger says that it was",
        )


def _remember_heads(place: Place, plan: Plan) -> None:
    if place.heads is None:
        return
    known = place.heads.all()
    for move in plan.events:
        if move.ref == MAIN and move.new is not None:
            place.heads.remember(MAIN, move.new)
        elif move.ref in known:
            place.heads.forget(move.ref)


def _cut_journals(place: Place, layout: Layout) -> None:
    """Their records are of the old epoch: a restoration would bring it back."""
    journal.sync_file_system(layout.root)
    for mine in place.journals.values():
        mine.close()
    place.journals.clear()
    with refusals(layout.journal):
        for path in sorted(layout.journal.glob("*.journal")):
            with Journal(path) as log:
                log.cut()
            path.unlink(missing_ok=True)


def _refuse_second(layout: Layout) -> None:
    if turning.plan_of(layout) is not None:
        raise BusyError("another epoch was begun and not brought to its end", hint="try again: it is finished first")


def _head(store: EventStore) -> Oid:
    head = store.ref(MAIN)
    if head is None:
        raise NotFoundError("this ledger has no first event", hint="`ledger init` completes it")
    return head


def _layout_of(place: Place) -> Layout:
    if place.layout is None:
        raise UsageError("a ledger in memory has one epoch alone")
    return place.layout
