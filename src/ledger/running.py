"""Running: a session for as long as a program works in it, kept alive from beside the program's own code.

with open_ledger() as ledger, ledger.run("my-agent", "run-17", role="reviewer") as me:
    with me.lease("src/"):
        me.set("auth/decision", "Use the OAuth device flow.")
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from ledger.actions import lease as leases
from ledger.actions.append import Appended, Draft, Writer, append_shared
from ledger.actions.due import LONGEST, MOST_EVENTS
from ledger.actions.exchanging import start_if_needed
from ledger.actions.lease import HeldError, Standing
from ledger.actions.read import reader_at, seen_by
from ledger.actions.session import Session, ending
from ledger.actions.tip import Author
from ledger.core.leases import DEFAULT_TTL, Lease, is_live, leases_in
from ledger.core.state import Reader, session_path
from ledger.errors import BusyError, LedgerError, NotFoundError, StorageError, UsageError
from ledger.storage import live, terminating
from ledger.storage.layout import session_ref
from ledger.storage.place import Place
from ledger.storage.worktree import find_worktree

SYNC = 30.0  # seconds after which what the session has of its own is brought to main, if nothing else does
PAUSE = 0.1  # seconds between two tries of whoever waits for a lease
HURRY = 0.8  # seconds that an end in a hurry waits for each of those who may hang; there are four, and 5 s in all
PINNED_AT_MOST = 10_000  # events that are folded for a checkpoint in a hurry: 60 µs each

_SHORTEST_ROUND = 0.05
_REASON = 200  # characters; the event takes 256
_AT_EXIT = "the program ended"
_TERMINATED = "the program was told to end (SIGTERM)"

# Two threads that begin one session at once must not both find it free.
_beginning = threading.Lock()

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _in_turn(
    method: Callable[Concatenate[Session, _P], _R],
) -> Callable[Concatenate[RunningSession, _P], _R]:
    """A method of a session that any thread may call: one at a time, within the block, in the process that began."""

    @functools.wraps(method)
    def call(self: RunningSession, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self._taking_turn():
            return method(self, *args, **kwargs)

    return call


class RunningSession(Session):
    """A session that lives for the length of a `with` block; any thread of the process may use it.

    Within the block others see it alive. A thread beside the block renews its leases at half their time, brings what
    the session has of its own to main every `SYNC` seconds, and makes a checkpoint after 256 events or half an hour;
    what that thread meets and does not get over is `trouble`, and is raised at the end of the block if the block
    itself raises nothing.

    At the end the session ends, with the error of the block as its reason; without `ends` it stays on the roster.
    Either way what it wrote is published and its leases are free. A process that dies within the block leaves a
    session that is proven crashed. SIGTERM, SIGINT and an interpreter that ends in order end the session, with a
    checkpoint and within 5 s, whoever else hangs.
    """

    _is_lasting = True

    def __init__(self, again: Callable[[], Place], author: Author, roster: dict[str, Any], *, ends: bool) -> None:
        # A store belongs to one thread: this session, its keeper and the ledger that it came from have one each.
        super().__init__(again(), author, roster)
        self._again, self._ends = again, ends
        self._turn = threading.RLock()
        self._owner = os.getpid()
        self._is_open = False
        self._keeper: _Keeper | None = None
        self._written = 0
        self._orderly = ExitStack()

    get = _in_turn(Session.get)
    end = _in_turn(Session.end)
    tell = _in_turn(Session.tell)
    set = _in_turn(Session.set)
    add = _in_turn(Session.add)
    remove = _in_turn(Session.remove)
    increment = _in_turn(Session.increment)
    delete = _in_turn(Session.delete)
    decide = _in_turn(Session.decide)
    resolve = _in_turn(Session.resolve)
    note = _in_turn(Session.note)
    record = _in_turn(Session.record)
    write = _in_turn(Session.write)
    checkpoint = _in_turn(Session.checkpoint)
    publish = _in_turn(Session.publish)
    renew = _in_turn(Session.renew)
    release = _in_turn(Session.release)

    def start(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """As a session's; the block has done so already."""
        with self._taking_turn():
            return super().start(pid=pid, **roster)

    def resume(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """As a session's; the block has done so already."""
        with self._taking_turn():
            return super().resume(pid=pid, **roster)

    @property
    def trouble(self) -> Exception | None:
        """What the thread beside the block met and has not got over: a lease that was lost, a disk that is full."""
        return None if self._keeper is None else self._keeper.trouble

    def acquire(
        self, *on: str, shared: bool = False, ttl: int = DEFAULT_TTL, because: str | None = None, wait: float = 0
    ) -> Standing:
        """Claim paths or names; held until they are released or the session ends, for they are renewed in time.

        Raises HeldError where another session's lease stands in the way, with `wait` BusyError when it still does
        after so many seconds; InvalidError for names that cannot be leased.
        """
        deadline = time.monotonic() + wait
        while True:
            try:
                with self._taking_turn():
                    return self._watched(super().acquire(*on, shared=shared, ttl=ttl, because=because))
            except HeldError as held:
                left = left_to_wait(held, wait, deadline)
            time.sleep(left)  # out of turn: others write meanwhile

    @contextmanager
    def lease(
        self, *on: str, shared: bool = False, ttl: int = DEFAULT_TTL, because: str | None = None, wait: float = 0
    ) -> Iterator[Lease]:
        """Hold a lease for the block, however long it takes.

        Raises what `acquire` raises; and HeldError at the end of the block where the lease was lost meanwhile, as
        to another session while this process was stopped for longer than `ttl`.
        """
        held = self.acquire(*on, shared=shared, ttl=ttl, because=because, wait=wait).lease
        try:
            yield held
            self._refuse_lost(held)
        finally:
            if self._keeper is not None:
                self._keeper.forget(held.id)
            with suppress(NotFoundError):  # given back within the block
                self.release(held.id)

    @contextmanager
    def _taking_turn(self) -> Iterator[None]:
        """Have the session for this thread alone; raises UsageError outside of the block, and in a fork of it."""
        if os.getpid() != self._owner:
            raise UsageError(
                f"session {self.id} runs in process {self._owner}, of which this is a fork",
                hint="begin a session of its own here: ledger.run(…) with another key",
            )
        with self._turn:
            if not self._is_open:
                raise UsageError("this session is not running", hint="use it within: with ledger.run(…) as me")
            yield

    def __enter__(self) -> Self:
        if self._owner != os.getpid() or self._is_open or self._keeper is not None:
            raise UsageError("a session is begun once, where it was made", hint="ask for another: ledger.run(…)")
        self._is_open = True
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._owner:  # a fork leaves the block: the session is its parent's
            return
        trouble: Exception | None
        try:
            self._finish(error, is_hurried=terminating.is_hurried() or isinstance(error, KeyboardInterrupt))
        except LedgerError as fault:
            trouble = fault
        else:
            trouble = self.trouble
        if trouble is None:
            return
        if error is None:
            raise trouble
        error.add_note(f"and the session had trouble: {trouble}")

    def _begin(self) -> None:
        with _beginning:
            self._refuse_second()
            is_known = seen_by(self._place, self.id).get(session_path(self.id)) is not None
            self._roster = _surroundings(self._place) | self._roster
            _ = self.resume() if is_known else self.start()
        self._orderly.enter_context(terminating.in_order())
        atexit.register(self._finish_at_exit)
        if self._place.layout is not None:  # in memory nobody else can see it, nor wait for what it holds
            self._keeper = _Keeper(self._again(), self.author)
            _exchange(self._place)

    def _refuse_second(self) -> None:
        found = None if self._place.layout is None else live.look(self._place.layout, self.id)
        is_ours = found is not None and found.claim is not None and found.claim.pid == os.getpid()
        if found is not None and is_ours and found.verdict != "dead":
            raise live.busy(found)

    def _watched(self, standing: Standing) -> Standing:
        if self._keeper is not None:
            self._keeper.hold(standing.lease.id)
        return standing

    def _refuse_lost(self, lease: Lease) -> None:
        lost = None if self._keeper is None else self._keeper.lost(lease.id)
        if lost is not None:
            raise lost
        with self._taking_turn(), suppress(NotFoundError):  # the thread beside may not have looked since it was lost
            leases.renew_if_due(self._place, self, lease)

    def _finish(self, why: BaseException | str | None, *, is_hurried: bool) -> None:
        with self._last_turn(is_hurried=is_hurried):
            if not self._is_open:
                return
            try:
                if self._keeper is not None:
                    self._keeper.stop(HURRY if is_hurried else None)
                self._depart(self._reason(why), is_hurried=is_hurried)
            finally:
                self._close()

    @contextmanager
    def _last_turn(self, *, is_hurried: bool) -> Iterator[None]:
        """Have the session for its end; raises BusyError where it is in a hurry and another thread hangs in a call.

        The live file stays then, so that the session is proven crashed once this process is gone.
        """
        if not self._turn.acquire(timeout=HURRY if is_hurried else -1):
            self._orderly.close()
            raise BusyError("another thread of this program is in a call of this session", hint="ledger recover --all")
        try:
            yield
        finally:
            self._turn.release()

    def _depart(self, reason: str | None, *, is_hurried: bool) -> None:
        if is_hurried:
            self._place.patience = HURRY
            if self._is_pinned(reason):
                return
        if self._ends:
            self.end(reason)
            return
        self.release()
        self.publish()

    def _is_pinned(self, reason: str | None) -> bool:
        """Make a checkpoint and end the session with one write; whether that was done, and was all there is to do."""
        if self._place.layout is None or not 0 < self._written <= PINNED_AT_MOST:
            return False
        from ledger.actions.checkpoint import checkpoint  # for an end in a hurry alone

        last = [ending(self.id, reason)] if self._ends else []

        def write(pin: Writer) -> Appended:
            done = append_shared(self._place, self.author, [self._let_in, pin, *last])
            return replace(done, events=tuple(event for event in done.events if event.type == "checkpoint.created"))

        try:
            checkpoint(self._place, self.author, "shutdown", append=write)
        except LedgerError:  # the end itself matters more, and says what is wrong
            return False
        if self._ends:
            self._leave()
        return self._ends

    def _append(self, drafts: Sequence[Draft | Writer], *, shared: bool) -> Appended:
        done = super()._append(drafts, shared=shared)
        self._written += len(done.events)
        if self._keeper is not None:
            self._keeper.note(self._written)
        return done

    def _close(self) -> None:
        self._is_open = False
        self._orderly.close()
        atexit.unregister(self._finish_at_exit)
        held, self._held = self._held, None
        # Only what is ours: where this one never began, or has ended, the session may be another process's by now.
        with suppress(BusyError, StorageError):
            if held is not None:
                held.leave()
        self._place.close()

    def _finish_at_exit(self) -> None:
        if os.getpid() == self._owner:
            self._finish(_AT_EXIT, is_hurried=True)

    def _reason(self, why: BaseException | str | None) -> str | None:
        if why is None or isinstance(why, str):
            return why
        if terminating.is_hurried():
            return _TERMINATED
        # Without secrets before it is cut: of half a secret nobody could tell that it is one.
        told = self._place.redactor.text(f"{type(why).__name__}: {why}")
        return "".join(c if c.isprintable() else " " for c in told)[:_REASON].strip(": ")


def left_to_wait(held: HeldError, wait: float, deadline: float) -> float:
    """The seconds until the next try for a lease that is held; raises `held`, or BusyError after a wait."""
    left = deadline - time.monotonic()
    if wait <= 0:
        raise held
    if left <= 0:
        raise BusyError(f"{held.message}\n  still so after {wait:g} s", hint=held.hint) from held
    return min(left, PAUSE)


class _Keeper:
    """The thread beside the block; the heartbeat is not its work, for that must not wait for anybody's lock."""

    def __init__(self, place: Place, author: Author) -> None:
        self._place, self._session = place, Session(place, author, {})
        self._met: Exception | None = None
        self._asked: set[str] = set()
        self._held: dict[str, Lease] = {}
        self._lost: dict[str, HeldError] = {}
        self._given_back: set[str] = set()
        self._written, self._pinned, self._pinned_at = 0, 0, time.monotonic()
        self._woken, self._is_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-keeper", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> Exception | None:
        return [*self._lost.values(), self._met][0]

    def lost(self, lease: str) -> HeldError | None:
        """How a lease was lost; None where it was not, as far as is known."""
        return self._lost.get(lease)

    def forget(self, lease: str) -> None:
        """A lease is given back: what became of it is no trouble any more."""
        self._given_back.add(lease)
        self._asked.discard(lease)
        self._lost.pop(lease, None)

    def hold(self, lease: str) -> None:
        """Keep this lease too, though it has run out by the time it is looked at; look at once, it may be short."""
        self._asked.add(lease)
        self._woken.set()

    def note(self, written: int) -> None:
        """So many events were written within the block till now; look at once where a checkpoint is due."""
        self._written = written
        if written - self._pinned >= MOST_EVENTS:
            self._woken.set()

    def stop(self, seconds: float | None = None) -> None:
        """End the thread; one that hangs is waited for no longer than so many seconds."""
        self._is_over.set()
        self._woken.set()
        self._thread.join(seconds)
        if isinstance(self._met, BusyError | StorageError):  # the end of the session does what it could not
            self._met = None

    def _run(self) -> None:
        published = time.monotonic()
        while not self._is_over.is_set():
            is_publishing = time.monotonic() - published >= SYNC
            if self._look_after(is_publishing=is_publishing) and is_publishing:
                published = time.monotonic()
            self._woken.wait(self._pause())
            self._woken.clear()  # before it is asked whether all is over, or the last call could be missed
        self._place.close()

    def _look_after(self, *, is_publishing: bool) -> bool:
        """Do what is due; whether all of it went well."""
        try:
            reader = reader_at(self._place)
            # What was ended by another is left alone: a write would bring it back.
            is_there = reader.get(session_path(self._session.id)) is not None
            self._held = self._renewed(reader) if is_there else {}
            if is_publishing and self._place.store.ref(session_ref(self._session.id)) is not None:
                self._session.publish()
            if is_there:
                self._pin_if_due()
        except Exception as error:  # noqa: BLE001 - kept, and raised at the end of the block unless it passes
            self._met = error
            return False
        self._met = None
        return True

    def _renewed(self, reader: Reader) -> dict[str, Lease]:
        """What the session has held while it ran, whoever of it took that; what is due of it renewed."""
        moment = leases.moment_at(self._place)
        own = {lease.id: lease for lease in leases_in(reader) if lease.session == self._session.id}
        known = self._asked | set(self._held)
        held = {i: one for i, one in own.items() if i in known or is_live(one, moment)}
        for lease in held.values():
            if lease.id not in self._lost:
                self._renew_one(lease)
        return held

    def _renew_one(self, lease: Lease) -> None:
        try:
            leases.renew_if_due(self._place, self._session, lease)
        except HeldError as error:
            self._lost[lease.id] = error
            if lease.id in self._given_back:  # while this thread was asking
                self._lost.pop(lease.id, None)
        except NotFoundError:  # released since it was looked at
            return

    def _pin_if_due(self) -> None:
        """Make a checkpoint after so many events, or after a time in which there were any."""
        new = self._written - self._pinned
        reason = "events" if new >= MOST_EVENTS else "time" if time.monotonic() - self._pinned_at >= LONGEST else ""
        if not new or not reason:
            return
        from ledger.actions.checkpoint import checkpoint  # most programs write less than that

        checkpoint(self._place, self._session.author, reason)
        self._pinned, self._pinned_at = self._pinned + new, time.monotonic()

    def _pause(self) -> float:
        # A lease is due at half its time: looking four times in it leaves a quarter for what comes in between.
        return max(_SHORTEST_ROUND, min([SYNC, *(lease.ttl / 4 for lease in self._held.values())]))


def _exchange(place: Place) -> None:
    """See to it that this ledger is kept in step with its remotes while the program runs."""
    if place.layout is not None:
        start_if_needed(place.layout)


def _surroundings(place: Place) -> dict[str, str]:
    """Where the program runs, as the roster tells it."""
    found = find_worktree(Path.cwd())
    here = {} if found is None else {"worktree": str(found.path), "branch": found.branch}
    return {name: text for name, text in ({"host": place.host} | here).items() if text}


__all__ = ["RunningSession"]
