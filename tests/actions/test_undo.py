"""Undo: it takes back what its own session wrote, and nothing that others wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ledger.actions.append import Draft
from ledger.actions.session import Session
from ledger.actions.undo import plan_undo, undo_drafts
from ledger.api import Ledger
from ledger.errors import NotFoundError

Step = Callable[[Session], object]
NOTE = Draft("note.added", {"text": "seen"})


def undo(ledger: Ledger, session: Session) -> list[str]:
    """Undo unasked; the keys at which others' writes are overruled."""
    planned = plan_undo(ledger.place, session.author)
    session.write(list(undo_drafts(planned)))
    return sorted(planned.later)


def value_of(ledger: Ledger, key: str = "k") -> Any:
    """What stands at a key; None where nothing does."""
    try:
        return ledger.get(key).entry.cell.value
    except NotFoundError:
        return None


def apart(me: Session, other: Session, mine: Draft, theirs: Step) -> None:
    """Write at one key side by side: neither has seen what the other wrote."""
    me.record([NOTE])
    me.record([mine])
    theirs(other)
    me.publish()


STEPS: list[tuple[Sequence[Step], Step, Step, Any]] = [
    ([lambda s: s.increment("k", 5)], lambda s: s.increment("k", 2), lambda s: s.increment("k", 40), 45),
    ([], lambda s: s.increment("k", 2), lambda s: s.increment("k", 40), 40),
    ([lambda s: s.add("k", "a")], lambda s: s.add("k", "b"), lambda s: s.add("k", "c"), ["a", "c"]),
    ([lambda s: s.add("k", "a", "b")], lambda s: s.remove("k", "a"), lambda s: s.add("k", "c"), ["a", "b", "c"]),
    ([lambda s: s.add("k", "a", "b")], lambda s: s.set("k", ["b", "d"]), lambda s: s.add("k", "c"), ["a", "b", "c"]),
    (
        [lambda s: s.add("k", 1, policy="log")],
        lambda s: s.add("k", 2, 3),
        lambda s: s.add("k", 4),
        [1, 4],
    ),
    (
        [lambda s: s.set("k", {"a": 1, "b": 1}, policy="map")],
        lambda s: s.set("k", {"a": 2, "n": 1}),
        lambda s: s.set("k", {"a": 2, "n": 1, "z": 9}),
        {"a": 1, "b": 1, "z": 9},
    ),
    (
        [lambda s: s.set("k", {"a": 1, "b": 1}, policy="map")],
        lambda s: s.remove("k", "a"),
        lambda s: s.set("k", {"z": 9}),
        {"a": 1, "z": 9},
    ),
]


@pytest.mark.parametrize(("before", "mine", "theirs", "left"), STEPS)
def test_undo_of_what_combines_leaves_what_others_wrote_later(
    ledger: Ledger, before: Sequence[Step], mine: Step, theirs: Step, left: Any
) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    for step in before:
        step(other)
    mine(me)
    theirs(other)
    assert undo(ledger, me) == []
    assert value_of(ledger) == left


@pytest.mark.parametrize(
    ("first", "mine", "theirs", "left"),
    [
        (
            lambda s: s.increment("k", 1),
            Draft("context.incremented", {"key": "k", "policy": "counter", "by": 2}),
            lambda s: s.increment("k", 40),
            41,
        ),
        (
            lambda s: s.add("k", "a"),
            Draft("context.added", {"key": "k", "policy": "set", "values": ["b", "c"]}),
            lambda s: s.add("k", "b"),
            ["a", "b"],
        ),
    ],
)
def test_undo_leaves_what_others_added_side_by_side(
    ledger: Ledger, first: Step, mine: Draft, theirs: Step, left: Any
) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    first(me)
    apart(me, other, mine, theirs)
    assert undo(ledger, me) == []
    assert value_of(ledger) == left


def test_undo_names_a_write_of_another_that_it_had_not_seen(ledger: Ledger) -> None:
    """It is earlier in the order of the fold, and all the same no part of what the undone write stood on."""
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.set("k", "old")
    me.record([NOTE])
    other.set("k", "theirs")
    later = ledger.place.now() + 1_000_000
    ledger.place.now = lambda: later
    me.record([Draft("context.set", {"key": "k", "policy": "lww", "value": "mine"})])
    me.publish()
    assert value_of(ledger) == "mine"
    assert list(plan_undo(ledger.place, me.author).later) == ["k"]


def test_undo_of_a_field_that_another_has_written_since_names_that_write(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.set("k", {"a": 1}, policy="map")
    me.set("k", {"a": 2})
    other.set("k", {"a": 3, "b": 3})
    assert undo(ledger, me) == ["k"]
    assert value_of(ledger) == {"a": 1, "b": 3}


def test_undo_of_a_step_names_a_write_that_replaced_the_whole_since(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.increment("k", 1)
    me.increment("k", 1)
    other.delete("k")
    assert list(plan_undo(ledger.place, me.author).later) == ["k"]


@pytest.mark.parametrize(
    "steps",
    [
        [lambda s: s.increment("k", 1), lambda s: s.increment("k", 2), lambda s: s.delete("k")],
        [lambda s: s.add("k", "a"), lambda s: s.add("k", "b"), lambda s: s.remove("k", "a"), lambda s: s.delete("k")],
        [lambda s: s.add("k", 1, policy="log"), lambda s: s.add("k", 1, 2), lambda s: s.add("k", 1)],
        [lambda s: s.set("k", {"a": 1}, policy="map"), lambda s: s.set("k", {"b": 1}), lambda s: s.set("k", {"a": 2})],
        [lambda s: s.set("k", "x"), lambda s: s.set("k", "y"), lambda s: s.set("k", "y")],
    ],
)
def test_undo_after_undo_goes_back_through_all_values(ledger: Ledger, steps: Sequence[Step]) -> None:
    me = ledger.session("agent", "1")
    values = [None]
    for step in steps:
        step(me)
        values.append(value_of(ledger))
    for expected in reversed(values[:-1]):
        undo(ledger, me)
        assert value_of(ledger) == expected
    with pytest.raises(NotFoundError, match="no change of context"):
        plan_undo(ledger.place, me.author)


def test_undo_says_where_it_would_lose_a_conflict_that_was_settled(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    draft = Draft("context.set", {"key": "k", "policy": "lww", "value": "mine"})
    apart(me, other, draft, lambda s: s.set("k", "theirs"))
    me.resolve("k", value="both")
    planned = plan_undo(ledger.place, me.author)
    assert (planned.unsettled, planned.later) == (("k",), {})


def test_a_write_between_the_plan_of_an_undo_and_the_undo_is_kept_as_a_conflict(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.set("k", "old")
    me.set("k", "new")
    planned = plan_undo(ledger.place, me.author)
    other.set("k", "theirs")
    me.write(list(undo_drafts(planned)))
    found = ledger.get("k")
    assert (found.entry.cell.value, [loser["value"] for loser in found.losers]) == ("old", ["theirs"])
