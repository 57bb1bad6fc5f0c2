"""Sync: exchange main with a remote: fetch into quarantine, judge, merge, and push a step forward.

Nothing of this machine waits for it, and nothing here moves before what came has been judged. One process of a ledger
does it at a time; `storage/exchanged.py` is what the others know of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ledger.actions.adopt import is_other_epoch, require_successor
from ledger.actions.bring import Brought, bring
from ledger.actions.epoch import epoch_of, root_of
from ledger.actions.find import main_tip
from ledger.actions.tip import Author, event_id
from ledger.core.ids import SessionId
from ledger.errors import BusyError, DamageError, LedgerError, NotALedgerError, RefusedError, UsageError
from ledger.storage.exchanged import exchanged, remember_exchanged
from ledger.storage.layout import MAIN, Layout
from ledger.storage.locks import Lock
from ledger.storage.place import Place
from ledger.storage.remotes import Remote
from ledger.storage.store import EventStore, Oid
from ledger.storage.switches import ALL, REMOTE, SYNC, require_on
from ledger.storage.transport import SECONDS, Pushed, fetch, push, quarantine

AGENT = "ledger"
LOCK_SECONDS = 90.0

_TRIES = 12  # pushes that others were faster than
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 3.0
_EPOCHS = "refs/epoch/"  # where a server takes in the next epoch, from its administrator


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of it: events that came and went, the shared keys with new conflicts, and the seconds it took.

    `merged` says that both sides had something of their own, `fast_forward` that main only followed; `epoch` is the
    later one that main is in now, if the remote was in one; `attachments` is how many of them came.
    """

    remote: str
    main: Oid
    fetched: int = 0
    pushed: int = 0
    merged: bool = False
    fast_forward: bool = False
    conflicts: tuple[str, ...] = ()
    epoch: int | None = None
    seconds: float = 0.0
    attachments: int = 0


def sync(place: Place, remote: Remote, *, accepts: bool = False, seconds: float = SECONDS) -> Synced:
    """Bring what the remote has to main, and main to the remote.

    `accepts` takes a history in that has left the line on which the remote was last seen; it is judged and merged all
    the same. `seconds` is how long each step across the network may take. Raises, with main as it was or one sound
    merge further: UnreachableError, RefusedError (with what the remote said), NotALedgerError, DamageError for a
    history that breaks the law, BusyError. What went wrong is remembered for `status`.
    """
    layout = _layout_of(place)
    for switch in (REMOTE, SYNC, ALL):
        require_on(layout, switch)
    with Lock(layout.sync_lock).hold(LOCK_SECONDS), _remembered(place, layout, remote):
        exchange = _Exchange(place, layout, remote, accepts, seconds)
        try:
            done = exchange.run()
        finally:
            exchange.empty_quarantine()
        if not remote.attachments:
            return done
        from ledger.actions.attachments import exchange_attachments  # few have them

        came = exchange_attachments(place, layout, remote, seconds, is_new=bool(done.fetched))
        return replace(done, attachments=came)


def syncing_author(place: Place) -> Author:
    """In whose name this machine's merges are: a session of the ledger's own, so that no other has to wait."""
    return Author(str(SessionId.of(AGENT, f"sync@{place.host}")), AGENT)


@contextmanager
def _remembered(place: Place, layout: Layout, remote: Remote) -> Iterator[None]:
    """Remember how a try went, whatever it did, with the count of failures in a row."""
    try:
        yield
    except LedgerError as error:
        before, now = exchanged(layout, remote.name), place.now()
        words = error.message.replace("\n", " ")[:500]
        after = before._replace(tried=now, error=words, breaker=before.breaker.after_failure(now))
        remember_exchanged(layout, remote.name, after)
        raise


class _Exchange:
    """One exchange with one remote, while nobody else has one."""

    def __init__(self, place: Place, layout: Layout, remote: Remote, accepts: bool, seconds: float) -> None:
        self._place, self._store, self._layout, self._remote = place, place.store, layout, remote
        self._accepts, self._seconds = accepts, seconds
        self._author = syncing_author(place)

    def run(self) -> Synced:
        began = time.perf_counter()
        fetched, conflicts = 0, dict[str, None]()
        has_merged = is_behind = False
        epoch: int | None = None
        for attempt in range(_TRIES):
            theirs = self._fetched()
            if theirs is not None and not self._is_older_epoch(theirs):
                brought = self._brought(theirs)
                fetched += brought.commits
                conflicts |= dict.fromkeys(brought.conflicts)
                has_merged |= bool(brought.commits) and not brought.is_fast_forward
                is_behind |= brought.is_fast_forward
                epoch = brought.epoch or epoch
            main = main_tip(self._place)
            ahead = 0 if theirs == main else self._count(main, theirs)
            if theirs == main or self._pushed(main, theirs):
                self._remember(main, is_crowded=attempt > 0)
                took = round(time.perf_counter() - began, 6)
                forward = is_behind and not has_merged
                return Synced(
                    self._remote.name, main, fetched, ahead, has_merged, forward, tuple(conflicts), epoch, took
                )
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter
        raise BusyError(
            f"{_TRIES} times somebody else was faster at {self._remote.name}", hint="nothing is lost; try again"
        )

    def empty_quarantine(self) -> None:
        """Let go of what came, now or before somebody was killed: main has it, or it was refused."""
        for ref, oid in self._store.refs(quarantine(self._remote.name)).items():
            self._store.move_ref(ref, None, oid)

    def _fetched(self) -> Oid | None:
        """The remote's head, its objects in our store; None where it is empty."""
        with Lock(self._layout.fetch_lock).hold(LOCK_SECONDS):
            ref = fetch(self._layout.git_dir, self._remote, self._seconds)
            if ref is None:
                return None
            oid = self._store.ref(ref)
        if oid is None:  # an epoch began in between
            raise BusyError("this ledger began a new epoch at this moment", hint="try again")
        return oid

    def _brought(self, theirs: Oid) -> Brought:
        self._require_line(theirs)
        return bring(self._place, self._author, theirs)

    def _require_ledger(self, theirs: Oid) -> None:
        try:
            event_id(self._store.commit(theirs))
        except DamageError as error:
            raise NotALedgerError(
                f"{self._remote.name} ({self._remote.shown}) is no ledger: its main carries no event",
                hint="give a repository of its own",
            ) from error

    def _require_line(self, theirs: Oid) -> None:
        """Refuse a history that is not behind, at, or before where the remote was last seen."""
        seen, main = exchanged(self._layout, self._remote.name).seen, main_tip(self._place)
        if self._accepts or not seen or not _has(self._store, seen) or seen == theirs:
            return
        # From one epoch to the next there is no line; the root of the later one names what it follows.
        if is_other_epoch(self._store, seen, theirs) or is_other_epoch(self._store, main, theirs):
            return
        if self._store.is_ancestor(seen, theirs):
            return
        if self._store.is_ancestor(theirs, main):  # restored from an older copy: what it lacks goes there again
            return
        raise RefusedError(
            f"{self._remote.name} has left its line: it was seen at {seen[:10]} and is at {theirs[:10]}, which does "
            "not come after it: its history was rewritten, or cut",
            hint="ask who keeps it; to take in what is there all the same, judged and merged as ever: "
            f"ledger sync {self._remote.name} --accept",
        )

    def _is_older_epoch(self, theirs: Oid) -> bool:
        """Whether the remote is in an epoch that ours has followed: then ours goes there, and nothing comes."""
        self._require_ledger(theirs)
        main = main_tip(self._place)
        if not is_other_epoch(self._store, main, theirs):
            return False
        return epoch_of(self._store, theirs) < epoch_of(self._store, main)

    def _count(self, main: Oid, theirs: Oid | None) -> int:
        without = [theirs] if theirs is not None and _has(self._store, theirs) else []
        return sum(1 for _ in self._store.walk([main], without))

    def _pushed(self, main: Oid, theirs: Oid | None) -> bool:
        """Put main there; False where somebody else was faster."""
        if theirs is not None and self._is_older_epoch(theirs):
            return self._turned(main, theirs)
        return self._accepted(push(self._layout.git_dir, self._remote, [f"{main}:{MAIN}"], self._seconds))

    def _accepted(self, pushed: Pushed) -> bool:
        if pushed.is_done or pushed.is_stale:
            return pushed.is_done
        raise RefusedError(
            f"{self._remote.name} refuses what this ledger has:\n" + _indented(pushed.said),
            hint="nothing is lost: it stays here; `ledger verify` says whether it is sound",
        )

    def _turned(self, main: Oid, theirs: Oid) -> bool:
        """Ask the server to go over to our epoch; it does so for its administrators alone."""
        root = root_of(self._store, main)
        try:
            require_successor(self._store, theirs, main)
        except RefusedError as error:
            raise RefusedError(f"{self._remote.name}: {error.message}", hint=error.hint) from error
        if theirs not in root.superseded:
            raise RefusedError(
                f"{self._remote.name} has events that epoch {root.number} of this ledger knows nothing of",
                hint="on a clone that is still in the earlier epoch: ledger sync; then begin the epoch there",
            )
        pushed = push(self._layout.git_dir, self._remote, [f"{main}:{_EPOCHS}{root.number}"], self._seconds)
        if pushed.is_done and self._fetched() == main:
            return True
        if not pushed.is_done and pushed.is_stale:
            return False
        said = f":\n{_indented(pushed.said)}" if pushed.said else ", and no rule of its own to take another in by"
        raise RefusedError(
            f"{self._remote.name} is in an earlier epoch than this ledger{said}",
            hint="whoever keeps it moves its main: git push --force-with-lease, once, from this ledger.git",
        )

    def _remember(self, main: Oid, *, is_crowded: bool) -> None:
        before = exchanged(self._layout, self._remote.name)
        after = before.after(main, self._place.now(), is_crowded=is_crowded)
        remember_exchanged(self._layout, self._remote.name, after)


def _has(store: EventStore, oid: Oid) -> bool:
    return oid in store.find(oid)


def _indented(said: str) -> str:
    return "\n".join(f"  {line}" for line in said.splitlines())


def _layout_of(place: Place) -> Layout:
    if place.layout is None:
        raise UsageError("a ledger in memory has nowhere to exchange with", hint="make one in a folder")
    return place.layout
