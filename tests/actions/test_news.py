"""A session is told what others changed since it last looked: all of that, and nothing of its own."""

from __future__ import annotations

from ledger.actions import news
from ledger.actions.append import Draft
from ledger.actions.find import main_tip
from ledger.actions.task import complete_task, create_task
from ledger.api import Ledger


def test_what_others_wrote_is_news_and_what_one_wrote_oneself_is_not(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    me.set("mine", 1)
    seen = main_tip(ledger.place)
    other.set("auth/decision", "device flow")
    me.set("mine", 2)
    (written,) = news.since(ledger.place, me.id, seen).written
    assert (written.key, written.value, written.agent, written.session) == (
        "auth/decision",
        "device flow",
        "b",
        other.id,
    )


def test_nothing_changed_is_no_news(ledger: Ledger) -> None:
    me = ledger.session("a", "me")
    me.set("mine", 1)
    seen = main_tip(ledger.place)
    assert news.since(ledger.place, me.id, seen).is_empty
    me.set("mine", 2)
    assert news.since(ledger.place, me.id, seen).is_empty


def test_a_key_that_was_written_often_is_one_piece_of_news_as_it_stands_now(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    me.start()
    seen = main_tip(ledger.place)
    for value in range(3):
        other.set("k", value)
    assert [(one.key, one.value) for one in news.since(ledger.place, me.id, seen).written] == [("k", 2)]
    other.delete("k")
    assert [(one.key, one.deleted) for one in news.since(ledger.place, me.id, seen).written] == [("k", True)]


def test_that_ones_own_write_was_beaten_is_news(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    me.set("k", "mine")
    seen = main_tip(ledger.place)
    other.record([Draft("context.set", {"key": "k", "value": "theirs"}, prev=None, sees_tip=False)])
    other.publish()
    (written,) = news.since(ledger.place, me.id, seen).written
    assert (written.value, written.beaten) == ("theirs", (me.id,))


def test_what_a_session_keeps_to_itself_is_told_to_nobody(ledger: Ledger) -> None:
    me = ledger.session("a", "me")
    me.start()
    seen = main_tip(ledger.place)
    hidden = ledger.session("b", "hidden", private=True)
    hidden.set("secret/plan", "x")
    ledger.session("c", "open").set("own", "x", scope="session")
    assert news.since(ledger.place, me.id, seen).written == ()
    assert news.at_start(ledger.place, me.id).written == ()


def test_tasks_and_leases_of_others_are_news(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    me.start()
    seen = main_tip(ledger.place)
    create_task(ledger.place, other, "Write the docs", name="docs")
    create_task(ledger.place, me, "Mine", name="mine")
    other.acquire("src/auth", because="a refactoring")
    me.acquire("src/billing")
    told = news.since(ledger.place, me.id, seen)
    assert [task.name for task in told.tasks] == ["docs"]
    assert [one.lease.on for one in told.leases] == [("src/auth",)]


def test_at_the_start_stands_what_is_open_and_what_was_written_last(ledger: Ledger) -> None:
    other = ledger.session("b", "other")
    other.decide("auth/decision", "device flow", "no browser there")
    other.set("gone", 1)
    other.delete("gone")
    create_task(ledger.place, other, "Write the docs", name="docs")
    create_task(ledger.place, other, "Done already", name="done")
    complete_task(other, "done")
    told = news.at_start(ledger.place, ledger.session("a", "me").id)
    assert [task.name for task in told.tasks] == ["docs"]
    assert [one.key for one in told.written] == ["auth/decision"]
    assert told.unnamed == 0


def test_keys_that_were_written_long_ago_are_told_too(ledger: Ledger) -> None:
    other = ledger.session("b", "other")
    other.set("old/constraint", "no new dependencies")
    other.record([Draft("note.added", {"text": f"{n}"}) for n in range(500)])
    other.publish()
    told = news.at_start(ledger.place, ledger.session("a", "me").id)
    assert [one.key for one in told.written] == ["old/constraint"]


def test_the_last_session_is_told_by_what_it_was_asked_and_what_it_answered_last(ledger: Ledger) -> None:
    before = ledger.session("b", "before")
    before.record(
        [
            Draft("prompt.submitted", {"text": "Add the login page."}),
            Draft("turn.ended", {"text": "Added."}),
            Draft("prompt.submitted", {"text": "Now test it."}),
            Draft("turn.ended", {"text": "One test fails."}),
        ]
    )
    before.end()
    last = news.at_start(ledger.place, ledger.session("a", "me").id, before.id).last
    assert last is not None
    assert (last.session, last.agent, last.asked, last.answered) == (
        before.id,
        "b",
        "Now test it.",
        "One test fails.",
    )


def test_a_session_is_not_told_of_itself(ledger: Ledger) -> None:
    me = ledger.session("a", "me")
    me.record([Draft("prompt.submitted", {"text": "Go on."})])
    me.publish()
    me.acquire("src")
    told = news.at_start(ledger.place, me.id, me.id)
    assert told.last is None
    assert told.leases == ()
    assert told.sessions == ()


def test_who_holds_a_path_is_found_by_the_folder_above_it(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    other.acquire("src/auth")
    me.acquire("docs")
    assert [one.lease.session for one in news.holders(ledger.place, me.id, ["src/auth/login.py"])] == [other.id]
    assert news.holders(ledger.place, me.id, ["docs/index.md"]) == []
    assert news.holders(ledger.place, other.id, ["src/auth/login.py"]) == []


def test_what_a_session_leased_that_has_ended_holds_nobody_up(ledger: Ledger) -> None:
    me, other = ledger.session("a", "me"), ledger.session("b", "other")
    other.acquire("src/auth")
    other.end()
    assert news.holders(ledger.place, me.id, ["src/auth/login.py"]) == []
