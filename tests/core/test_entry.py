"""Entries and conflicts: what a writer saw it replaces, what it did not see stays visible."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import SESSIONS, event_id

from ledger.core import canonical
from ledger.core.entry import MAX_LOSERS, Entry, entry_of, siblings
from ledger.core.event import Event, Prev
from ledger.core.fold import apply, fold
from ledger.core.policies import BUILT_IN, policy
from ledger.core.policies.map import MAX_FIELDS
from ledger.core.policies.policy import Cell
from ledger.core.policies.set import MAX_ELEMENTS
from ledger.core.state import Document, State, conflicts_path, context_path, session_path

KEY = "k"
NONE: Document = {}
STARTED = {"agent": "a", "key": "x"}


def event(number: int, kind: str, data: Document, *seen: int) -> Event:
    prev: Prev = [name(n) for n in seen] if len(seen) > 1 else name(seen[0]) if seen else None
    return Event(
        name(number),
        kind,
        1,
        str(SESSIONS[0]),
        f"2026-11-22T12:00:{number % 60:02}.000000Z",
        data,
        prev,
        changes_state=True,
    )


def name(number: int) -> str:
    return str(event_id(number, number))


def written(number: int, value: Any, *seen: int, **more: Any) -> Event:
    return event(number, "context.set", {"key": KEY, "value": value, **more}, *seen)


def added(number: int, by: int, *seen: int) -> Event:
    return event(number, "context.incremented", {"key": KEY, "policy": "counter", "by": by}, *seen)


def deleted(number: int, *seen: int) -> Event:
    return event(number, "context.deleted", {"key": KEY}, *seen)


def resolved(number: int, value: Any, *seen: int, **more: Any) -> Event:
    return event(number, "conflict.resolved", {"key": KEY, "value": value, **more}, *seen)


def stands(*events: Event) -> Any:
    """What stands at the key: its value, or `deleted`."""
    document = fold(events).get(context_path(KEY)) or NONE
    return "deleted" if document.get("deleted") else document.get("value")


def lost(*events: Event) -> list[Any]:
    """What lost at the key, oldest first: each value, or `deleted`."""
    document = fold(events).get(conflicts_path(KEY)) or {"losers": []}
    return ["deleted" if loser.get("deleted") else loser["value"] for loser in document["losers"]]


def heads(*events: Event) -> list[str]:
    state = fold(events)
    return siblings(state.get(context_path(KEY)), state.get(conflicts_path(KEY)))


# What was seen, and what was not


def test_a_write_replaces_what_it_saw() -> None:
    history = written(1, "a"), written(2, "b", 1)
    assert (stands(*history), lost(*history)) == ("b", [])


def test_of_writes_that_did_not_see_each_other_the_greatest_id_wins_and_the_others_are_kept() -> None:
    history = written(1, "a"), written(2, "b"), written(3, "c")
    assert (stands(*history), lost(*history)) == ("c", ["a", "b"])
    assert heads(*history) == [name(1), name(2), name(3)]


def test_a_later_write_that_saw_all_settles_a_conflict() -> None:
    history = written(1, "a"), written(2, "b"), written(3, "c", 1, 2)
    assert (stands(*history), lost(*history)) == ("c", [])
    assert fold(history).get(conflicts_path(KEY)) is None


def test_a_later_write_that_saw_one_of_them_leaves_the_other() -> None:
    assert lost(written(1, "a"), written(2, "b"), written(3, "c", 2)) == ["a"]
    assert lost(written(1, "a"), written(2, "b"), written(3, "c", 1)) == ["b"]


def test_a_chain_of_writes_beside_another_leaves_one_loser_and_not_each_link() -> None:
    history = written(1, "x"), written(2, "a"), written(3, "b", 2), written(4, "c", 3)
    assert (stands(*history), lost(*history)) == ("c", ["x"])


def test_a_write_that_names_what_is_no_longer_there_has_not_seen_what_is() -> None:
    history = written(1, "a"), written(2, "b", 1), written(3, "c", 1)
    assert (stands(*history), lost(*history)) == ("c", ["b"])


def test_the_losers_that_are_kept_are_the_newest() -> None:
    writes = [written(n, n) for n in range(1, MAX_LOSERS + 12)]
    assert lost(*writes) == list(range(11, MAX_LOSERS + 11))


def test_a_loser_tells_who_wrote_it_when_and_under_which_policy() -> None:
    document = fold([written(1, "a"), written(2, "b")]).get(conflicts_path(KEY))
    assert document == {
        "key": KEY,
        "last": name(2),
        "losers": [
            {
                "event": name(1),
                "policy": "lww",
                "session": str(SESSIONS[0]),
                "time": "2026-11-22T12:00:01.000000Z",
                "value": "a",
            }
        ],
    }


# Deletes


def test_a_delete_that_saw_the_write_leaves_a_small_tombstone() -> None:
    state = fold([written(1, "a"), deleted(2, 1)])
    assert state.documents == {
        context_path(KEY): {
            "deleted": True,
            "event": name(2),
            "last": name(2),
            "policy": "lww",
            "session": str(SESSIONS[0]),
            "time": "2026-11-22T12:00:02.000000Z",
        }
    }


def test_a_delete_that_did_not_see_a_write_wins_if_it_is_later_and_keeps_the_write_visible() -> None:
    history = written(1, "a"), written(2, "b", 1), deleted(3, 1)
    assert (stands(*history), lost(*history)) == ("deleted", ["b"])


def test_a_write_that_did_not_see_a_delete_wins_if_it_is_later_and_keeps_the_delete_visible() -> None:
    history = written(1, "a"), deleted(2, 1), written(3, "b", 1)
    assert (stands(*history), lost(*history)) == ("b", ["deleted"])


def test_a_write_that_saw_the_delete_starts_anew() -> None:
    history = added(1, 5), deleted(2, 1), added(3, 2, 2)
    assert (stands(*history), lost(*history)) == (2, [])


def test_a_key_that_never_was_can_be_deleted() -> None:
    assert stands(deleted(1)) == "deleted"


# Resolving


def test_resolving_by_one_who_saw_all_leaves_no_losers() -> None:
    history = written(1, "a"), written(2, "b"), resolved(3, "a", 1, 2)
    assert (stands(*history), lost(*history)) == ("a", [])


def test_resolving_leaves_what_it_did_not_see() -> None:
    history = written(1, "a"), written(2, "b"), written(3, "c"), resolved(4, "a", 1, 2)
    assert (stands(*history), lost(*history)) == ("a", ["c"])


def test_a_conflict_can_be_resolved_by_a_delete() -> None:
    settled = event(3, "conflict.resolved", {"key": KEY, "deleted": True}, 1, 2)
    assert stands(written(1, "a"), written(2, "b"), settled) == "deleted"
    assert lost(written(1, "a"), written(2, "b"), settled) == []


HELD = {"lww": "x", "counter": 7, "set": ["a", "b"], "map": {"f": 1}, "log": ["i"], "text": "t\n", "max": 3, "min": 3}


@pytest.mark.parametrize("used", BUILT_IN)
def test_a_value_can_be_put_in_place_under_every_policy_and_written_on(used: str) -> None:
    state = fold([written(1, "old"), resolved(2, HELD[used], 1, policy=used)])
    document = state.get(context_path(KEY)) or NONE
    assert document["value"] == HELD[used]
    entry = entry_of(document)
    assert entry is not None
    op = policy(used).diff(entry.cell, HELD[used])
    again = event(3, op.type, {"key": KEY, "policy": used, **op.fields}, 2)
    assert stands(written(1, "old"), resolved(2, HELD[used], 1, policy=used), again) == HELD[used]


def test_restoring_puts_every_key_back_and_names_what_it_did_not_see() -> None:
    back = event(3, "context.restored", {"entries": [{"key": KEY, "value": "a"}, {"key": "gone", "deleted": True}]}, 1)
    state = fold([written(1, "a"), written(2, "b", 1), back])
    assert (state.get(context_path(KEY)) or NONE)["value"] == "a"
    assert (state.get(context_path("gone")) or NONE)["deleted"]
    assert lost(written(1, "a"), written(2, "b", 1), back) == ["b"]


def test_a_decision_stands_at_its_key_with_its_reasons() -> None:
    decided = event(1, "decision.recorded", {"key": KEY, "decision": "x", "because": "y", "instead_of": ["z"]})
    assert stands(decided) == {"decision": "x", "because": "y", "instead_of": ["z"]}


# Policies that combine


def test_combined_writes_are_no_losers_and_are_named_until_someone_sees_them() -> None:
    history = added(1, 5), added(2, 1, 1), added(3, 1, 1)
    assert (stands(*history), lost(*history)) == (7, [])
    assert heads(*history) == [name(2), name(3)]
    assert heads(*history, added(4, 1, 2, 3)) == [name(4)]


def test_a_delete_that_saw_one_of_two_combined_writes_keeps_the_other_visible() -> None:
    """It names the write that won, as its replica knew it before the two were combined."""
    history = added(1, 5), added(2, 1, 1), added(3, 1, 1), deleted(4, 3)
    assert (stands(*history), lost(*history)) == ("deleted", [7])
    document = fold(history).get(conflicts_path(KEY)) or NONE
    assert [loser["event"] for loser in document["losers"]] == [name(2)]


def test_a_delete_that_saw_both_combined_writes_is_no_conflict() -> None:
    assert lost(added(1, 5), added(2, 1, 1), added(3, 1, 1), deleted(4, 2, 3)) == []


def test_a_write_under_another_policy_replaces_and_keeps_what_it_did_not_see() -> None:
    history = added(1, 5), written(2, "x")
    assert (stands(*history), lost(*history)) == ("x", [5])
    back = written(1, "x"), added(2, 5)
    assert (stands(*back), lost(*back)) == (5, ["x"])
    assert lost(written(1, "x"), added(2, 5, 1)) == []


def test_a_field_of_a_map_that_lost_is_kept_for_itself() -> None:
    def put(number: int, value: int, *seen: int) -> Event:
        marks = {"f": name(seen[0])} if seen else {}
        return event(number, "context.set", {"key": KEY, "policy": "map", "fields": {"f": value}, "seen": marks}, *seen)

    history = put(1, 0), put(2, 1, 1), put(3, 2, 1)
    assert (stands(*history), lost(*history)) == ({"f": 2}, [{"f": 1}])


def test_elements_that_find_no_room_are_kept_as_their_own_writes() -> None:
    full = event(1, "context.added", {"key": KEY, "policy": "set", "values": list(range(MAX_ELEMENTS))})
    more = event(2, "context.added", {"key": KEY, "policy": "set", "values": ["x", "y"]}, 1)
    document = fold([full, more]).get(conflicts_path(KEY)) or NONE
    assert [(loser["event"], loser["value"]) for loser in document["losers"]] == [(name(2), ["x", "y"])]


def test_fields_of_a_map_that_find_no_room_are_kept_as_their_own_write() -> None:
    def put(number: int, fields: Document, *seen: int) -> Event:
        data = {"key": KEY, "policy": "map", "fields": fields, "remove": [], "seen": {}}
        return event(number, "context.set", data, *seen)

    document = fold([put(1, {f"f{n}": n for n in range(MAX_FIELDS)}), put(2, {"x": 1, "f0": 2}, 1)])
    losers = (document.get(conflicts_path(KEY)) or NONE)["losers"]
    assert [(loser["event"], loser["value"]) for loser in losers] == [(name(1), {"f0": 0}), (name(2), {"x": 1})]


def test_a_text_without_a_base_replaces_what_its_writer_saw_and_nothing_else_unnoticed() -> None:
    def put(number: int, value: str, *seen: int) -> Event:
        return event(number, "context.set", {"key": KEY, "policy": "text", "value": value}, *seen)

    assert lost(put(1, "a\n"), put(2, "b\n", 1)) == []
    assert lost(put(1, "a\n"), put(2, "b\n")) == ["a\n"]
    assert stands(put(1, "a\n"), put(2, "b\n")) == "b\n"


# Scopes


def test_a_write_of_a_session_without_an_entry_changes_nothing() -> None:
    for own in (written(2, "x", scope="session"), event(2, "context.deleted", {"key": KEY, "scope": "session"})):
        assert fold([own]) == State()
        assert apply(State(), own) == {}


def test_a_write_of_a_session_stays_in_its_folder() -> None:
    state = fold(
        [event(1, "session.started", STARTED), written(2, "x", scope="session"), written(3, "y", scope="session")]
    )
    assert set(state.documents) == {
        session_path(SESSIONS[0]),
        context_path(KEY, SESSIONS[0]),
        conflicts_path(KEY, SESSIONS[0]),
    }


def test_an_end_takes_the_folder_away_and_what_comes_later_finds_none() -> None:
    started, own = event(1, "session.started", STARTED), written(2, "x", scope="session")
    ended = event(3, "session.ended", {})
    assert fold([started, own, ended, written(4, "y", scope="session")]) == State()


def test_a_time_to_live_is_kept_for_readers() -> None:
    assert (fold([written(1, "x", ttl=60)]).get(context_path(KEY)) or NONE)["ttl"] == 60


def ttl(*events: Event) -> int | None:
    return (fold(events).get(context_path(KEY)) or NONE).get("ttl")


def test_a_write_that_replaces_says_anew_how_long_its_value_counts() -> None:
    assert ttl(written(1, "x", ttl=60), written(2, "y", 1)) is None
    assert ttl(written(1, "x", ttl=60), written(2, "y", 1, ttl=5)) == 5
    assert ttl(written(1, "x", ttl=60), resolved(2, "y", 1)) is None


def test_a_step_leaves_the_time_that_a_value_counts_unless_it_says_another() -> None:
    def step(number: int, *seen: int, **more: Any) -> Event:
        return event(number, "context.incremented", {"key": KEY, "policy": "counter", "by": 1, **more}, *seen)

    assert ttl(step(1, ttl=60), step(2, 1)) == 60
    assert ttl(step(1, ttl=60), step(2)) == 60
    assert ttl(step(1, ttl=60), step(2, 1, ttl=5), step(3, 2)) == 5
    assert ttl(step(1), step(2, 1)) is None
    assert ttl(step(1, ttl=60), deleted(2, 1), step(3, 2)) is None


# Documents


@given(
    st.sampled_from(BUILT_IN),
    st.booleans(),
    st.none() | st.integers(1, 9),
    st.lists(st.integers(1, 3), unique=True, max_size=2),
)
def test_an_entry_comes_back_from_its_document(used: str, is_deleted: bool, ttl: int | None, merged: list[int]) -> None:
    cell = Cell() if is_deleted else Cell({"a": 1}, {"m": ["x"]})
    others = tuple({"event": name(n), "session": str(SESSIONS[0]), "time": "t"} for n in merged)
    kept = () if is_deleted else others
    entry = Entry(cell, used, name(5), str(SESSIONS[1]), "t", name(6), is_deleted, None if is_deleted else ttl, kept)
    assert entry_of(entry.document()) == entry
    assert canonical.loads(canonical.dumps(entry.document())) == entry.document()


def test_no_document_is_no_entry_and_has_no_siblings() -> None:
    assert entry_of(None) is None
    assert siblings(None, None) == []


# The rule itself, against a model of it


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(1, 8), max_size=3)), max_size=8))
def test_siblings_are_what_stood_less_what_was_seen_plus_the_write(history: list[tuple[bool, set[int]]]) -> None:
    events, model = [], set()
    for number, (is_delete, named) in enumerate(history, 1):
        seen = {n for n in named if n < number}
        events.append(deleted(number, *sorted(seen)) if is_delete else written(number, number, *sorted(seen)))
        model = (model - seen) | {number}
    assert heads(*events) == sorted(name(n) for n in model)
    if events:
        assert (fold(events).get(context_path(KEY)) or NONE)["event"] == name(max(model))


@given(st.lists(st.tuples(st.integers(-5, 5), st.sets(st.integers(1, 8), max_size=3)), max_size=8))
def test_siblings_of_combined_writes_are_the_same_and_the_sum_is_of_all(history: list[tuple[int, set[int]]]) -> None:
    events, model = [], set()
    for number, (step, named) in enumerate(history, 1):
        seen = {n for n in named if n < number}
        events.append(added(number, step, *sorted(seen)))
        model = (model - seen) | {number}
    assert heads(*events) == sorted(name(n) for n in model)
    if events:
        assert stands(*events) == sum(step for step, _ in history)
    assert lost(*events) == []
