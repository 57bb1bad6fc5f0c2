"""Find: a REV names one commit, or the refusal says what it could have meant."""

from __future__ import annotations

import pytest

from ledger.actions.append import Appended, Draft
from ledger.actions.find import find_commit, find_on_main, main_tip, tips
from ledger.api import Ledger
from ledger.core.clock import stamp
from ledger.errors import AmbiguousError, NotFoundError, RefusedError, UsageError
from ledger.storage.layout import MAIN

HOUR = 3_600_000_000
NOTE = Draft("note.added", {"text": "seen"})


@pytest.fixture
def written(ledger: Ledger) -> list[Appended]:
    """One write an hour, the last one just now."""
    start = ledger.place.now() + HOUR
    me = ledger.session("agent", "1")
    done = []
    for hour in range(6):
        ledger.place.now = lambda at=start + hour * HOUR: at
        done.append(me.set("k", hour))
    return done


@pytest.mark.parametrize("rev", ["", "main", "HEAD", "@", " main "])
def test_main_has_several_names(ledger: Ledger, rev: str) -> None:
    assert find_commit(ledger.place, rev) == ledger.place.store.ref(MAIN)


@pytest.mark.parametrize("length", [14, 24, 36])
def test_an_event_is_found_by_the_start_of_its_id(ledger: Ledger, written: list[Appended], length: int) -> None:
    event, commit = written[2].events[-1], written[2].commits[-1]
    assert find_commit(ledger.place, event.id[:length]) == commit
    assert find_commit(ledger.place, event.id[:length].upper()) == commit


@pytest.mark.parametrize("length", [7, 12, 36, 38, 40])
def test_a_commit_is_found_by_the_start_of_its_id(ledger: Ledger, written: list[Appended], length: int) -> None:
    commit = written[1].commits[-1]
    assert find_commit(ledger.place, commit[:length]) == commit


def test_a_session_names_its_last_commit_its_own_line_included(ledger: Ledger, written: list[Appended]) -> None:
    me = ledger.session("agent", "1")
    ledger.session("agent", "2").set("x", 1)
    assert find_commit(ledger.place, me.id) == written[-1].commits[-1]
    private = me.record([NOTE]).commits[-1]
    assert find_commit(ledger.place, me.id[:8]) == private
    assert find_commit(ledger.place, private[:12]) == private


@pytest.mark.parametrize("own", ["run-1", "6F1D7C52-3b0e-4c7a-9a64-2f0f5d1a8c11", "7"])
def test_a_session_goes_by_the_agents_own_id_too_even_when_it_has_ended(ledger: Ledger, own: str) -> None:
    me = ledger.session("agent", own)
    me.set("k", 1)
    last = me.end().commits[-1]
    ledger.session("agent", "other").set("x", 1)
    assert find_commit(ledger.place, f" {own} ") == last


def test_an_own_id_that_two_agents_use_is_told_with_both_sessions(ledger: Ledger) -> None:
    both = [ledger.session(agent, "run-1") for agent in ("one", "two")]
    for session in both:
        session.set("k", 1)
    with pytest.raises(AmbiguousError) as refused:
        find_commit(ledger.place, "run-1")
    assert list(refused.value.matches) == sorted(session.id for session in both)


def test_many_digits_and_a_d_are_first_of_all_the_start_of_a_commit(ledger: Ledger) -> None:
    """12345d would be 33 years ago; 400d stays a time."""
    me = ledger.session("agent", "1")
    start = ledger.place.now()
    ledger.place.now = lambda: start
    for number in range(3000):
        commit = me.set("k", number).commits[-1]
        if commit[:5].isdigit() and commit[5] == "d":
            break
    assert find_commit(ledger.place, commit[:6]) == commit


@pytest.mark.parametrize(("rev", "hour"), [("2h", 3), ("2h ago", 3), ("150m", 2), ("5h", 0)])
def test_a_time_names_the_newest_commit_of_main_that_was_written_by_then(
    ledger: Ledger, written: list[Appended], rev: str, hour: int
) -> None:
    assert find_commit(ledger.place, rev) == written[hour].commits[-1]


def test_a_moment_may_be_written_out(ledger: Ledger, written: list[Appended]) -> None:
    moment = stamp(ledger.place.now() - HOUR)
    assert find_commit(ledger.place, moment) == written[4].commits[-1]
    assert find_commit(ledger.place, stamp(ledger.place.now() + 48 * HOUR)[:10]) == main_tip(ledger.place)


def test_a_time_before_the_first_event_names_nothing(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="younger"):
        find_commit(ledger.place, "400d")


@pytest.mark.parametrize("rev", ["deadbeefdead", "00000000-0000", "f" * 40, "99999999999999d"])
def test_what_names_nothing_is_told_with_the_forms_there_are(ledger: Ledger, rev: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        find_commit(ledger.place, rev)
    assert "an event id, a commit, a session" in str(refused.value.hint)


@pytest.mark.parametrize("rev", ["abc", "not a rev", "../main", "f" * 41, "refs/heads/main"])
def test_what_has_no_form_of_a_rev_is_a_usage_error(ledger: Ledger, rev: str) -> None:
    with pytest.raises(UsageError, match="is not a REV"):
        find_commit(ledger.place, rev)


def test_a_prefix_that_fits_several_events_lists_them(ledger: Ledger, written: list[Appended]) -> None:
    with pytest.raises(AmbiguousError) as refused:
        find_commit(ledger.place, written[0].events[0].id[:4])
    ids = {event.id for done in written for event in done.events}
    assert ids <= set(refused.value.matches)


def test_tips_are_main_and_each_sessions_own_line(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    assert tips(ledger.place) == [ledger.place.store.ref(MAIN)]
    private = me.record([NOTE]).commits[-1]
    assert tips(ledger.place) == [ledger.place.store.ref(MAIN), private]


def test_a_time_never_names_a_sessions_own_line_that_was_merged_later(ledger: Ledger) -> None:
    """At that time main held what others had written; the line of the session, which came in later, never did."""
    start = ledger.place.now() + HOUR
    ledger.place.now = lambda: start
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.record([NOTE])
    shared = other.set("k", "v").commits[-1]
    ledger.place.now = lambda: start + HOUR
    private = me.record([NOTE]).commits[-1]
    ledger.place.now = lambda: start + 3 * HOUR
    me.set("z", 1)
    assert find_commit(ledger.place, "2h ago") == shared
    assert find_commit(ledger.place, private) == private


def test_on_main_an_event_of_a_sessions_own_line_is_the_merge_that_brought_it(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    private = me.record([NOTE]).commits[-1]
    shared = other.set("k", "v").commits[-1]
    with pytest.raises(RefusedError, match="main does not hold it yet"):
        find_on_main(ledger.place, private)
    merge = ledger.place.store.commit(me.set("z", 1).commits[-1]).parents[0]
    other.set("k", "w")
    assert find_on_main(ledger.place, private) == merge
    assert find_on_main(ledger.place, shared) == shared
    assert find_on_main(ledger.place, "main") == main_tip(ledger.place)
