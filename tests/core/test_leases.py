"""Leases as judged: who holds, what overlaps, and when a lease runs out, whatever clocks there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.clock import DAY, micros, next_id, stamp
from ledger.core.ids import EventId
from ledger.core.leases import (
    SECOND,
    Lease,
    Moment,
    before,
    do_exclude,
    do_overlap,
    ends_at,
    is_due,
    is_forgotten,
    is_live,
    lease_of,
    live_in,
    plain_names,
)
from ledger.core.state import State, lease_path, session_path
from ledger.errors import InvalidError

NOON = micros("2026-11-22T12:00:00.000000Z")
TWO_DAYS = 2 * DAY * 1000
TTL = 600
ANN, BOB, EVE = (f"{digit * 8}-0000-5000-8000-000000000000" for digit in "abe")


def id_at(moment: int, after: str | None = None, chance: int = 0) -> EventId:
    return next_id(moment // 1000, None if after is None else EventId(after), chance)


def lease(session: str = ANN, on: str = "src", *, mode: str = "exclusive", at: int = NOON, event: str = "") -> Lease:
    """A lease acquired when its owner's clock said `at`."""
    own = id_at(at) if not event else EventId(event)
    return Lease(str(own), session, (on,), mode, TTL, at, at, own)


def moment(clock: int, newest: int | None = None) -> Moment:
    return Moment(clock, clock if newest is None else newest)


# What overlaps


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("src", "src/a.py"),
        ("src/a.py", "src/"),
        ("./src", "src"),
        ("src//a", "src/a/"),
        ("src/**", "src/a/b"),
        (".", "anything"),
        ("deploy", "deploy"),
    ],
)
def test_a_name_overlaps_with_itself_and_with_what_lies_below(one: str, two: str) -> None:
    assert do_overlap([one], [two])
    assert do_overlap([two], [one])


@pytest.mark.parametrize(("one", "two"), [("src", "srcs"), ("src/a", "src/b"), ("src/a.py", "src/a"), ("a/b", "b")])
def test_names_beside_each_other_do_not_overlap(one: str, two: str) -> None:
    assert not do_overlap([one], [two])
    assert not do_overlap([two], [one])


def test_names_are_kept_in_one_form_and_once() -> None:
    assert plain_names(["./src//a/", "src/a/**", "src/a", "."]) == ["src/a", "."]


def test_every_name_that_cannot_be_leased_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        plain_names(["src/*.py", "../x", "/etc", " ", "fine"])
    assert [(p.path, p.rule.split()[0]) for p in caught.value.problems] == [
        ("src/*.py", "is"),
        ("../x", "leads"),
        ("/etc", "begins"),
        (" ", "is"),
    ]


# Who holds


def test_of_overlapping_live_leases_the_smallest_id_holds() -> None:
    first, second = lease(ANN), lease(BOB, "src/a.py", at=NOON + SECOND)
    assert before(first, [first, second]) == []
    assert before(second, [first, second]) == [first]


def test_shared_leases_hold_together_and_an_exclusive_one_waits_for_all_of_them() -> None:
    shared = [lease(who, mode="shared", at=NOON + number * SECOND) for number, who in enumerate((ANN, BOB))]
    alone = lease(EVE, at=NOON + 9 * SECOND)
    assert [before(one, [*shared, alone]) for one in shared] == [[], []]
    assert before(alone, [*shared, alone]) == shared


def test_a_session_never_excludes_itself() -> None:
    assert not do_exclude(lease(ANN), lease(ANN, "src/a.py", at=NOON + SECOND))


def test_a_lease_that_holds_is_not_lost_when_another_one_is_given_back() -> None:
    """`src/b` would be free while `src` waits for `src/a`; it waits too, or it would lose when `src/a` is released."""
    a, whole, b = lease(ANN, "src/a"), lease(BOB, "src", at=NOON + SECOND), lease(EVE, "src/b", at=NOON + 2 * SECOND)
    assert before(b, [a, whole, b]) == [whole]
    assert before(whole, [whole, b]) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["src", "src/a", "src/b", "x"]), st.booleans())))
def test_those_that_hold_never_exclude_one_another_and_somebody_always_holds(
    drawn: list[tuple[str, str, bool]],
) -> None:
    live = [
        lease(
            f"{who * 8}-0000-5000-8000-000000000000", on, mode="shared" if shared else "exclusive", at=NOON + i * SECOND
        )
        for i, (who, on, shared) in enumerate(drawn)
    ]
    holding = [one for one in live if not before(one, live)]
    assert not any(do_exclude(one, two) for one in holding for two in holding)
    assert bool(holding) == bool(live)


# When it runs out


def test_a_lease_runs_out_when_its_time_is_over_and_not_before() -> None:
    one = lease()
    end = NOON + TTL * SECOND
    assert ends_at(one, moment(NOON)) == end
    assert is_live(one, moment(end - 1))
    assert not is_live(one, moment(end))


def test_it_is_due_for_renewal_at_half_of_its_time() -> None:
    half = NOON + TTL * SECOND // 2
    assert not is_due(lease(), moment(half - 1))
    assert is_due(lease(), moment(half))


def test_a_lease_of_a_machine_whose_clock_is_behind_holds_its_full_time_for_all() -> None:
    """Its id follows the ids that its writer saw, though its time says two days ago."""
    late = NOON - TWO_DAYS
    own = id_at(late, after=id_at(NOON))
    one = Lease(str(own), BOB, ("src",), "exclusive", TTL, late, late, own)
    assert is_live(one, moment(NOON + (TTL - 1) * SECOND))
    assert not is_live(one, moment(NOON + (TTL + 1) * SECOND))


def test_a_machine_whose_clock_is_ahead_takes_nothing_from_those_with_the_right_time() -> None:
    """Its events push every id ahead; a lease from before stays live by its time, for those who tell it."""
    one = lease()
    assert is_live(one, Moment(NOON + 60 * SECOND, NOON + TWO_DAYS))
    assert not is_live(one, Moment(NOON + (TTL + 1) * SECOND, NOON + TWO_DAYS))


def test_a_machine_whose_clock_is_ahead_learns_from_a_renewal_that_others_hold() -> None:
    renewed = id_at(NOON + 300 * SECOND, after=id_at(NOON + TWO_DAYS))
    one = lease()
    kept = Lease(one.id, ANN, ("src",), "exclusive", TTL, NOON, NOON + 300 * SECOND, renewed)
    ahead = Moment(NOON + TWO_DAYS + 300 * SECOND, renewed.millis * 1000)
    assert not is_live(one, ahead)
    assert is_live(kept, ahead)


def test_a_time_that_was_told_ahead_of_the_clock_holds_nothing_longer() -> None:
    own = id_at(NOON)
    one = Lease(str(own), ANN, ("src",), "exclusive", TTL, NOON, NOON + 365 * DAY * 1000, own)
    assert not is_live(one, moment(NOON + (TTL + 1) * SECOND))


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 10**7), st.integers(0, 10**7))
def test_what_has_run_out_stays_so_as_time_goes_on(told: int, ahead: int, later: int, newer: int) -> None:
    own = id_at(NOON + max(told, 0) * DAY * 1000)
    one = Lease(str(own), ANN, ("src",), "exclusive", TTL, NOON, NOON + told * DAY * 1000, own)
    first = Moment(NOON + ahead * DAY * 1000, NOON)
    second = Moment(first.clock + later * SECOND, first.newest + newer * SECOND)
    assert is_live(one, first) or not is_live(one, second)


def test_a_lease_is_forgotten_only_when_no_clock_can_believe_it_live() -> None:
    over = NOON + TTL * SECOND + 7 * DAY * 1000
    assert is_forgotten(lease(), moment(over))
    assert not is_forgotten(lease(), moment(over - 1))
    assert not is_forgotten(lease(), Moment(over + TWO_DAYS, over - 1))


# In a state


def test_a_state_gives_its_live_leases_of_sessions_on_the_roster() -> None:
    def document(session: str) -> dict[str, object]:
        told = {"acquired": stamp(NOON), "renewed": stamp(NOON), "event": str(id_at(NOON)), "last": str(id_at(NOON))}
        return told | {"session": session, "on": ["src"], "mode": "exclusive", "ttl": TTL, "because": "rewrite"}

    one, two = str(id_at(NOON)), str(id_at(NOON, chance=1))
    leases = {lease_path(one): document(ANN), lease_path(two): document(BOB)}
    state = State({session_path(ANN): {}, **leases})
    assert live_in(state, moment(NOON)) == [lease_of(lease_path(one), document(ANN))]
    assert live_in(state, moment(NOON + TTL * SECOND)) == []
    assert live_in(state, moment(NOON))[0].because == "rewrite"
