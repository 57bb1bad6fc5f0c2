"""The library for asyncio: it does what the other does, and a cancelled task leaves nothing half done behind."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.actions.append import Draft
from ledger.actions.lease import HeldError, live_leases
from ledger.actions.presence import presence
from ledger.actions.roster import past_sessions
from ledger.actions.session import Session
from ledger.aio import AsyncLedger, AsyncRunningSession, AsyncSession, aopen_ledger
from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger
from ledger.errors import BusyError, InvalidError, NotALedgerError, NotFoundError, UsageError
from ledger.running import RunningSession
from ledger.storage import live
from ledger.storage.locks import Lock

Main = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a new ledger on disk."""
    folder = tmp_path / "ledger"
    create_ledger(folder)[0].close()
    return folder


@pytest.fixture
def ledger(root: Path) -> Iterator[Ledger]:
    """The same ledger as another program sees it."""
    with open_ledger(root) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No thread outlives its ledger, however the test went about it."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def reasons(ledger: Ledger) -> list[str]:
    """Why the sessions of the agent `agent` have ended."""
    return [past.reason for past in past_sessions(ledger.place) if past.author.agent == "agent"]


async def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Return when it is so; fail after a while."""
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.01)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it is over."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# The same as the library without async


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("kind", "twin", "not_offered"),
    [
        # `layout` is for those who look at the files themselves; `awatch` is called `watch` here.
        (Ledger, AsyncLedger, {"layout", "awatch"}),
        (Session, AsyncSession, set[str]()),
        (RunningSession, AsyncRunningSession, set[str]()),
    ],
)
def test_whatever_the_library_offers_has_its_form_here(kind: type, twin: type, not_offered: set[str]) -> None:
    """One that is added there and not here makes this fail."""
    assert public(kind) - public(twin) == not_offered


@pytest.mark.parametrize(("kind", "twin"), [(Ledger, AsyncLedger), (RunningSession, AsyncRunningSession)])
def test_whatever_the_library_offers_takes_the_same_here(kind: type, twin: type) -> None:
    for name in public(kind) & public(twin):
        one, other = getattr(kind, name), getattr(twin, name)
        if inspect.isfunction(one):
            expected, found = (list(inspect.signature(f).parameters.values()) for f in (one, other))
            assert [(p.name, p.kind, p.default) for p in found] == [(p.name, p.kind, p.default) for p in expected], name


def test_a_ledger_is_written_and_read(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            me = opened.session("agent", "run", role="reviewer")
            done = await me.set("auth/decision", "device flow")
            assert [event.type for event in done.events] == ["context.set"]
            await me.add("tags", "a", "b")
            await me.increment("hits", 2)
            await me.note("a remark")
            await me.record([Draft("note.added", {"text": "of its own"})])
            await me.publish()
            assert (await opened.get("auth/decision")).entry.cell.value == "device flow"
            assert [found.key for found in await opened.keys()] == ["auth/decision", "hits", "tags"]
            assert await opened.conflicts() == []
            assert await opened.agents() == {me.id: "agent"}
            assert (await opened.session_named("run")).author == me.author
            assert (opened.path, opened.id, opened.restored) == (root, ledger.id, None)

    asyncio.run(main())
    assert ledger.get("hits").entry.cell.value == 2


def test_errors_are_the_same(root: Path, tmp_path: Path) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            with pytest.raises(NotFoundError):
                await opened.get("nothing/here")
            with pytest.raises(InvalidError):
                await opened.person().set("Not A Key", 1)
            with pytest.raises(UsageError, match="open already"):
                await opened.__aenter__()
        with pytest.raises(UsageError, match="not open"):
            await opened.get("a")
        with pytest.raises(UsageError, match="not open"):
            opened.person()
        with pytest.raises(NotALedgerError):
            async with aopen_ledger(tmp_path / "nowhere"):
                pass

    asyncio.run(main())


def test_what_is_kept_of_a_closed_ledger_is_refused(root: Path) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            me = opened.person()
        with pytest.raises(UsageError, match="not open"):
            await me.set("a", 1)
        with pytest.raises(UsageError, match="not open"):
            await me.acquire("src")

    asyncio.run(main())


def test_a_ledger_may_be_opened_again(root: Path) -> None:
    async def main() -> None:
        opened = aopen_ledger(root)
        for turn in range(2):
            async with opened:
                await opened.person().increment("hits")
                assert (await opened.get("hits")).entry.cell.value == turn + 1

    asyncio.run(main())


def test_a_session_runs_for_the_length_of_its_block(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run", role="reviewer") as me:
            (found,) = presence(ledger.place)
            assert (found.id, found.state, found.pid, found.role) == (me.id, "working", os.getpid(), "reviewer")
            await me.tell("waiting")
            assert presence(ledger.place)[0].state == "waiting"
            async with me.lease("src") as lease:
                assert [one.lease.id for one in live_leases(ledger.place)] == [lease.id]
            assert live_leases(ledger.place) == []
            assert me.trouble is None
            with pytest.raises(BusyError, match=f"process {os.getpid()} on"):
                async with opened.run("agent", "run"):
                    pass

    asyncio.run(main())
    assert reasons(ledger) == [""]
    assert live.look_at_all(ledger.layout) == {}


def test_a_session_may_be_started_and_ended_without_a_block(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            me = opened.session("agent", "run")
            await me.start(role="reviewer")
            assert presence(ledger.place)[0].role == "reviewer"
            await me.resume(title="again")
            assert presence(ledger.place)[0].title == "again"
            await me.end("enough")

    asyncio.run(main())
    assert reasons(ledger) == ["enough"]


def test_an_error_in_the_block_is_the_reason_of_the_end(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me:
            await me.acquire("src")
            raise ValueError("no way")

    with pytest.raises(ValueError, match="no way"):
        asyncio.run(main())
    assert reasons(ledger) == ["ValueError: no way"]
    assert live_leases(ledger.place) == []


def test_a_ledger_in_memory_does_as_well() -> None:
    async def main() -> None:
        async with AsyncLedger(memory_ledger) as opened, opened.run("agent", "run") as me, me.lease("src"):
            await me.set("a", 1)
            assert (await me.get("a")).entry.cell.value == 1

    asyncio.run(main())


# Many tasks


def test_tasks_that_write_at_once_lose_nothing_and_take_one_thread(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        before = threading.active_count()
        async with aopen_ledger(root) as opened:
            me = opened.session("agent", "run")
            await asyncio.gather(*(me.increment("hits") for _ in range(50)))
            assert threading.active_count() == before + 1

    asyncio.run(main())
    assert ledger.get("hits").entry.cell.value == 50


def test_the_loop_goes_on_while_a_write_waits(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            with Lock(ledger.layout.queue_lock).hold(5):
                writing = asyncio.create_task(opened.person().set("a", 1))
                for _ in range(5):
                    await asyncio.sleep(0.02)
                assert not writing.done()
            await writing

    asyncio.run(main())


def test_a_task_that_waits_for_a_lease_keeps_no_other_from_writing(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me, opened.run("other", "run") as other:
            async with other.lease("src"):
                waiting = asyncio.create_task(me.acquire("src", wait=20))
                for turn in range(5):
                    await me.set("a", turn)
                with pytest.raises(BusyError, match=r"still so after 0\.2 s"):
                    async with me.lease("src/a", wait=0.2):
                        pass
                assert not waiting.done()
            assert (await waiting).holds

    asyncio.run(main())


def test_what_others_write_is_heard_until_the_watching_task_is_cancelled(root: Path, ledger: Ledger) -> None:
    heard: list[str] = []

    async def listen(opened: AsyncLedger, since: str) -> None:
        async for one in opened.watch(since=since):
            heard.append(one.event.type)  # noqa: PERF401 - it never ends

    async def main() -> None:
        since = ledger.place.store.ref("refs/heads/main")
        assert since is not None
        async with aopen_ledger(root) as opened:
            listening = asyncio.create_task(listen(opened, since))
            await opened.session("agent", "run").set("a", 1)
            ledger.session("other", "run").note("from elsewhere")
            await until(lambda: len(heard) == 4 or listening.done())
            await cancel(listening)

    asyncio.run(main())
    assert heard == ["session.started", "context.set", "session.started", "note.added"]


# Cancellation


def test_a_write_that_is_cancelled_before_its_turn_is_not_made(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            me = opened.session("agent", "run")
            with Lock(ledger.layout.queue_lock).hold(5):
                first = asyncio.create_task(me.set("first", 1))
                second = asyncio.create_task(me.set("second", 1))
                await asyncio.sleep(0.1)
                await cancel(second)
            await first
            assert [found.key for found in await opened.keys()] == ["first"]

    asyncio.run(main())


def test_a_write_that_is_cancelled_while_it_is_made_is_whole_and_locks_nothing(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened:
            me = opened.session("agent", "run")
            with Lock(ledger.layout.queue_lock).hold(5):
                writing = asyncio.create_task(me.set("a", 1))
                await asyncio.sleep(0.2)
                await cancel(writing)
            await me.set("b", 1)
            assert [found.key for found in await opened.keys()] == ["a", "b"]

    asyncio.run(main())
    assert not Lock(ledger.layout.queue_lock).is_held()
    ledger.session("agent", "run").set("c", 1)


def test_writes_that_were_acknowledged_before_a_cancellation_are_there(root: Path, ledger: Ledger) -> None:
    acknowledged: list[int] = []

    async def write_for_ever(me: AsyncSession) -> None:
        while True:
            await me.add("numbers", len(acknowledged), policy="log")
            acknowledged.append(len(acknowledged))

    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me:
            for _ in range(5):
                count = len(acknowledged)
                writing = asyncio.create_task(write_for_ever(me))
                await until(lambda: len(acknowledged) > count + 3)  # noqa: B023 - awaited within the turn
                await cancel(writing)

    asyncio.run(main())
    assert set(acknowledged) <= set(ledger.get("numbers").entry.cell.value)


def test_a_task_that_is_cancelled_within_the_block_ends_the_session(root: Path, ledger: Ledger) -> None:
    async def work(begun: asyncio.Event) -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me, me.lease("src"):
            begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        begun = asyncio.Event()
        working = asyncio.create_task(work(begun))
        await begun.wait()
        await cancel(working)

    asyncio.run(main())
    assert reasons(ledger) == ["CancelledError"]
    assert live_leases(ledger.place) == []
    assert live.look_at_all(ledger.layout) == {}


def test_a_task_that_is_cancelled_while_its_session_begins_leaves_none(root: Path, ledger: Ledger) -> None:
    async def begin(opened: AsyncLedger) -> None:
        async with opened.run("agent", "run"):
            raise AssertionError("it was cancelled before")

    async def main() -> None:
        async with aopen_ledger(root) as opened:
            with Lock(ledger.layout.queue_lock).hold(5):
                beginning = asyncio.create_task(begin(opened))
                await until(lambda: live.look_at_all(ledger.layout) != {})
                beginning.cancel()
                await asyncio.sleep(0.1)
                assert not beginning.done()  # what takes or gives back is waited for
            with pytest.raises(asyncio.CancelledError):
                await beginning
            assert live.look_at_all(ledger.layout) == {}

    asyncio.run(main())
    assert reasons(ledger) == ["CancelledError"]


def test_a_task_that_is_cancelled_again_and_again_while_its_session_ends_ends_it(root: Path, ledger: Ledger) -> None:
    async def work(begun: asyncio.Event) -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run"):
            begun.set()
            await asyncio.sleep(60)

    async def main() -> None:
        begun = asyncio.Event()
        working = asyncio.create_task(work(begun))
        await begun.wait()
        with Lock(ledger.layout.queue_lock).hold(5):
            for _ in range(5):
                working.cancel()
                await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await working

    asyncio.run(main())
    assert reasons(ledger) == ["CancelledError"]


def test_a_lease_that_is_cancelled_while_it_is_taken_is_not_held(root: Path, ledger: Ledger) -> None:
    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me:
            with Lock(ledger.layout.queue_lock).hold(5):
                taking = asyncio.create_task(me.acquire("src"))
                await asyncio.sleep(0.2)
                taking.cancel()
                await asyncio.sleep(0.05)
            with pytest.raises(asyncio.CancelledError):
                await taking
            assert live_leases(ledger.place) == []
            held = (await me.acquire("src")).lease
            with Lock(ledger.layout.queue_lock).hold(5):
                taking = asyncio.create_task(me.acquire("src"))
                await asyncio.sleep(0.2)
                taking.cancel()
                await asyncio.sleep(0.05)
            with pytest.raises(asyncio.CancelledError):
                await taking
            assert [one.lease.id for one in live_leases(ledger.place)] == [held.id]  # it was held before

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_it_waits_for_a_lease_waits_no_more(root: Path, ledger: Ledger) -> None:
    ledger.session("other", "run").acquire("src")

    async def main() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me:
            waiting = asyncio.create_task(me.acquire("src", wait=60))
            await asyncio.sleep(0.3)
            await cancel(waiting)
            with pytest.raises(HeldError):
                await me.acquire("src")

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 30


def test_a_ledger_whose_opening_is_cancelled_is_closed(root: Path) -> None:
    opening, go_on = threading.Event(), threading.Event()
    opened: list[Ledger] = []

    def open_slowly() -> Ledger:
        opening.set()
        go_on.wait(20)
        opened.append(open_ledger(root))
        return opened[0]

    async def enter(slow: AsyncLedger) -> None:
        async with slow:
            raise AssertionError("it was cancelled before")

    async def main() -> None:
        slow = AsyncLedger(open_slowly)
        entering = asyncio.create_task(enter(slow))
        await until(opening.is_set)
        entering.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await entering
        with pytest.raises(UsageError, match="not open"):
            _ = slow.path

    asyncio.run(main())
    assert len(opened) == 1
    assert opened[0].place.journals == {}


def test_twenty_ledgers_in_a_row_leave_no_thread_and_no_file_open(root: Path) -> None:
    async def once() -> None:
        async with aopen_ledger(root) as opened, opened.run("agent", "run") as me:
            await me.increment("hits")

    async def main() -> None:
        await once()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names are numbers
        for _ in range(20):
            await once()
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - the names are numbers

    asyncio.run(main())
