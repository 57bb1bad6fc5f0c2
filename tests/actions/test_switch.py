"""Switches in action: what stays apart, what is refused, and what comes back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from ledger.actions.append import Appended, publish
from ledger.actions.find import main_tip
from ledger.actions.log import list_events
from ledger.actions.read import read_key
from ledger.actions.rollback import plan_rollback
from ledger.actions.session import Session
from ledger.actions.switch import Recorded, Switched, bring_lines, switch_draft, turn_off, turn_on
from ledger.actions.undo import plan_undo, undo_drafts
from ledger.actions.verify import verify
from ledger.api import Ledger, open_ledger
from ledger.errors import BusyError, LedgerError, NotFoundError, RefusedError, StorageError
from ledger.storage import switches
from ledger.storage.maintenance import gc
from ledger.storage.switches import Switch, is_off


def record(session: Session, name: str, *, on: bool) -> Recorded:
    return Recorded(session.author, session.write([switch_draft(name, on=on, because="a test")]))


def off(ledger: Ledger, name: str) -> Switched:
    return turn_off(ledger.layout, Switch(name), lambda: record(ledger.session("agent", "boss"), name, on=False))


def on(ledger: Ledger, name: str) -> Switched:
    return turn_on(ledger.layout, name, lambda: record(ledger.session("agent", "boss"), name, on=True))


def value(ledger: Ledger, key: str, session: Session | None = None) -> object:
    return read_key(ledger.place, key, session=None if session is None else session.id).entry.cell.value


def told(ledger: Ledger) -> list[tuple[str, bool]]:
    events = [one.event for one in list_events(ledger.place) if one.event.type == "switch.set"]
    return [(event.data["switch"], event.data["on"]) for event in reversed(events)]


@pytest.mark.parametrize("name", ["sync", "remote", "hooks", "all"])
def test_off_and_on_are_recorded_and_the_file_repeats_the_event(disk_ledger: Ledger, name: str) -> None:
    done = off(disk_ledger, name)
    assert done.changed
    assert done.recorded is not None
    (event,) = done.recorded.done.events
    assert switches.switches(disk_ledger.layout) == [Switch(name, event.time, event.session, "agent", "a test")]
    assert on(disk_ledger, name).recorded is not None
    assert told(disk_ledger) == [(name, False), (name, True)]
    assert verify(disk_ledger.place, full=True).ok


def test_what_stands_so_already_is_neither_changed_nor_recorded(disk_ledger: Ledger) -> None:
    assert on(disk_ledger, "sync") == Switched(False)
    off(disk_ledger, "sync")
    assert off(disk_ledger, "sync") == Switched(False)
    assert told(disk_ledger) == [("sync", False)]


# sync


def test_with_sync_off_main_stands_still_and_each_session_sees_its_own(disk_ledger: Ledger) -> None:
    one, two = disk_ledger.session("agent", "1"), disk_ledger.session("agent", "2")
    one.set("k", 0)
    one.record([])
    off(disk_ledger, "sync")
    before = main_tip(disk_ledger.place)
    one.set("k", 1)
    two.set("k", 2)
    one.note("hello")
    assert one.publish() is None
    assert publish(disk_ledger.place, one.author) is None
    assert main_tip(disk_ledger.place) == before
    assert [value(disk_ledger, "k", who) for who in (one, two, None)] == [1, 2, 0]


def test_on_again_the_next_shared_write_brings_everything(disk_ledger: Ledger) -> None:
    one, two = disk_ledger.session("agent", "1"), disk_ledger.session("agent", "2")
    off(disk_ledger, "sync")
    for number in range(5):
        one.increment("count", number)
        two.increment("count", 10 * number)
    on(disk_ledger, "sync")
    with pytest.raises(NotFoundError):
        value(disk_ledger, "count")
    one.note("on again")
    two.publish()
    assert value(disk_ledger, "count") == 110
    assert verify(disk_ledger.place, full=True).ok


def test_lines_are_brought_of_those_too_who_will_not_write_again(disk_ledger: Ledger) -> None:
    one, private = disk_ledger.session("agent", "1"), disk_ledger.session("agent", "2", private=True)
    off(disk_ledger, "sync")
    one.set("k", 1)
    one.end()
    private.set("p", 1)
    assert bring_lines(disk_ledger.place).sessions == ()
    on(disk_ledger, "sync")
    assert bring_lines(disk_ledger.place).sessions == (one.id,)
    assert value(disk_ledger, "k") == 1
    with pytest.raises(NotFoundError):
        value(disk_ledger, "p")


def test_a_line_that_cannot_be_brought_is_named_and_the_others_are(
    disk_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = disk_ledger.session("agent", "1"), disk_ledger.session("agent", "2")
    for who in (one, two):
        who.record([switch_draft("sync", on=True, because=None)])

    def refuse(place: object, author: object) -> str | None:
        if author == one.author:
            raise BusyError("held")
        return publish(disk_ledger.place, two.author)

    monkeypatch.setattr("ledger.actions.switch.publish", refuse)
    brought = bring_lines(disk_ledger.place)
    assert brought.sessions == (two.id,)
    assert [(session, str(error)) for session, error in brought.left] == [(one.id, "held")]


def test_what_was_seen_on_main_can_be_replaced_from_an_own_line_by_a_clock_gone_back(disk_ledger: Ledger) -> None:
    """The id of a write comes after what its `prev` names, though that is not below it."""
    one, two = disk_ledger.session("agent", "1"), disk_ledger.session("agent", "2")
    one.record([switch_draft("sync", on=True, because=None)])
    now = disk_ledger.place.now
    disk_ledger.place.now = lambda: now() + 60_000_000
    two.set("k", 1)
    disk_ledger.place.now = now
    off(disk_ledger, "sync")
    assert one.get("k").entry.cell.value == 1
    one.set("k", 2)
    on(disk_ledger, "sync")
    one.publish()
    found = read_key(disk_ledger.place, "k")
    assert (found.entry.cell.value, found.losers) == (2, ())
    assert verify(disk_ledger.place, full=True).ok


def test_a_writer_that_waits_for_its_turn_when_sync_goes_off_stays_apart(disk_ledger: Ledger) -> None:
    place, one = disk_ledger.place, disk_ledger.session("agent", "1")
    assert place.queue is not None
    before = main_tip(place)
    with place.queue.hold(1):
        with open_ledger(disk_ledger.path) as other:
            waiting = threading.Thread(target=_write_elsewhere, args=(str(other.path),))
            waiting.start()
            time.sleep(0.5)
        switches.turn_off(disk_ledger.layout, Switch("sync"))
    waiting.join(30)
    assert main_tip(place) == before
    assert value(disk_ledger, "k", one) == 1


def _write_elsewhere(path: str) -> None:
    with open_ledger(path) as ledger:
        ledger.session("agent", "1").set("k", 1)


# all


def test_with_all_off_every_write_is_refused_and_reading_works(disk_ledger: Ledger) -> None:
    one = disk_ledger.session("agent", "1")
    one.set("k", 1)
    off(disk_ledger, "all")
    before = disk_ledger.place.store.refs()
    writes = [
        lambda: one.set("k", 2),
        lambda: one.set("k", 2, scope="session"),
        lambda: one.note("x"),
        one.publish,
        one.end,
        lambda: disk_ledger.session("agent", "2").start(),
        lambda: gc(disk_ledger.layout),
    ]
    for write in writes:
        with pytest.raises(RefusedError, match=r"every write is off since .*, by agent \(.*\): a test"):
            write()
    assert value(disk_ledger, "k") == 1
    assert disk_ledger.place.store.refs() == before
    on(disk_ledger, "all")
    one.set("k", 2)
    assert value(disk_ledger, "k") == 2


def test_an_unclean_stop_is_put_right_once_writing_is_on_again(root: Path) -> None:
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").set("k", 1)
        switches.turn_off(ledger.layout, Switch("all"))
        ledger.layout.boot.write_text("another\n")
    with open_ledger(root) as ledger:
        assert isinstance(ledger.unrestored, RefusedError)
        assert value(ledger, "k") == 1
        switches.turn_on(ledger.layout, "all")
    with open_ledger(root) as ledger:
        assert ledger.unrestored is None
        assert ledger.restored is not None


# What must never keep a switch from working


def test_a_switch_that_cannot_be_recorded_works_and_says_so(disk_ledger: Ledger) -> None:
    def refuse() -> Recorded:
        raise StorageError("the disk is full")

    done = turn_off(disk_ledger.layout, Switch("all", because="now"), refuse)
    assert (done.changed, str(done.unrecorded)) == (True, "the disk is full")
    assert switches.switches(disk_ledger.layout) == [Switch("all", because="now")]
    done = turn_on(disk_ledger.layout, "all", refuse)
    assert (done.changed, str(done.unrecorded)) == (True, "the disk is full")
    assert not is_off(disk_ledger.layout, "all")


def test_recording_that_takes_long_does_not_hold_the_switch_up(disk_ledger: Ledger) -> None:
    seen: list[bool] = []

    def slow() -> Recorded:
        time.sleep(1.2)
        seen.append(is_off(disk_ledger.layout, "all"))
        return Recorded(disk_ledger.person().author, Appended())

    with pytest.raises(ValueError, match="unpack"):  # what it gave back is no record
        turn_off(disk_ledger.layout, Switch("all"), slow)
    assert seen == [True]
    assert is_off(disk_ledger.layout, "all")


def test_whoever_interrupts_the_recording_has_turned_it_off(disk_ledger: Ledger) -> None:
    def interrupted() -> Recorded:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        turn_off(disk_ledger.layout, Switch("all"), interrupted)
    assert is_off(disk_ledger.layout, "all")


def test_where_not_even_the_file_can_be_made_that_is_said(disk_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise StorageError("read-only")

    monkeypatch.setattr(switches, "turn_off", refuse)
    with pytest.raises(LedgerError, match="read-only"):
        off(disk_ledger, "all")


# What else knows of lines that stay apart


def test_undo_takes_back_what_the_session_wrote_last_on_its_own_line(disk_ledger: Ledger) -> None:
    one = disk_ledger.session("agent", "1")
    one.set("k", 1)
    off(disk_ledger, "sync")
    one.set("k", 2)
    planned = plan_undo(disk_ledger.place, one.author)
    assert planned.target.event.data["value"] == 2
    one.write(list(undo_drafts(planned)))
    assert value(disk_ledger, "k", one) == 1


def test_rollback_waits_for_sync(disk_ledger: Ledger) -> None:
    one = disk_ledger.session("agent", "1")
    one.set("k", 1)
    off(disk_ledger, "sync")
    with pytest.raises(RefusedError, match="sharing between sessions"):
        plan_rollback(disk_ledger.place, "main")
