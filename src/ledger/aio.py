"""The library for asyncio: the same names, the same results, the same errors.

async with aopen_ledger() as ledger, ledger.run("my-agent", "run-17") as me:
    await me.set("auth/decision", "Use the OAuth device flow.")
    print((await ledger.get("auth/decision")).entry.cell.value)

Every ledger has one thread of its own, in which all that is asked of it is done in the order of asking. A call that
is cancelled before its turn is not made; one that is being made comes to its end in that thread, so that what it
wrote stays and what it locked is let go of.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from ledger.actions.lease import HeldError
from ledger.actions.session import Session
from ledger.api import Ledger, open_ledger
from ledger.core.leases import DEFAULT_TTL
from ledger.errors import LedgerError, NotFoundError, UsageError
from ledger.running import RunningSession, left_to_wait
from ledger.storage.terminating import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.actions.append import Appended
    from ledger.actions.lease import Standing
    from ledger.actions.log import Logged
    from ledger.actions.restore_journal import Restored
    from ledger.actions.tip import Author
    from ledger.core.leases import Lease

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")


def aopen_ledger(path: Path | str | None = None, **options: Any) -> AsyncLedger:
    """What `open_ledger` opens, to be entered with `async with`; takes and raises the same."""
    return AsyncLedger(functools.partial(open_ledger, path, **options))


class _Worker:
    """One thread, and what is done in it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ledger-worker")
        self._is_over = False

    async def do(self, call: Callable[..., _R], *args: Any, **kwargs: Any) -> _R:
        """Do it in its turn; where the caller is cancelled meanwhile, it is done to its end unheard."""
        if self._is_over:
            raise _closed()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(call, *args, **kwargs))

    async def finish(self, call: Callable[[], _R], undo: Callable[[_R], object] | None = None) -> _R:
        """Do what takes or gives back: it is waited for, cancelled or not, and what a cancelled caller took is undone.

        What is raised then is that the caller was cancelled.
        """
        if self._is_over:
            raise _closed()
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        cancelled = await _ended(future)
        if cancelled is None:
            return future.result()
        fault = future.exception()
        if fault is None and undo is not None:
            await _ended(asyncio.get_running_loop().run_in_executor(self._pool, undo, future.result()))
        raise cancelled from fault

    def close(self) -> None:
        """End the thread; nothing is being done in it any more."""
        self._is_over = True
        self._pool.shutdown()


def _closed() -> UsageError:
    return UsageError("this ledger is not open", hint="use it within: async with aopen_ledger() as ledger")


async def _ended(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until it is done, whatever comes of it; gives back the cancellation that came meanwhile."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


@asynccontextmanager
async def _within(worker: _Worker, block: AbstractContextManager[_R]) -> AsyncIterator[_R]:
    """Be within a block whose beginning and end are done in the thread, each to its end."""
    cancelled = asyncio.CancelledError()
    found = await worker.finish(block.__enter__, lambda _: block.__exit__(type(cancelled), cancelled, None))
    try:
        yield found
    except BaseException as error:
        await worker.finish(functools.partial(block.__exit__, type(error), error, error.__traceback__))
        raise
    await worker.finish(functools.partial(block.__exit__, None, None, None))


async def _patiently(take: Callable[[], Coroutine[Any, Any, _R]], wait: float) -> _R:
    """Try for a lease again and again, out of the thread's way in between."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await take()
        except HeldError as held:
            left = left_to_wait(held, wait, deadline)
        await asyncio.sleep(left)


def _of_ledger(
    method: Callable[Concatenate[Ledger, _P], _R],
) -> Callable[Concatenate[AsyncLedger, _P], Coroutine[Any, Any, _R]]:
    """A method of a ledger, done in its thread."""

    @functools.wraps(method)
    async def call(self: AsyncLedger, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        return await self._in_thread().do(method, self._open(), *args, **kwargs)

    return call


def _listed(
    method: Callable[Concatenate[Ledger, _P], Iterator[_T]],
) -> Callable[Concatenate[AsyncLedger, _P], Coroutine[Any, Any, list[_T]]]:
    """One that gives things as they are read: here they are all read first."""

    @functools.wraps(method)
    async def call(self: AsyncLedger, /, *args: _P.args, **kwargs: _P.kwargs) -> list[_T]:
        return await self._in_thread().do(lambda: list(method(self._open(), *args, **kwargs)))

    return call


def _of_session(
    method: Callable[Concatenate[Session, _P], _R],
) -> Callable[Concatenate[AsyncSession, _P], Coroutine[Any, Any, _R]]:
    """A method of a session, running or not, done in its ledger's thread."""

    @functools.wraps(method)
    async def call(self: AsyncSession, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        # By name, so that a running session is asked for its own form of it.
        return await self._worker.do(getattr(self._session, method.__name__), *args, **kwargs)

    return call


class AsyncLedger:
    """A ledger in asyncio; enter it with `async with`."""

    def __init__(self, opening: Callable[[], Ledger]) -> None:
        self._opening = opening
        self._opened: Ledger | None = None
        self._worker: _Worker | None = None
        self._id = ""

    get = _of_ledger(Ledger.get)
    keys = _listed(Ledger.keys)
    conflicts = _listed(Ledger.conflicts)
    policy = _of_ledger(Ledger.policy)
    agents = _of_ledger(Ledger.agents)
    restore_if_needed = _of_ledger(Ledger.restore_if_needed)
    drain = _of_ledger(Ledger.drain)
    settle = _of_ledger(Ledger.settle)

    def watch(
        self, *, since: str | None = None, session: str | None = None, own: bool = False
    ) -> AsyncIterator[Logged]:
        """The events of others as they land, from the first step on: `async for one in ledger.watch()`.

        As `Ledger.watch`; it reads in a thread of its own, which ends with the loop that is left.
        """
        return self._open().awatch(since=since, session=session, own=own)

    @property
    def id(self) -> str:
        """The ledger's own id, the same in every clone."""
        return self._id

    @property
    def path(self) -> Path | None:
        """The ledger's folder; None for one in memory."""
        return self._open().path

    @property
    def restored(self) -> Restored | None:
        """What opening it brought back from the journal after an unclean stop, if anything."""
        return self._open().restored

    @property
    def unrestored(self) -> LedgerError | None:
        """Why nothing could be brought back, where that was so."""
        return self._open().unrestored

    def session(self, agent: str, key: str, **roster: Any) -> AsyncSession:
        """The session of one run of `agent`, by the agent's own id; it enters the roster with its first write."""
        return AsyncSession(self._in_thread(), self._open().session(agent, key, **roster))

    def person(self) -> AsyncSession:
        """The implicit session of whoever runs this process."""
        return AsyncSession(self._in_thread(), self._open().person())

    async def session_named(self, name: str) -> AsyncSession:
        """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

        Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
        """
        return AsyncSession(self._in_thread(), await self._in_thread().do(self._open().session_named, name))

    @asynccontextmanager
    async def run(self, agent: str, key: str, *, end: bool = True, **roster: Any) -> AsyncIterator[AsyncRunningSession]:
        """A session for as long as a program works in it: `async with ledger.run("my-agent", "run-17") as me`.

        As `Ledger.run`; a task that is cancelled within the block ends the session with that reason.
        """
        worker = self._in_thread()
        begun = await worker.do(functools.partial(self._open().run, agent, key, end=end, **roster))
        with in_order():
            async with _within(worker, begun) as me:
                yield AsyncRunningSession(worker, me)

    async def close(self) -> None:
        """Give back what is held open, when all that was asked for before is done."""
        opened, worker = self._opened, self._worker
        self._opened, self._worker = None, None
        if worker is None:
            return
        try:
            if opened is not None:
                await worker.finish(opened.close)
        finally:
            worker.close()

    def _open(self) -> Ledger:
        if self._opened is None:
            raise _closed()
        return self._opened

    def _in_thread(self) -> _Worker:
        if self._worker is None:
            raise _closed()
        return self._worker

    async def __aenter__(self) -> Self:
        if self._worker is not None:
            raise UsageError("this ledger is open already", hint="open another: aopen_ledger(…)")
        self._worker = worker = _Worker()
        try:
            self._opened = await worker.finish(self._opening, Ledger.close)
            self._id = await worker.finish(lambda: self._open().id)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncSession:
    """Writes to a ledger in the name of one run of one agent; see `ledger.actions.session.Session`."""

    def __init__(self, worker: _Worker, session: Session) -> None:
        self._worker, self._session = worker, session

    get = _of_session(Session.get)
    tell = _of_session(Session.tell)
    set = _of_session(Session.set)
    add = _of_session(Session.add)
    remove = _of_session(Session.remove)
    increment = _of_session(Session.increment)
    delete = _of_session(Session.delete)
    decide = _of_session(Session.decide)
    resolve = _of_session(Session.resolve)
    note = _of_session(Session.note)
    record = _of_session(Session.record)
    write = _of_session(Session.write)
    checkpoint = _of_session(Session.checkpoint)
    publish = _of_session(Session.publish)
    renew = _of_session(Session.renew)
    release = _of_session(Session.release)
    end = _of_session(Session.end)

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def author(self) -> Author:
        """Who writes: the session, and the agent whose run it is."""
        return self._session.author

    async def start(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """Claim the session for this process, or for process `pid`, and enter the roster."""
        return await self._worker.do(functools.partial(self._session.start, pid=pid, **roster))

    async def resume(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """Go on with a session that crashed, was interrupted or has ended; claims it as `start` does."""
        return await self._worker.do(functools.partial(self._session.resume, pid=pid, **roster))

    async def acquire(
        self, *on: str, shared: bool = False, ttl: int = DEFAULT_TTL, because: str | None = None, wait: float = 0
    ) -> Standing:
        """Claim paths or names; a task that is cancelled while it asks holds nothing new.

        Raises HeldError, with `wait` BusyError after so many seconds, while another session holds them.
        """
        ask = functools.partial(self._session.acquire, *on, shared=shared, ttl=ttl, because=because)
        return await _patiently(lambda: self._worker.finish(ask, self._give_back), wait)

    @asynccontextmanager
    async def lease(
        self, *on: str, shared: bool = False, ttl: int = DEFAULT_TTL, because: str | None = None, wait: float = 0
    ) -> AsyncIterator[Lease]:
        """Hold a lease for a block: `async with me.lease("src/")`; see the session's own `lease`."""
        take = functools.partial(self._session.lease, *on, shared=shared, ttl=ttl, because=because)
        async with AsyncExitStack() as stack:
            yield await _patiently(lambda: stack.enter_async_context(_within(self._worker, take())), wait)

    def _give_back(self, standing: Standing) -> None:
        if standing.lease.id == str(standing.lease.event):  # just taken; what it held before stays
            with suppress(NotFoundError):
                self._session.release(standing.lease.id)


class AsyncRunningSession(AsyncSession):
    """A session that lives for the length of an `async with` block; see `ledger.running.RunningSession`."""

    _session: RunningSession

    @property
    def trouble(self) -> Exception | None:
        """What the thread beside the block met and has not got over; see `RunningSession`."""
        return self._session.trouble


__all__ = ["AsyncLedger", "AsyncRunningSession", "AsyncSession", "aopen_ledger"]
