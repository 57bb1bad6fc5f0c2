"""The law: whoever merges, in whatever order, the state of a commit is the fold of all it reaches."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.histories import Histories, Step, steps, taken
from tests.core.strategies import SESSIONS, event_id, events, histories

from ledger.core import canonical, schema
from ledger.core.event import Event
from ledger.core.events import message_of
from ledger.core.fold import fold, footprint
from ledger.core.merge import Base, Merge, by_unit, fold_unit, merge, merge_by_last
from ledger.core.state import POLICY, State, context_path, key_of, name_of, unit_paths

MANY = settings(max_examples=3 * settings.default.max_examples, suppress_health_check=[HealthCheck.too_slow])


def state_after(history: list[Step]) -> State:
    model = Histories(1)
    for step in history:
        model.step(step)
    return model.head(0).state


starts = st.one_of(st.none(), steps.map(state_after))


def written(number: int, key: str, value: object, prev: str | None = None, *, millis: int = 0) -> Event:
    data = {"key": key, "policy": "counter", "by": value} if isinstance(value, int) else {"key": key, "value": value}
    kind = "context.incremented" if isinstance(value, int) else "context.set"
    name = str(event_id(millis or number, number))
    return Event(name, kind, 1, str(SESSIONS[0]), "2026-11-22T12:00:00.000000Z", data, prev, changes_state=True)


# The law


@MANY
@given(st.integers(2, 5), starts, steps)
def test_the_state_of_every_commit_is_the_fold_of_what_it_reaches(
    replicas: int, start: State | None, history: list[Step]
) -> None:
    model = Histories(replicas, start)
    for step in history:
        model.step(step)
    model.exchange()
    for commit in model.commits:
        assert commit.state == model.refolded(commit)
    assert all(model.head(n).state == model.head(0).state for n in range(replicas))


@MANY
@given(st.integers(2, 4), steps)
def test_a_merge_gives_the_same_from_either_side(replicas: int, history: list[Step]) -> None:
    model = Histories(replicas)
    for step in history:
        model.step(step)
    for one in range(replicas):
        ours, theirs = model.head(one), model.head((one + 1) % replicas)
        assert model.merged(ours, theirs)[0] == model.merged(theirs, ours)[0]


@MANY
@given(st.integers(2, 4), starts, steps)
def test_what_is_found_without_the_events_of_ours_is_what_the_whole_merge_finds(
    replicas: int, start: State | None, history: list[Step]
) -> None:
    model = Histories(replicas, start)
    for step in history:
        model.step(step)
    for ours, theirs in itertools.permutations([model.head(n) for n in range(replicas)], 2):
        (base, *others) = model.bases(ours, theirs)
        if others:
            continue
        only_theirs = model.events(theirs.reach & ~ours.reach)
        found, left = merge_by_last(ours.state, only_theirs, model.commits[base].state)
        assert {*found.take, *found.refolded, *left} == by_unit(only_theirs).keys()
        state, whole = taken(ours.state, theirs.state, found), model.merged(ours, theirs)[0]
        places = tuple(path for unit in left for path in unit_paths(unit))
        outside = [
            State(
                {path: d for path, d in one.documents.items() if not path.startswith(places)}
                if places
                else one.documents
            )
            for one in (state, whole)
        ]
        assert outside[0] == outside[1]


@given(histories())
def test_an_event_says_the_name_of_every_unit_that_it_may_touch(history: list[Event]) -> None:
    for event in history:
        assert all(name_of(unit) in message_of(event).decode() for unit in footprint(event))


@given(st.integers(2, 3), steps)
def test_merging_what_is_there_already_changes_nothing(replicas: int, history: list[Step]) -> None:
    model = Histories(replicas)
    for step in history:
        model.step(step)
    for commit in model.commits:
        for reached in (commit.number, *commit.parents):
            assert model.merged(commit, model.commits[reached]) == (commit.state, Merge())


@given(steps)
def test_a_merge_with_a_descendant_is_what_a_fast_forward_gives(history: list[Step]) -> None:
    model = Histories(1)
    for step in history:
        model.step(step)
    first, last = model.commits[0], model.head(0)
    assert model.merged(first, last)[0] == last.state


@given(st.integers(2, 3), steps)
def test_every_document_of_a_state_is_valid_and_can_be_written(replicas: int, history: list[Step]) -> None:
    model = Histories(replicas)
    for step in history:
        model.step(step)
    model.exchange()
    for path, document in model.head(0).state.documents.items():
        assert schema.explain(schema.schema(document_schema(path)), document) == []
        assert schema.is_valid(document_schema(path), document)
        assert canonical.loads(canonical.dumps(document)) == document


@given(st.integers(2, 3), steps)
def test_the_model_writes_events_that_every_rule_accepts(replicas: int, history: list[Step]) -> None:
    model = Histories(replicas)
    for step in history:
        model.step(step)
    for event in model.events(model.commits[-1].reach):
        assert schema.event_problems(event) == []


def document_schema(path: str) -> str:
    if path.startswith("sessions/") and not path.endswith("/session.yaml"):
        path = path.split("/", 2)[2]
    folders = {"context": "entry", "conflicts": "conflicts", "sessions": "session", "tasks": "task", "leases": "lease"}
    return folders.get(path.split("/")[0], path.removesuffix(".yaml"))


# How it gets there


def test_a_unit_with_new_events_on_one_side_is_taken_as_it_stands() -> None:
    base = fold([written(1, "k", "x")])
    theirs = [written(2, "other", "y")]
    found = merge(base, [], theirs, [Base(base, theirs)], lambda: pytest.fail("no history is needed"))
    assert found == Merge(take=(context_path("other"),))


def test_later_writes_on_both_sides_are_folded_on_the_base_without_the_history() -> None:
    first, mine, new = written(1, "k", 5), written(2, "k", 3), written(3, "k", 4)
    base = fold([first])
    found = merge(
        fold([first, mine]), [mine], [new], [Base(base, [mine, new])], lambda: pytest.fail("no history is needed")
    )
    assert found.refolded == (context_path("k"),)
    assert taken(fold([first, mine]), fold([first, new]), found) == fold([first, mine, new])


def test_what_comes_after_all_that_ours_did_needs_no_event_of_ours() -> None:
    first, mine, new, other = (written(n, key, n) for n, key in enumerate(("k", "k", "k", "other"), 1))
    base, ours = fold([first]), fold([first, mine])
    found, left = merge_by_last(ours, [new, other], base)
    assert (found.take, found.refolded, left) == ((context_path("other"),), (context_path("k"),), ())
    assert taken(ours, fold([first, new, other]), found) == fold([first, mine, new, other])


def test_what_comes_before_something_of_ours_is_left_to_the_whole_merge() -> None:
    first, new, mine = (written(n, "k", n) for n in range(3))
    assert merge_by_last(fold([first, mine]), [new], fold([first])) == (Merge(), (context_path("k"),))


def test_of_a_session_that_is_not_on_our_roster_nothing_is_taken_unread() -> None:
    """It may have come and gone there: what left no trace may still have a say."""
    data = {"agent": "agent", "key": "1"}
    started = Event(str(event_id(2)), "session.started", 1, str(SESSIONS[0]), "", data)
    found, left = merge_by_last(State(), [started], State())
    assert (found, left) == (Merge(), (f"sessions/{SESSIONS[0]}/",))


def test_a_write_of_a_clock_that_is_behind_asks_for_the_history() -> None:
    late, first, mine = written(1, "k", 4), written(2, "k", 5), written(3, "k", 3)
    asked: list[int] = []

    def history() -> list[Event]:
        asked.append(1)
        return [first, mine, late]

    found = merge(fold([first, mine]), [mine], [late], [Base(fold([first]), [mine, late])], history)
    assert taken(fold([first, mine]), State(), found) == fold([late, first, mine])
    assert asked == [1]


def test_the_history_is_asked_for_once_however_many_units_need_it() -> None:
    keys = ("a", "b", "c")
    theirs = [written(n, key, n) for n, key in enumerate(keys, 1)]
    first = [written(n, key, n) for n, key in enumerate(keys, 4)]
    ours = [written(n, key, n) for n, key in enumerate(keys, 7)]
    asked: list[int] = []

    def history() -> list[Event]:
        asked.append(1)
        return [*first, *ours, *theirs]

    base, mine = fold(first), fold([*first, *ours])
    found = merge(mine, ours, theirs, [Base(base, [*ours, *theirs])], history)
    assert taken(mine, fold([*first, *theirs]), found) == fold([*first, *ours, *theirs])
    assert asked == [1]


def test_a_key_that_both_sides_made_needs_no_history() -> None:
    """Every event on a key leaves a trace: where the base has none, nothing came before."""
    ours, theirs = [written(1, "k", 5), written(4, "k", 1)], [written(2, "k", 3)]
    base = Base(State(), [*ours, *theirs])
    found = merge(fold(ours), ours, theirs, [base], lambda: pytest.fail("no history is needed"))
    assert taken(fold(ours), fold(theirs), found) == fold([*ours, *theirs])


def test_a_counter_merged_twice_around_a_criss_cross_is_right() -> None:
    """5, then +1 on each side, merged both ways, and merged again: 7, where ours + theirs - base gives 8."""
    root, one, two = written(1, "k", 5), written(2, "k", 1), written(3, "k", 1)
    merged = fold([root, one, two])
    bases = [Base(fold([root, one]), [two]), Base(fold([root, two]), [one])]
    found = merge(merged, [], [], bases, lambda: pytest.fail("nothing is new"))
    state = taken(merged, merged, found)
    assert (state.get(context_path("k")) or {})["value"] == 7


def test_values_that_python_takes_for_equal_are_told_apart() -> None:
    """A full log whose middle gains a `true` beside its ones: each item equals 1 to Python, none of the texts does."""
    data = {"key": "k", "policy": "log", "values": [1] * 1000}
    first = Event(str(event_id(1)), "context.added", 1, str(SESSIONS[0]), "", data, changes_state=True)
    theirs = Event(
        str(event_id(2)), "context.added", 1, str(SESSIONS[0]), "", {**data, "values": [True]}, changes_state=True
    )
    ours = Event(
        str(event_id(3)), "context.added", 1, str(SESSIONS[0]), "", {**data, "values": [1]}, changes_state=True
    )
    # It names both, or the entries would differ in what they say was merged unseen.
    ours = replace(ours, prev=[first.id, theirs.id])
    mine = fold([first, ours])
    base = Base(fold([first]), [ours, theirs])
    assert taken(mine, fold([first, theirs]), merge(mine, [ours], [theirs], [base], list)) == fold(
        [first, theirs, ours]
    )


@given(histories(), events())
def test_the_fold_of_a_unit_is_that_part_of_the_fold_of_all(before: list[Event], event: Event) -> None:
    whole = fold([*before, event])
    for unit, found in by_unit([*before, event]).items():
        alone = fold_unit(unit, found, State())
        assert all(whole.get(path) == document for path, document in alone.documents.items())
        assert key_of(unit) is None or alone.documents or whole.get(unit) is None


def test_the_declared_policies_are_one_unit() -> None:
    event = Event(str(event_id(1)), "policy.set", 1, str(SESSIONS[0]), "", {"pattern": "a", "policy": "lww"})
    assert list(by_unit([event])) == [POLICY]
