"""Read: what stands at a key, for whom, and at which moment."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ledger.actions.read import list_conflicts, list_keys, read_key
from ledger.api import Ledger
from ledger.errors import InvalidError, NotFoundError


def value(ledger: Ledger, key: str, at: str | None = None, session: str | None = None) -> object:
    return read_key(ledger.place, key, at, session).entry.cell.value


def test_a_key_holds_what_was_last_written_and_says_by_which_event(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("auth/decision", "a")
    done = me.set("auth/decision", ["b", {"c": 1.5}])
    found = read_key(ledger.place, "auth/decision")
    assert found.entry.cell.value == ["b", {"c": 1.5}]
    assert (found.entry.event, found.entry.session, found.scope) == (done.events[-1].id, me.id, "shared")


def test_every_earlier_value_can_be_read_at_its_event(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    events = [me.set("k", number).events[-1].id for number in range(4)]
    assert [value(ledger, "k", at=event) for event in events] == [0, 1, 2, 3]


@pytest.mark.parametrize("key", ["absent", "k/below"])
def test_a_key_without_a_value_is_not_found(ledger: Ledger, key: str) -> None:
    ledger.session("agent", "1").set("k", 1)
    with pytest.raises(NotFoundError, match="no value stands"):
        read_key(ledger.place, key)


def test_a_deleted_key_is_not_found_now_and_still_there_before(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    before = me.set("k", 1).events[-1].id
    me.delete("k")
    with pytest.raises(NotFoundError):
        read_key(ledger.place, "k")
    assert value(ledger, "k", at=before) == 1
    assert list(list_keys(ledger.place)) == []


def test_a_value_with_a_time_to_live_is_over_when_that_is_over(ledger: Ledger) -> None:
    ledger.session("agent", "1").set("k", 1, ttl=60)
    now = ledger.place.now()
    ledger.place.now = lambda: now + 59_000_000
    assert value(ledger, "k") == 1
    ledger.place.now = lambda: now + 61_000_000
    with pytest.raises(NotFoundError):
        read_key(ledger.place, "k")


def test_what_is_no_key_is_refused_with_the_nearest_one(ledger: Ledger) -> None:
    with pytest.raises(InvalidError) as refused:
        read_key(ledger.place, "Auth Decision")
    assert refused.value.hint == "the nearest valid key is 'auth-decision'"


def test_a_sessions_own_value_hides_the_shared_one_from_it_alone(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("k", "shared")
    one.set("k", "mine", scope="session")
    assert value(ledger, "k", session=one.id) == "mine"
    assert value(ledger, "k", session=two.id) == value(ledger, "k") == "shared"


def test_a_session_sees_what_others_share_though_it_has_a_line_of_its_own(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("mine", 1, scope="session")
    two.set("theirs", 2)
    assert value(ledger, "theirs", session=one.id) == 2


def test_keys_are_listed_sorted_and_by_whole_segments(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    for key in ("b", "auth/x", "auth", "auth/y/z", "auth-other"):
        me.set(key, 1)
    names = [found.key for found in list_keys(ledger.place)]
    assert sorted(names) == ["auth", "auth-other", "auth/x", "auth/y/z", "b"]
    assert all(a < b for a, b in pairwise(names))
    assert {found.key for found in list_keys(ledger.place, "auth")} == {"auth", "auth/x", "auth/y/z"}
    assert {found.key for found in list_keys(ledger.place, "auth/")} == {"auth", "auth/x", "auth/y/z"}
    assert list(list_keys(ledger.place, "au")) == []


def test_conflicts_are_listed_until_somebody_settles_them(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("k", 0)
    for me in (one, two):
        me.get("k")
    one.set("k", 1)
    two.set("k", 2)
    (conflict,) = list_conflicts(ledger.place)
    assert (conflict.key, conflict.entry.cell.value, [loser["value"] for loser in conflict.losers]) == ("k", 2, [1])
    one.resolve("k", take=conflict.losers[0]["event"])
    assert list(list_conflicts(ledger.place)) == []
    assert value(ledger, "k") == 1
