"""Append: turn drafts into events, and events into the commits at the end of a branch."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from ledger.actions.join import join
from ledger.actions.judge import judge, refuse, refuse_values
from ledger.actions.prepare import Prepared, prepare
from ledger.actions.tip import Author, Tip, is_private, newest_id, raw_commit, tip_at
from ledger.core import fold, schema
from ledger.core.clock import next_id, refuse_jump, stamp
from ledger.core.entry import siblings
from ledger.core.event import Event, Prev
from ledger.core.events import find_kind, message_of
from ledger.core.ids import EventId
from ledger.core.state import Changes, Reader, State, conflicts_path, context_path, session_path
from ledger.errors import BusyError, LedgerError, NotALedgerError, RefusedError, StorageError
from ledger.storage.codec import object_id
from ledger.storage.journal import JournalRecord
from ledger.storage.layout import MAIN, PRIVATE, private_ref, session_ref
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine
from ledger.storage.place import Place
from ledger.storage.pressure import require_room
from ledger.storage.queue import Queue
from ledger.storage.refs import left_locks
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, SYNC, is_off, require_on
from ledger.storage.tree import TreeReader, encode
from ledger.storage.turning import is_turning

MAX_ATTEMPTS = 64
LOCK_SECONDS = 30.0
HURRY_SECONDS = 3.0
LEFT_SECONDS = 0.9  # a writer waits 1 s for a ref's lock before it asks whether a killed one left it
UNQUEUED_LEFT_SECONDS = 60.0
PREPARED_AT_MOST = 3
BULK = 64  # from here on objects are collected and written at once


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has an id.

    `prev` as the writer gives it; with `sees_tip` it is instead what stands at the tip when it is written.
    `is_redacted` says that its secrets are gone already, as where a batch was searched at once.
    """

    type: str
    data: dict[str, Any]
    time: str | None = None
    origin: dict[str, Any] | None = None
    prev: Prev = None
    sees_tip: bool = True
    v: int = 1
    is_redacted: bool = False


# A write that depends on what stands there: called with the state it is appended to, again at each attempt;
# None where nothing is left to be written.
Writer = Callable[[Reader], Draft | None]


@dataclass(frozen=True, slots=True)
class Appended:
    """What was acknowledged: the events, their commits, and how often another writer was faster."""

    events: tuple[Event, ...] = ()
    commits: tuple[Oid, ...] = ()
    retries: int = 0


def append_shared(place: Place, author: Author, writers: Sequence[Writer | Draft]) -> Appended:
    """Append to main, under the queue lock; what the session had of its own comes along.

    What a private session writes, or any while sync is off, stays on its own line instead. Raises InvalidError
    with every problem of a draft (nothing is written), RefusedError where writing is turned off, BusyError,
    StorageError.
    """
    apart = stays_apart(place, author)
    with _taking_turns(place, author, shared=not apart) as prepared:
        # Looked at again: a turn may take long to come, and who turns sync off wants main to stand still at once.
        apart = apart or stays_apart(place, author)
        return _append(place, author, writers, _own_ref(place, author) if apart else MAIN, prepared=prepared)


def append_private(place: Place, author: Author, writers: Sequence[Writer | Draft]) -> Appended:
    """Append to the session's own branch, without contention; `publish` or the next shared write brings it to main."""
    with _taking_turns(place, author, shared=False):
        return _append(place, author, writers, _own_ref(place, author))


def publish(place: Place, author: Author) -> Oid | None:
    """Bring what the session has of its own to main; returns main's new tip, or None if there was nothing.

    A private session has nothing for main, and nobody has while sync is off.
    """
    if stays_apart(place, author):
        require_on(place.layout, ALL)
        return None
    with _taking_turns(place, author, shared=True) as prepared:
        if stays_apart(place, author) or place.store.ref(session_ref(author.session)) is None:
            return None
        _append(place, author, (), MAIN, prepared=prepared)
        return place.store.ref(MAIN)


def stays_apart(place: Place, author: Author) -> bool:
    """Whether what this session shares stays on its own line: it is private, or sync is off."""
    return author.wants_privacy or is_off(place.layout, SYNC) or is_private(place.store, author.session)


def create_root(place: Place, author: Author, draft: Draft) -> Appended:
    """Append the first event of a ledger; does nothing if main exists already."""
    with _taking_turns(place, author, shared=True):
        if place.store.ref(MAIN) is not None:
            return Appended()
        return _append(place, author, [draft], MAIN, founding=True)


def mint(place: Place, author: Author, draft: Draft, after: EventId | None, reader: Reader) -> Event:
    """The event of a draft: redacted, with id, time and `prev`."""
    kind = find_kind(draft.type)
    changes_state = kind is not None and kind.changes_state
    if not draft.is_redacted:
        (draft,) = _redacted(place, [draft])
    data = draft.data
    prev = seen_at(reader, author.session, data) if changes_state and draft.sees_tip else draft.prev
    now = place.now()
    if not place.accepts_clock:
        refuse_jump(now // 1000, after)
    return Event(
        id=str(next_id(now // 1000, after, place.random62())),
        type=draft.type,
        v=draft.v,
        session=str(author.session),
        time=draft.time or stamp(now),
        data=data,
        prev=prev,
        changes_state=changes_state,
        origin=draft.origin,
    )


def seen_at(reader: Reader, session: str, data: dict[str, Any]) -> Prev:
    """What a writer sees at the keys that an event names: one id, all of them where there is a conflict, or None."""
    keys = [data["key"]] if "key" in data else [e.get("key") for e in data.get("entries", ())]
    scope = session if data.get("scope") == "session" else None
    found: set[str] = set()
    for key in keys:
        if isinstance(key, str):
            found.update(siblings(reader.get(context_path(key, scope)), reader.get(conflicts_path(key, scope))))
    ids = sorted(found)
    return None if not ids else ids[0] if len(ids) == 1 else ids


@dataclass(slots=True)
class _Line:
    """Commits being built on top of a tip; nothing refers to them yet.

    `seen` is the greatest id that a writer may have seen without its being reachable from the tip; `joined` what was
    brought in before anything is appended.
    """

    tip: Tip | None
    reader: Reader
    seen: EventId | None = None
    joined: Oid | None = None
    events: list[Event] = field(default_factory=list)
    commits: list[Oid] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    @property
    def last(self) -> EventId | None:
        """The id that the next one must be greater than."""
        tip = None if self.tip is None else newest_id(self.reader, self.tip.id)
        return max(tip, self.seen) if tip is not None and self.seen is not None else tip


def _append(
    place: Place,
    author: Author,
    writers: Sequence[Writer | Draft],
    ref: str,
    *,
    founding: bool = False,
    prepared: Prepared | None = None,
) -> Appended:
    superseded: Oid | None = None
    for attempt in range(MAX_ATTEMPTS):
        head = place.store.ref(ref)
        line = _build(place, author, writers, ref, head, founding=founding, prepared=prepared)
        if line.tip is None or line.tip.oid == head:
            return Appended(retries=attempt)
        _write_ahead(place, author, line, ref, superseded)
        if _moved(place, author, line, ref, head):
            _settle(place, author, ref, line)
            return Appended(tuple(line.events), tuple(line.commits), attempt)
        superseded = _own_tip(line)
        time.sleep(random.uniform(0.0005, 0.002 * min(attempt + 1, 25)))  # noqa: S311 - jitter, not a secret
    _write_off(place, author, superseded)
    raise BusyError(
        f"{MAX_ATTEMPTS} attempts to move {ref} were all overtaken by other writers",
        hint="try again; with the queue lock, which is the default, writers take turns",
    )


def _moved(place: Place, author: Author, line: _Line, ref: str, head: Oid | None) -> bool:
    tip = _tip_of(line).oid
    try:
        try:
            return place.store.move_ref(ref, tip, head)
        except BusyError:
            if not _set_left_lock_aside(place, ref):
                raise
            return place.store.move_ref(ref, tip, head)
    except LedgerError:
        # What is not acknowledged must not come back from the journal.
        _write_off(place, author, _own_tip(line))
        raise


def _set_left_lock_aside(place: Place, ref: str) -> bool:
    """Whether a killed writer's lock stood on the ref; it is moved to `quarantine/`.

    Our own lock, of the session or of the queue, shows that no writer of the ledger is inside; git itself holds
    a ref for less than a millisecond. Without the queue somebody may be, held up by the system for a while.
    """
    if place.layout is None:
        return False
    age = LEFT_SECONDS if place.queue is not None or ref != MAIN else UNQUEUED_LEFT_SECONDS
    lock = place.layout.git_dir / f"{ref}.lock"
    left = [path for path in left_locks(place.layout.git_dir, older_than=age) if path == lock]
    return bool(quarantine(left, place.layout.quarantine))


def _build(
    place: Place,
    author: Author,
    writers: Sequence[Writer | Draft],
    ref: str,
    head: Oid | None,
    *,
    founding: bool,
    prepared: Prepared | None,
) -> _Line:
    # Several are collected, so that one that is refused takes those before it with it.
    with place.store.bulk() if len(writers) > 1 else nullcontext():
        line = _base(place, author, ref, head, prepared)
        if not founding:
            _tip_of(line)
        fold.refuse_newer(line.reader)
        for writer in _prepared(place, writers):
            draft = writer(line.reader) if callable(writer) else writer
            if draft is not None:
                _extend(place, author, line, draft)
        return line


def _prepared(place: Place, writers: Sequence[Writer | Draft]) -> Iterator[Writer | Draft]:
    """The writers, in order; drafts are redacted a batch at a time, so far as they are known by now."""
    for is_known, some in groupby(writers, key=lambda writer: isinstance(writer, Draft)):
        if not is_known:
            yield from some
            continue
        while batch := [draft for draft in islice(some, BULK) if isinstance(draft, Draft)]:
            yield from _redacted(place, batch)


def _redacted(place: Place, drafts: Sequence[Draft]) -> list[Draft]:
    # Data and origin at once: most of what a redaction costs is the search for keywords, whatever the length.
    told: list[dict[str, Any]] = place.redactor.values(
        [{"data": draft.data, "origin": draft.origin or None} for draft in drafts]
    )
    return [replace(draft, **one, is_redacted=True) for draft, one in zip(drafts, told, strict=True)]


def _base(place: Place, author: Author, ref: str, head: Oid | None, prepared: Prepared | None) -> _Line:
    store = place.store
    if head is None and ref != MAIN:
        _require_unknown(place, author, ref)
        head = store.ref(MAIN)
    if head is None:
        return _Line(None, State())
    tip, raw = tip_at(store, head), None
    other = _other(place, author, ref)
    if other is not None:
        known = None if prepared is None else prepared.for_main(store, head, other)
        tip, raw = join(place, author, tip, tip_at(store, other), known)
    line = _Line(tip, place.reader(tip.tree), _seen_apart(place, ref), other)
    if raw is not None:
        line.raw.append(raw)
    return line


def _other(place: Place, author: Author, ref: str) -> Oid | None:
    """What is brought in before anything is appended: a session's own line into main, main into a private line."""
    if ref == MAIN:
        return place.store.ref(session_ref(author.session))
    return place.store.ref(MAIN) if ref.startswith(PRIVATE) and not is_off(place.layout, SYNC) else None


def _seen_apart(place: Place, ref: str) -> EventId | None:
    # While sync is off main is not brought in, but readers do see it: ids must come after what a `prev` may name.
    main = place.store.ref(MAIN) if ref != MAIN and is_off(place.layout, SYNC) else None
    tip = None if main is None else tip_at(place.store, main)
    return None if tip is None else newest_id(place.reader(tip.tree), tip.id)


def _own_ref(place: Place, author: Author) -> str:
    private = author.wants_privacy or is_private(place.store, author.session)
    return private_ref(author.session) if private else session_ref(author.session)


def _require_unknown(place: Place, author: Author, ref: str) -> None:
    """Refuse to begin a private line for a session that others see already."""
    main = place.store.ref(MAIN)
    if main is None or not ref.startswith(PRIVATE):
        return
    entry = place.reader(tip_at(place.store, main).tree).get(session_path(author.session))
    if entry is not None or place.store.ref(session_ref(author.session)) is not None:
        raise RefusedError(
            f"session {author.session} has begun in public: what it wrote cannot be taken back",
            hint="start another one in private: ledger session start --private",
        )


def _extend(place: Place, author: Author, line: _Line, draft: Draft) -> None:
    event = mint(place, author, draft, line.last, line.reader)
    refuse(event, judge(event, line.reader))
    message = message_of(event)
    refuse(event, schema.size_problems(message))
    changes = fold.apply(line.reader, event, fold.version_of(line.reader)[0])
    refuse_values(event, changes, line.reader)
    tree = _tree(place, line, changes)
    raw = raw_commit(place, author, event, () if line.tip is None else (line.tip.oid,), tree, message)
    oid = place.store.write_commit(raw)
    line.tip = Tip(oid, tree, EventId(event.id))
    line.events.append(event)
    line.commits.append(oid)
    line.raw.append(raw)
    if changes:
        line.reader = _reader_after(place, line.reader, changes, tree)


def _reader_after(place: Place, before: Reader, changes: Changes, tree: Oid) -> Reader:
    reader = before.after(changes, tree) if isinstance(before, TreeReader) else TreeReader(place.store, tree)
    place.keep(reader)
    return reader


def _tree(place: Place, line: _Line, changes: Changes) -> Oid:
    if line.tip is not None and not changes:
        return line.tip.tree
    return place.store.edit_tree(None if line.tip is None else line.tip.tree, encode(changes))


def _write_ahead(place: Place, author: Author, line: _Line, ref: str, superseded: Oid | None) -> None:
    journal = place.journal(author.session)
    if journal is None:
        return
    tip = _tip_of(line)
    # A large batch lies in a pack that is synced already: only where the branch points must be kept.
    # A fast-forward has no commit of its own: the tip's says where the branch went.
    raws = line.raw[-1:] if len(line.commits) >= BULK else line.raw or [place.store.commit_raw(tip.oid)]
    for position, raw in enumerate(raws):
        is_last = position == len(raws) - 1
        journal.append(
            JournalRecord(
                oid=tip.oid if is_last else object_id("commit", raw),
                raw=raw,
                refs=(ref,) if is_last else (),
                supersedes=superseded if position == 0 else None,
            ),
            sync=is_last,
        )


def _tip_of(line: _Line) -> Tip:
    if line.tip is None:
        raise NotALedgerError("this ledger has no first event", hint="`ledger init` completes it")
    return line.tip


def _own_tip(line: _Line) -> Oid | None:
    """The tip, if this attempt made it: what an earlier write made, and acknowledged, is never superseded."""
    return None if line.tip is None or not line.raw else line.tip.oid


def _write_off(place: Place, author: Author, superseded: Oid | None) -> None:
    journal = place.journal(author.session)
    if journal is not None and superseded is not None:
        journal.append(JournalRecord(oid=superseded, raw=b"", refs=(), supersedes=superseded))


def _settle(place: Place, author: Author, ref: str, line: _Line) -> None:
    if ref != MAIN:
        return
    # The event is acknowledged by now. A branch that stays is merged again at no cost, and a head that is not
    # remembered leaves the one before it to be compared with: neither may turn the answer into an error.
    with suppress(BusyError, StorageError):
        if line.joined is not None:
            place.store.move_ref(session_ref(author.session), None, line.joined)
    with suppress(BusyError, StorageError):
        if place.heads is not None:
            place.heads.remember(ref, _tip_of(line).oid)


@contextmanager
def _taking_turns(place: Place, author: Author, *, shared: bool) -> Iterator[Prepared | None]:
    require_on(place.layout, ALL)
    with ExitStack() as stack:
        if place.layout is not None:
            require_room(place.layout)
            _hold_own(place, place.layout.session_lock(author.session), stack)
        prepared = _queued(place, author, place.queue, stack) if shared and place.queue is not None else None
        require_on(place.layout, ALL)  # who waited may have been stopped meanwhile
        yield prepared


def _hold_own(place: Place, lock: Path, stack: ExitStack) -> None:
    """The session's lock, at a moment at which no epoch gives way to the next."""
    while True:
        with ExitStack() as held:
            held.enter_context(Lock(lock).hold(_patience(place)))
            if place.layout is None or not is_turning(place.layout):
                stack.push(held.pop_all())
                return
        from ledger.actions.epoch import finish_turning  # 8 ms that hardly any write needs

        finish_turning(place)


def _queued(place: Place, author: Author, queue: Queue, stack: ExitStack) -> Prepared | None:
    """Enter the queue; what must be merged is prepared before, so that nobody waits for it."""
    for _ in range(PREPARED_AT_MOST):
        prepared = prepare(place.store, author.session)
        with ExitStack() as turn:
            _take_turn(place, queue, turn)
            if prepared is None or prepared.for_main(place.store, place.store.ref(MAIN), prepared.theirs):
                stack.push(turn.pop_all())
                return prepared
    # Each time main gained something that has a say in it: then it is merged while the others wait.
    _take_turn(place, queue, stack)
    return None


def _take_turn(place: Place, queue: Queue, stack: ExitStack) -> None:
    try:
        stack.enter_context(queue.hold(LOCK_SECONDS if place.patience is None else place.patience / 2))
    except BusyError:
        # The queue is for fairness alone, refs move by compare-and-swap: who ends goes past one who hangs in it, and
        # waits for that one no more. Of many who do, each would spoil the others' attempts: they stand in a line too.
        if place.patience is None or place.layout is None:
            raise
        place.patience = 0.0
        with suppress(BusyError):
            stack.enter_context(Queue(place.layout.hurry_lock).hold(HURRY_SECONDS))


def _patience(place: Place) -> float:
    return LOCK_SECONDS if place.patience is None else place.patience
