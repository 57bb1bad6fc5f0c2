"""The fold: one state from a set of events, in whatever order and however often they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.golden_events import EVENTS, LEASE
from tests.core.histories import Histories, Step, steps
from tests.core.strategies import events, histories

from ledger.core import canonical
from ledger.core import fold as folding
from ledger.core.event import Event
from ledger.core.events import TYPES
from ledger.core.fold import FOLD, FOLDS, FORMAT, apply, fold, in_order, refuse_newer, version_of
from ledger.core.state import Document, State, lease_path, session_path, task_path
from ledger.errors import DamageError, NewerFormatError

GOLDEN = Path(__file__).parent / "golden"
NONE: Document = {}


@given(histories(), st.randoms())
def test_neither_the_order_nor_repetition_of_events_matters(history: list[Event], chance: object) -> None:
    again = [*history, *history]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert fold(again) == fold(history)


@given(steps)
def test_a_fold_goes_on_from_a_checkpoint(history: list[Step]) -> None:
    model = Histories(1)
    for step in history:
        model.step(step)
    written = in_order(commit.event for commit in model.commits)
    for at in range(len(written)):
        assert fold(written[at:], fold(written[:at])) == fold(written)


@given(histories(), histories())
def test_the_state_that_a_fold_starts_from_stays_as_it_is(before: list[Event], after: list[Event]) -> None:
    start = fold(before)
    kept = State(start.documents)
    fold(after, start)
    assert start == kept


@given(histories())
def test_events_are_folded_in_the_order_of_their_ids(history: list[Event]) -> None:
    state = State()
    for event in sorted(history, key=lambda event: event.id):
        state.update(apply(state, event))
    assert state == fold(reversed(history))


def test_one_id_with_two_bodies_is_damage_even_where_python_sees_none() -> None:
    event = replace(EVENTS["context.set"], data={"key": "k", "value": 1})
    assert in_order([event, replace(event)]) == [event]
    for other in (True, 1.0, 2):
        with pytest.raises(DamageError, match=f"{event.id} has two bodies") as caught:
            in_order([event, replace(event, data={"key": "k", "value": other})])
        assert "ledger verify" in (caught.value.hint or "")


@given(events())
def test_an_unknown_type_changes_nothing(event: Event) -> None:
    own = replace(event, type="own.type")
    assert folding.footprint(own) == ()
    assert apply(fold([event]), own) == {}


def test_an_empty_history_is_an_empty_state() -> None:
    assert fold([]) == State()


# Versions


def test_a_ledger_says_which_fold_and_format_it_was_written_under() -> None:
    created = EVENTS["ledger.created"]
    assert version_of(State()) == (FOLD, FORMAT)
    assert version_of(fold([created])) == (1, 1)
    assert version_of(fold([created, EVENTS["ledger.upgraded"]])) == (2, 1)


def test_a_version_is_raised_and_never_lowered() -> None:
    created = replace(EVENTS["ledger.created"], data={**EVENTS["ledger.created"].data, "fold": 3, "format": 2})
    assert version_of(fold([created, EVENTS["ledger.upgraded"]])) == (3, 2)


def test_a_newer_ledger_is_not_written() -> None:
    refuse_newer(fold([EVENTS["ledger.created"]]))
    with pytest.raises(NewerFormatError) as caught:
        refuse_newer(fold([EVENTS["ledger.created"], EVENTS["ledger.upgraded"]]))
    assert (caught.value.found, caught.value.known) == (2, 1)
    assert "this ledger has fold 2" in caught.value.message


def test_a_fold_that_this_program_has_not_is_refused_and_not_guessed() -> None:
    assert set(FOLDS) == set(range(1, FOLD + 1))
    with pytest.raises(NewerFormatError):
        fold([EVENTS["note.added"]], version=FOLD + 1)


def test_an_upgrade_of_a_ledger_that_nobody_created_changes_nothing() -> None:
    assert fold([EVENTS["ledger.upgraded"]]) == State()


def test_a_ledger_is_created_once() -> None:
    again = replace(EVENTS["ledger.created"], id=EVENTS["note.added"].id, data={"ledger": "x", "format": 9, "fold": 9})
    assert fold([EVENTS["ledger.created"], again]) == fold([EVENTS["ledger.created"]])


# The roster, tasks and leases


def at(number: int, name: str, **more: object) -> Event:
    return replace(EVENTS[name], id=f"01a203d1-6600-7{number:03x}-8000-000000000000", **more)  # type: ignore[arg-type]


def test_a_session_lives_from_its_start_to_its_end() -> None:
    session = EVENTS["session.started"].session
    started = [at(1, "session.started"), at(2, "checkpoint.created"), at(3, "session.crashed")]
    entry = fold(started).get(session_path(session)) or NONE
    assert entry["agent"] == "claude-code"
    assert entry["checkpoint"] == started[1].id
    assert entry["crashed"] == started[2].time
    recovered = fold([*started, at(4, "session.recovered")]).get(session_path(session)) or NONE
    assert "crashed" not in recovered
    assert fold([*started, at(4, "session.recovered"), at(5, "session.ended")]) == State()


def test_a_session_that_had_ended_is_on_the_roster_again_when_it_is_resumed() -> None:
    history = [at(1, "session.started"), at(2, "session.ended"), at(3, "session.resumed")]
    entry = fold(history).get(session_path(EVENTS["session.started"].session)) or NONE
    assert entry["started"] == history[2].time
    assert entry["event"] == history[2].id


@pytest.mark.parametrize("name", ["session.resumed", "session.started"])
def test_a_crashed_session_that_goes_on_is_no_longer_crashed(name: str) -> None:
    history = [at(1, "session.started"), at(2, "session.crashed"), at(3, name)]
    entry = fold(history).get(session_path(EVENTS["session.started"].session)) or NONE
    assert "crashed" not in entry
    assert entry["started"] == history[0].time


@pytest.mark.parametrize("name", ["session.crashed", "session.recovered", "session.ended", "checkpoint.created"])
def test_what_happens_to_a_session_that_is_not_on_the_roster_changes_nothing(name: str) -> None:
    assert fold([EVENTS[name]]) == State()


def test_a_task_goes_from_open_to_its_outcome_and_can_be_begun_again() -> None:
    history = [at(1, "task.created"), at(2, "task.assigned"), at(3, "task.started"), at(4, "task.failed")]
    path = task_path("port-auth")
    failed = fold(history).get(path) or NONE
    assert (failed["status"], failed["outcome"], failed["ended"]) == ("failed", "the API is gone", history[3].time)
    begun = fold([*history, at(5, "task.started")]).get(path) or NONE
    assert begun["status"] == "started"
    assert not {"outcome", "ended"} & set(begun)
    done = fold([*history, at(5, "task.completed", data={"task": "port-auth"})]).get(path) or NONE
    assert done["status"] == "completed"
    assert "outcome" not in done or done["outcome"] != "the API is gone"


@pytest.mark.parametrize("name", ["task.assigned", "task.started", "task.completed", "task.failed"])
def test_a_task_that_nobody_created_stays_unknown(name: str) -> None:
    assert fold([EVENTS[name]]) == State()


def test_a_task_that_is_assigned_anew_is_open_again() -> None:
    history = [at(1, "task.created"), at(2, "task.started"), at(3, "task.completed")]
    anew = at(4, "task.assigned", data={"task": "port-auth", "role": "dev"})
    entry = fold([*history, anew]).get(task_path("port-auth")) or NONE
    assert (entry["status"], entry["role"]) == ("open", "dev")
    assert not {"to", "started", "ended", "outcome"} & set(entry)


def test_of_two_sessions_that_start_one_task_the_first_stays() -> None:
    other = "0b5ad3f2-6c1e-5f0a-9d2e-7a1b2c3d4e5f"
    history = [at(1, "task.created"), at(2, "task.started"), at(3, "task.started", session=other)]
    entry = fold(history).get(task_path("port-auth")) or NONE
    assert (entry["to"], entry["started"], entry["last"]) == (history[1].session, history[1].time, history[2].id)


def test_only_its_owner_renews_a_lease_and_another_session_that_takes_it_must_say_why() -> None:
    other = "0b5ad3f2-6c1e-5f0a-9d2e-7a1b2c3d4e5f"
    acquired = replace(EVENTS["lease.acquired"], id=LEASE)
    foreign = {"session": other, "data": {"lease": LEASE}}
    assert fold([acquired, at(9, "lease.renewed", **foreign)]) == fold([acquired])
    assert fold([acquired, at(9, "lease.released", **foreign)]) == fold([acquired])
    told = {"lease": LEASE, "because": "its owner is dead"}
    assert fold([acquired, at(9, "lease.released", session=other, data=told)]) == State()


def test_a_lease_lives_until_it_is_released_or_its_owner_ends() -> None:
    acquired = replace(EVENTS["lease.acquired"], id=LEASE)
    path = lease_path(LEASE)
    assert (fold([acquired]).get(path) or NONE)["ttl"] == 900
    renewed = fold([acquired, replace(EVENTS["lease.renewed"], data={"lease": LEASE, "ttl": 60})]).get(path) or NONE
    assert (renewed["ttl"], renewed["acquired"]) == (60, acquired.time)
    assert fold([acquired, EVENTS["lease.released"]]) == State()
    assert fold([acquired, EVENTS["session.ended"]]) == State()


def test_the_end_of_one_session_does_not_free_the_lease_of_another() -> None:
    acquired = replace(EVENTS["lease.acquired"], id=LEASE, session="0b5ad3f2-6c1e-5f0a-9d2e-7a1b2c3d4e5f")
    assert fold([acquired, EVENTS["session.ended"]]) == fold([acquired])


# Bytes


def test_the_documents_of_a_small_history_are_what_they_always_were() -> None:
    """Pinned: whoever changes them has a new fold version to write, and an old one to keep."""
    state = fold(EVENTS.values())
    text = "".join(f"== {path}\n{canonical.dumps(document)}" for path, document in state.under(""))
    assert text == (GOLDEN / "state.txt").read_text(encoding="utf-8")


def test_the_small_history_holds_every_type() -> None:
    assert set(EVENTS) == set(TYPES)
