"""Private sessions: they see the others, the others never see them, and nothing of them is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.actions.backup import back_up
from ledger.actions.find import main_tip
from ledger.actions.log import list_events
from ledger.actions.presence import presence
from ledger.actions.read import list_keys, read_key
from ledger.actions.replay import replay
from ledger.actions.restore import restore
from ledger.actions.restore_journal import restore_journal
from ledger.actions.roster import all_sessions, find_past, find_session
from ledger.actions.session import Session
from ledger.actions.tip import own_tip
from ledger.actions.undo import plan_undo, undo_drafts
from ledger.actions.verify import verify
from ledger.api import Ledger, open_ledger
from ledger.errors import NotFoundError, RefusedError
from ledger.storage.layout import private_ref, session_ref
from ledger.storage.maintenance import gc


def secret(ledger: Ledger) -> Session:
    return ledger.session("agent", "secret", private=True)


def value(ledger: Ledger, key: str, session: Session | None = None) -> object:
    return read_key(ledger.place, key, session=None if session is None else session.id).entry.cell.value


def test_what_a_private_session_shares_is_seen_by_itself_alone(ledger: Ledger) -> None:
    me, other = secret(ledger), ledger.session("agent", "other")
    before = main_tip(ledger.place)
    me.set("plan", "mine")
    assert value(ledger, "plan", me) == "mine"
    for who in (None, other):
        with pytest.raises(NotFoundError):
            value(ledger, "plan", who)
    assert main_tip(ledger.place) == before


def test_a_private_session_sees_the_others_and_writes_on_what_they_wrote(ledger: Ledger) -> None:
    me, other = secret(ledger), ledger.session("agent", "other")
    me.increment("count")
    other.increment("count", 10)
    assert value(ledger, "count", me) == 11
    me.increment("count", 100)
    assert (value(ledger, "count", me), value(ledger, "count")) == (111, 10)
    assert verify(ledger.place, full=True).ok


def test_neither_publish_nor_a_later_process_nor_its_end_brings_it_to_main(ledger: Ledger) -> None:
    me = secret(ledger)
    before = main_tip(ledger.place)
    me.set("k", 1)
    assert me.publish() is None
    later = ledger.session("agent", "secret")  # without a word of privacy
    later.set("k", 2)
    assert later.publish() is None
    later.end()
    assert main_tip(ledger.place) == before
    assert ledger.place.store.ref(session_ref(me.id)) is None


def test_the_log_of_the_others_does_not_tell_of_it_and_its_own_does(ledger: Ledger) -> None:
    me = secret(ledger)
    me.note("hush")
    events = [one.event.session for one in list_events(ledger.place)]
    assert me.id not in events
    assert me.id in [one.event.session for one in list_events(ledger.place, session=me.id)]


def test_it_is_on_the_roster_as_private(ledger: Ledger) -> None:
    me = secret(ledger)
    me.note("hush")
    assert all_sessions(ledger.place)[me.id]["private"] is True
    assert find_session(ledger.place, "secret").session == me.id
    assert [one.private for one in presence(ledger.place) if one.id == me.id] == [True]


def test_what_events_say_of_privacy_makes_nothing_private(ledger: Ledger) -> None:
    """Only the line does; a claim that it is hidden would be believed."""
    me = ledger.session("agent", "loud")
    me.note("hello")
    ledger.session("agent", "loud").record([])
    with pytest.raises(RefusedError, match="has begun in public"):
        ledger.session("agent", "loud", private=True).set("k", 1)
    assert "private" not in all_sessions(ledger.place)[me.id]


def test_a_session_that_ended_in_private_keeps_its_history_and_goes_on_in_private(ledger: Ledger) -> None:
    me = secret(ledger)
    me.set("k", 1)
    me.end("done")
    assert me.id not in all_sessions(ledger.place)
    past = find_past(ledger.place, me.id[:8])
    assert past is not None
    assert past.told["private"] is True
    assert replay(ledger.place, me.id).ok
    again = ledger.session("agent", "secret")
    again.resume()
    assert all_sessions(ledger.place)[me.id]["private"] is True
    assert value(ledger, "k", again) == 1


def test_keys_of_its_own_and_of_the_others_are_listed_together(ledger: Ledger) -> None:
    me = secret(ledger)
    me.set("b", 1)
    me.set("c", 1, scope="session")
    ledger.session("agent", "other").set("a", 1)
    assert [found.key for found in list_keys(ledger.place, session=me.id)] == ["a", "b", "c"]
    assert [found.key for found in list_keys(ledger.place)] == ["a"]


def test_gc_backup_and_restore_keep_it_apart(disk_ledger: Ledger, tmp_path: Path) -> None:
    me = secret(disk_ledger)
    me.set("k", 1)
    me.end()
    tip = own_tip(disk_ledger.place.store, me.id)
    gc(disk_ledger.layout, is_full=True)
    assert own_tip(disk_ledger.place.store, me.id) == tip
    back_up(disk_ledger.place, tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "new", lambda root: open_ledger(root).place)
    with open_ledger(tmp_path / "new") as restored:
        assert restored.place.store.ref(private_ref(me.id)) == tip
        assert me.id not in [one.event.session for one in list_events(restored.place)]
        assert verify(restored.place, full=True).ok


def test_after_an_unclean_stop_it_comes_back_on_its_own_line(disk_ledger: Ledger) -> None:
    me, place = secret(disk_ledger), disk_ledger.place
    disk_ledger.session("agent", "other").set("k", 0)
    me.set("k", 1)
    me.record([])
    tip = own_tip(place.store, me.id)
    assert place.store.move_ref(private_ref(me.id), None, tip)
    restore_journal(place)
    assert place.store.ref(private_ref(me.id)) == tip
    assert place.store.ref(session_ref(me.id)) is None
    assert value(disk_ledger, "k") == 0


def test_what_stands_on_lost_ground_comes_back_in_private(root: Path) -> None:
    """The commits below the last one name no ref in the journal: they must not end on a line that is shared."""
    with open_ledger(root) as ledger:
        me = secret(ledger)
        me.note("first")
        ledger.session("agent", "other").note("x")
        me.note("second")
        tip = own_tip(ledger.place.store, me.id)
        assert tip is not None
        lost = ledger.place.store.commit(tip).parents[0]
        assert ledger.place.store.move_ref(private_ref(me.id), None, tip)
    (root / "ledger.git/objects" / lost[:2] / lost[2:]).unlink()
    with open_ledger(root) as ledger:
        restore_journal(ledger.place)
        assert ledger.place.store.ref(session_ref(me.id)) is None
        told = [one.event.data.get("text") for one in list_events(ledger.place, session=me.id)]
        assert {"first", "second"} <= set(told)


def test_a_private_session_can_undo(ledger: Ledger) -> None:
    me = secret(ledger)
    me.set("k", 1)
    me.set("k", 2)
    ledger.session("agent", "other").set("x", 1)
    me.write(list(undo_drafts(plan_undo(ledger.place, me.author))))
    assert value(ledger, "k", me) == 1
