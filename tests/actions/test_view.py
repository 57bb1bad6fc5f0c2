"""View: what a session sees of main and of its own line is what their merge will be."""

from __future__ import annotations

import time

import pytest

from ledger.actions.append import Draft, append_private
from ledger.actions.find import main_tip
from ledger.actions.read import read_key, seen_by
from ledger.actions.session import Session
from ledger.actions.tip import own_tip
from ledger.actions.view import Both, view
from ledger.actions.writers import Target, adding, incrementing, setting
from ledger.api import Ledger
from ledger.core.state import Reader, State, task_path
from ledger.errors import NewerFormatError


def apart(ledger: Ledger, session: Session, *writers: object) -> None:
    """Write what is shared to the session's own line, as where sync is off."""
    append_private(ledger.place, session.author, list(writers))  # type: ignore[arg-type]


def whole(reader: Reader) -> State:
    return State(dict(reader.under("")))


@pytest.fixture
def one(ledger: Ledger) -> Session:
    """A session with a line of its own, which writes and adds; main has gone on too."""
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("old", 0)
    one.set("both", ["a"], policy="set")
    one.increment("count")
    apart(
        ledger,
        one,
        setting(Target("mine"), 1),
        setting(Target("old"), 1),
        adding(Target("both"), ["b"]),
        incrementing(Target("count"), 10),
    )
    two.set("theirs", 2)
    two.add("both", "c")
    two.increment("count", 100)
    return one


def test_a_session_sees_its_own_writes_merged_over_those_of_others(ledger: Ledger, one: Session) -> None:
    seen = {key: read_key(ledger.place, key, session=one.id).entry.cell.value for key in ("mine", "theirs", "old")}
    assert seen == {"mine": 1, "theirs": 2, "old": 1}
    assert read_key(ledger.place, "count", session=one.id).entry.cell.value == 111
    assert read_key(ledger.place, "both", session=one.id).entry.cell.value == ["a", "b", "c"]


def test_what_is_seen_is_what_the_merge_then_gives(ledger: Ledger, one: Session) -> None:
    seen = whole(seen_by(ledger.place, one.id))
    one.publish()
    assert whole(seen_by(ledger.place, None)) == seen


def test_key_by_key_the_view_says_the_same_as_the_whole_merge(ledger: Ledger, one: Session) -> None:
    own = own_tip(ledger.place.store, one.id)
    assert own is not None
    merged = whole(Both(ledger.place.store, main_tip(ledger.place), own))
    for path, document in merged.documents.items():
        assert Both(ledger.place.store, main_tip(ledger.place), own).get(path) == document


def test_nobody_else_sees_what_is_not_shared_yet(ledger: Ledger, one: Session) -> None:
    assert read_key(ledger.place, "old").entry.cell.value == 0
    assert whole(seen_by(ledger.place, ledger.session("agent", "2").id)) == whole(seen_by(ledger.place, None))


def test_a_line_that_holds_main_is_read_as_it_stands(ledger: Ledger) -> None:
    one = ledger.session("agent", "1")
    apart(ledger, one, setting(Target("k"), 1))
    assert read_key(ledger.place, "k", session=one.id).entry.cell.value == 1


def test_a_line_that_main_holds_adds_nothing(ledger: Ledger) -> None:
    one = ledger.session("agent", "1")
    one.set("k", 1)
    before = main_tip(ledger.place)
    one.set("k", 2)
    assert view(ledger.place.store, main_tip(ledger.place), before).get("context/k.yaml") != {}
    assert whole(view(ledger.place.store, main_tip(ledger.place), before)) == whole(seen_by(ledger.place, None))


def test_what_cannot_be_merged_is_read_from_the_line_of_the_session(
    ledger: Ledger, one: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NewerFormatError(2, 1, "fold")

    monkeypatch.setattr("ledger.actions.view.merge_states", refuse)
    assert read_key(ledger.place, "mine", session=one.id).entry.cell.value == 1
    assert read_key(ledger.place, "theirs", session=one.id).entry.cell.value == 2
    assert read_key(ledger.place, "count", session=one.id).entry.cell.value == 11


def test_a_step_that_changed_nothing_on_its_line_counts_where_the_other_side_has_the_task(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    apart(ledger, one, one._entrance, Draft("note.added", {"text": "begun"}))
    two.write([Draft("task.created", {"task": "t", "title": "Something"})])
    time.sleep(0.005)  # lines that do not know of one another order the events of one millisecond by chance
    apart(ledger, one, Draft("task.started", {"task": "t"}))
    seen = seen_by(ledger.place, one.id).get(task_path("t"))
    one.publish()
    assert seen == seen_by(ledger.place, None).get(task_path("t"))
    assert seen is not None
    assert (seen["status"], seen["to"]) == ("started", one.id)
