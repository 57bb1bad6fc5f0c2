"""Indexing: the index follows the history, and whatever is wrong with it is built again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.actions.append import Draft
from ledger.actions.filter import list_wanted
from ledger.actions.forget import forget, wanted
from ledger.actions.indexing import ask
from ledger.actions.log import list_events
from ledger.actions.search import search
from ledger.actions.tip import Author
from ledger.actions.truncate import truncate
from ledger.api import Ledger, memory_ledger, open_ledger
from ledger.core.wanted import Wanted
from ledger.errors import NotFoundError
from ledger.storage.event_index import EventIndex
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock


def index_file(ledger: Ledger) -> Path:
    return ledger.layout.events_index / "events.sqlite"


def indexed(ledger: Ledger) -> list[str]:
    return sorted(ask(ledger.place, lambda index: list(index.find(Wanted()))))


def logged(ledger: Ledger) -> list[str]:
    return sorted(one.commit.oid for one in list_events(ledger.place))


def test_it_holds_what_the_log_holds_and_no_private_session(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "one"), ledger.session("agent", "two")
    me.set("plan", "first")
    assert indexed(ledger) == logged(ledger)
    other.record([Draft("note.added", {"text": "on a line of its own"})])
    ledger.session("agent", "secret", private=True).set("hidden", "swordfish")
    assert indexed(ledger) == logged(ledger)
    me.set("plan", "second")
    other.publish()
    assert indexed(ledger) == logged(ledger)
    assert search(ledger.place, Wanted(words="swordfish"), 5) == []


def test_what_is_new_is_added_and_what_is_there_is_not_read_again(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    me.set("plan", "first")
    before = indexed(disk_ledger)
    me.set("plan", "second")
    assert len(indexed(disk_ledger)) == len(before) + 1
    first = index_file(disk_ledger).stat().st_ino
    assert indexed(disk_ledger) == logged(disk_ledger)
    assert index_file(disk_ledger).stat().st_ino == first


@pytest.mark.parametrize("harm", ["foreign", "cut", "gone", "half"])
def test_a_file_that_is_broken_is_built_again(disk_ledger: Ledger, harm: str) -> None:
    disk_ledger.session("agent", "one").set("plan", "first")
    indexed(disk_ledger)
    file = index_file(disk_ledger)
    match harm:
        case "foreign":
            file.write_bytes(b"somebody else's" * 1000)
        case "cut":
            file.write_bytes(file.read_bytes()[:9000])
        case "half":
            file.write_bytes(b"")
            file.with_name("events.sqlite-wal").write_bytes(b"half a log")
        case _:
            file.unlink()
    assert indexed(disk_ledger) == logged(disk_ledger)
    assert search(disk_ledger.place, Wanted(words="first"), 5)


def test_it_follows_a_new_epoch(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    for number in range(5):
        me.set("plan", f"version {number}")
    indexed(disk_ledger)
    truncate(disk_ledger.place, Author.person(disk_ledger.place), "main")
    assert indexed(disk_ledger) == logged(disk_ledger)
    me.set("plan", "after")
    assert indexed(disk_ledger) == logged(disk_ledger)


def test_what_was_forgotten_is_in_no_byte_of_it(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    me.set("plan", "correct-horse-battery")
    me.note("correct-horse-battery")
    assert search(disk_ledger.place, Wanted(words="correct-horse-battery"), 5)
    what = wanted(disk_ledger.place, "it leaked", (), ("correct-horse-battery",), ())
    forget(disk_ledger.place, Author.person(disk_ledger.place), what)
    assert not list(disk_ledger.layout.index.glob("events*"))
    assert search(disk_ledger.place, Wanted(words="correct-horse-battery"), 5) == []
    assert indexed(disk_ledger) == logged(disk_ledger)
    held = b"".join(path.read_bytes() for path in disk_ledger.layout.events_index.rglob("*") if path.is_file())
    assert b"battery" not in held


def test_a_line_that_is_gone_from_the_history_is_gone_from_it(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    me.record([Draft("note.added", {"text": "on a line of its own"})])
    assert indexed(disk_ledger) == logged(disk_ledger)
    store = disk_ledger.place.store
    ref, tip = next((name, oid) for name, oid in store.refs().items() if "session" in name)
    assert store.move_ref(ref, None, tip)
    assert indexed(disk_ledger) == logged(disk_ledger)


PROGRAM = """
import sys
from pathlib import Path
from ledger.actions.indexing import ask
from ledger.api import open_ledger
while True:
    with open_ledger(Path(sys.argv[1])) as ledger:
        ask(ledger.place, lambda index: index.count())
        ledger.session("agent", "one").note("another one")
        print(flush=True)
"""


def test_killed_while_it_is_extended_it_is_whole_and_no_lock_is_left(root: Path) -> None:
    for delay in (0.0, 0.03, 0.07, 0.11):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with open_ledger(root) as ledger:
            assert indexed(ledger) == logged(ledger)
            assert len(ask(ledger.place, lambda index: index.search(Wanted(words="another"), 1000))) >= 1


def test_where_it_cannot_be_had_the_log_finds_the_same_without_it(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "one")
    me.set("plan", "the device flow")
    me.set("other", "cookies")
    asked = Wanted(types=("context",), words="device")
    by_index = list(list_wanted(disk_ledger.place, asked))
    disk_ledger.layout.events_index.rename(disk_ledger.layout.index / "elsewhere")
    disk_ledger.layout.events_index.write_text("in the way")
    assert list(list_wanted(disk_ledger.place, asked)) == by_index != []


def test_a_private_session_finds_its_own(ledger: Ledger) -> None:
    me = ledger.session("agent", "secret", private=True)
    me.set("plan", "the device flow")
    asked = Wanted(words="device")
    assert list(list_wanted(ledger.place, asked)) == []
    (found,) = list_wanted(ledger.place, asked, session=me.id)
    assert found.event.session == me.id


CONDITIONS = st.builds(
    Wanted,
    types=st.sampled_from([(), ("context",), ("tool.failed", "note"), ("session.started",)]),
    agents=st.sampled_from([(), ("claude-code",), ("agent", "codex")]),
    keys=st.sampled_from([(), ("a",), ("a/b",)]),
    paths=st.sampled_from([(), ("src",), ("src/a.py", "b.py")]),
    authors=st.sampled_from([(), ("claude",)]),
    since=st.sampled_from([None, 1_795_360_386_000_000]),
    words=st.sampled_from([None, "flow", "dev*", "flow -device", '"device flow"']),
)


@pytest.fixture(scope="module")
def mixed() -> Ledger:
    made = memory_ledger()
    for agent in ("claude-code", "codex", "agent"):
        me = made.session(agent, "one")
        me.set("a/b", "the device flow")
        me.set("a", "flow")
        me.note("device")
        me.record([Draft("tool.failed", {"tool": "Edit", "call": "c", "files": ["/p/src/a.py"], "error": "no flow"})])
        me.record([Draft("tool.completed", {"tool": "Edit", "call": "d", "files": ["/p/lib/b.py"]})])
        me.publish()
    return made


@settings(max_examples=60)
@given(CONDITIONS)
def test_the_index_finds_just_what_reading_all_finds(mixed: Ledger, asked: Wanted) -> None:
    by_index = [one.commit.oid for one in list_wanted(mixed.place, asked)]
    by_reading = [one.commit.oid for one in list_wanted(mixed.place, asked, at="main")]
    assert sorted(by_index) == sorted(by_reading)
    assert [one.commit.oid for one in list_wanted(mixed.place, asked, limit=2)] == by_index[:2]


def test_two_who_want_it_at_once_wait_for_each_other(root: Path) -> None:
    layout = Layout(root)
    with Lock(layout.indexing_lock).hold(0):
        command = [sys.executable, "-c", PROGRAM.replace("while True:", "for _ in (1,):"), str(root)]
        other = subprocess.Popen(command, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1.0)
    assert other.communicate(timeout=30)
    assert other.returncode == 0


def test_without_any_history_it_is_told(ledger: Ledger) -> None:
    assert ask(ledger.place, EventIndex.count) == 1
    with pytest.raises(NotFoundError):
        ledger.get("nothing")
