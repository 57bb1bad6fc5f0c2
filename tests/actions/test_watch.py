"""Watching: each event of others is told once, in the order of its line, whatever happens to the refs meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from ledger.actions.append import Draft
from ledger.actions.log import list_events
from ledger.actions.watch import News, Watched, watch
from ledger.api import Ledger, memory_ledger, open_ledger
from ledger.errors import DamageError, NotFoundError, UsageError
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.maintenance import gc


def note(text: str) -> Draft:
    return Draft("note.added", {"text": text})


def texts(told: Iterator[object]) -> list[str]:
    """What the notes say, in the order of telling."""
    return [one.event.data["text"] for one in told if one.event.type == "note.added"]  # type: ignore[attr-defined]


def news(ledger: Ledger, **watched: object) -> News:
    return News(ledger.place, Watched(**watched))  # type: ignore[arg-type]


def test_only_what_comes_after_it_began_is_told_and_each_once(ledger: Ledger) -> None:
    me = ledger.session("agent", "one")
    me.note("before")
    told = news(ledger)
    assert [*told.tell()] == []
    me.note("first")
    me.note("second")
    assert texts(told.tell()) == ["first", "second"]
    assert [*told.tell()] == []


def test_since_tells_what_a_rev_does_not_hold_first(ledger: Ledger) -> None:
    me = ledger.session("agent", "one")
    (event,) = me.note("known").events[-1:]
    me.note("missed")
    told = news(ledger, since=event.id)
    assert texts(told.tell()) == ["missed"]
    me.note("new")
    assert texts(told.tell()) == ["new"]
    with pytest.raises(NotFoundError):
        news(ledger, since="ffffffff")


def test_what_a_line_of_its_own_showed_is_not_told_again_when_it_is_published(ledger: Ledger) -> None:
    me, told = ledger.session("agent", "one"), news(ledger)
    me.record([note("apart")])
    assert ledger.place.store.ref(session_ref(me.id)) is not None
    assert texts(told.tell()) == ["apart"]
    me.publish()
    assert ledger.place.store.ref(session_ref(me.id)) is None
    assert texts(told.tell()) == []


def test_a_merge_tells_itself_and_nothing_that_was_told(ledger: Ledger) -> None:
    me, other, told = ledger.session("agent", "one"), ledger.session("agent", "two"), news(ledger)
    me.record([note("apart")])
    other.note("on main")
    assert sorted(texts(told.tell())) == ["apart", "on main"]
    me.publish()
    assert [one.event.type for one in told.tell()] == ["sync.merged"]


def test_refs_that_were_read_while_a_line_went_to_main_tell_nothing_twice(ledger: Ledger) -> None:
    """The list of refs is no moment's: the line is gone from it, and main is not yet where the line went."""
    store, me = ledger.place.store, ledger.session("agent", "one")
    me.note("start")
    told, before = news(ledger), store.ref(MAIN)
    me.record([note("apart")])
    assert texts(told.tell()) == ["apart"]
    me.publish()
    after = store.ref(MAIN)
    assert store.move_ref(MAIN, before, after)
    assert texts(told.tell()) == []
    assert store.move_ref(MAIN, after, before)
    assert texts(told.tell()) == []


def test_the_session_that_watches_is_not_told_what_it_wrote_unless_it_asks(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "one"), ledger.session("agent", "two")
    me.note("start")
    without, whole = news(ledger, session=me.id), news(ledger, session=me.id, own=True)
    me.note("mine")
    other.note("theirs")
    assert texts(without.tell()) == ["theirs"]
    assert texts(whole.tell()) == ["mine", "theirs"]


def test_a_private_session_is_told_to_itself_alone(ledger: Ledger) -> None:
    me = ledger.session("agent", "one", private=True)
    others, own = news(ledger), news(ledger, session=me.id, own=True)
    me.note("secret")
    assert [*others.tell()] == []
    assert "secret" in texts(own.tell())


def test_packed_refs_tell_nothing_again_and_hide_nothing(disk_ledger: Ledger) -> None:
    me, told = disk_ledger.session("agent", "one"), news(disk_ledger)
    me.note("first")
    assert texts(told.tell()) == ["first"]
    gc(disk_ledger.layout)
    assert [*told.tell()] == []
    me.note("second")
    assert texts(told.tell()) == ["second"]


def test_a_commit_without_an_event_is_passed_over_or_is_damage(ledger: Ledger) -> None:
    store, passed = ledger.place.store, list[str]()
    strict, lenient = news(ledger), news(ledger, pass_over=lambda commit: passed.append(commit.oid))
    tip = store.ref(MAIN)
    head = store.commit_raw(str(tip)).partition(b"\n\n")[0]
    foreign = store.write_commit(head.replace(b"\nauthor", f"\nparent {tip}\nauthor".encode(), 1) + b"\n\nforeign\n")
    assert store.move_ref(MAIN, foreign, tip)
    assert [*lenient.tell()] == []
    assert passed == [foreign]
    with pytest.raises(DamageError):
        [*strict.tell()]


def test_a_ledger_in_memory_is_not_watched() -> None:
    with memory_ledger() as ledger, pytest.raises(UsageError, match="in memory"):
        ledger.watch()


def test_the_library_tells_from_the_call_on(disk_ledger: Ledger, root: Path) -> None:
    told = disk_ledger.watch()
    with open_ledger(root) as other:
        other.session("agent", "one").note("landed")
    assert [one.event.type for one in islice(told, 2)] == ["session.started", "note.added"]


def write(root: str, name: str, count: int) -> None:
    """Write notes by turns apart and on main, with an end that publishes."""
    with open_ledger(root) as ledger:
        me = ledger.session("agent", name)
        for number in range(count):
            (me.record if number % 3 else me.write)([note(f"{name} {number}")])
        me.publish()


def test_of_several_writers_every_event_is_told_once_and_each_line_in_its_order(root: Path) -> None:
    """While they write, branches come and go, and refs and objects are packed."""
    names, count = ["a", "b", "c"], 40
    context = multiprocessing.get_context("spawn")
    with open_ledger(root) as ledger:
        stop, told = threading.Event(), list[str]()
        landing = watch(ledger.place, Watched(), stop)
        writers = [context.Process(target=write, args=(str(root), name, count)) for name in names]
        for writer in writers:
            writer.start()
        guard = threading.Timer(60, stop.set)
        guard.start()
        for one in landing:
            told += texts(iter([one]))
            if len(told) in (30, 60):
                gc(ledger.layout)
            if len(told) == len(names) * count:
                break
        for writer in writers:
            writer.join()
        for name in names:
            assert [text for text in told if text.startswith(name)] == [f"{name} {number}" for number in range(count)]
        assert len(texts(list_events(ledger.place))) == len(told)
        guard.cancel()


def watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ledger-watch")]


def later(root: Path, *told: str) -> None:
    """Write notes from a thread with a ledger of its own."""

    def work() -> None:
        time.sleep(0.3)
        with open_ledger(root) as other:
            for text in told:
                other.session("agent", "one").note(text)

    threading.Thread(target=work).start()


def test_in_asyncio_events_come_to_a_task_while_others_go_on(disk_ledger: Ledger, root: Path) -> None:
    async def main() -> tuple[list[str], int]:
        ticks, found = 0, list[str]()

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        later(root, "x", "y")
        async for one in disk_ledger.awatch():
            found += texts(iter([one]))
            if len(found) == 2:
                break
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(main())
    assert found == ["x", "y"]
    assert ticks > 5
    assert watchers() == []


@pytest.mark.parametrize("way", ["cancel", "time out"])
def test_in_asyncio_a_watch_that_is_given_up_leaves_no_thread(disk_ledger: Ledger, way: str) -> None:
    async def forever() -> None:
        async for _ in disk_ledger.awatch():
            pass

    async def main() -> None:
        if way == "time out":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(forever(), 0.5)
            return
        task = asyncio.create_task(forever())
        await asyncio.sleep(0.5)
        assert len(watchers()) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert watchers() == []


def test_in_asyncio_what_goes_wrong_is_raised_and_leaves_no_thread(disk_ledger: Ledger) -> None:
    async def main() -> None:
        async for _ in disk_ledger.awatch(since="ffffffff"):
            pass

    with pytest.raises(NotFoundError):
        asyncio.run(main())
    assert watchers() == []


def test_a_watch_that_is_let_go_of_leaves_no_files_open(disk_ledger: Ledger) -> None:
    def open_files() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    disk_ledger.watch()
    before = open_files()
    for _ in range(50):
        disk_ledger.watch()
    time.sleep(0.3)
    assert open_files() <= before
