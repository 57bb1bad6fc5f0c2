"""The clock: ids sort after what their writer saw, whatever the wall clocks say."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import NOON, event_id

from ledger.core.clock import DAY, MAX_AHEAD, MAX_GAP, micros, next_id, refuse_jump, stamp
from ledger.core.ids import EventId
from ledger.errors import RefusedError

now = st.integers(0, NOON * 4)
chance = st.integers(0, 2**62 - 1)
event_ids = st.builds(
    lambda millis, counter, low: EventId(str(uuid.UUID(int=millis << 80 | 7 << 76 | counter << 64 | 2 << 62 | low))),
    now,
    st.integers(0, 0xFFF) | st.just(0xFFF),
    chance,
)


@given(now, event_ids, chance)
def test_an_id_is_greater_than_the_one_before_and_not_before_now(now: int, after: EventId, low: int) -> None:
    made = next_id(now, after, low)
    assert made > after
    assert made.millis >= now


@given(now, st.none() | event_ids, chance)
def test_an_id_is_a_uuid_of_version_7_with_the_chance_that_was_given(now: int, after: EventId | None, low: int) -> None:
    made = uuid.UUID(next_id(now, after, low))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int & (2**62 - 1) == low


@given(now, st.none() | event_ids, chance, chance)
def test_writers_who_saw_the_same_differ_by_their_chance_alone(
    now: int, after: EventId | None, one: int, two: int
) -> None:
    assert (next_id(now, after, one) == next_id(now, after, two)) == (one == two)
    assert next_id(now, after, one)[:18] == next_id(now, after, two)[:18]


@given(st.lists(st.tuples(now, chance), min_size=2, max_size=20))
def test_ids_sort_in_the_order_of_causality_while_the_wall_clock_jumps(moments: list[tuple[int, int]]) -> None:
    made: list[EventId] = []
    for moment, low in moments:
        made.append(next_id(moment, made[-1] if made else None, low))
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_counter_that_is_full_moves_the_millisecond_on() -> None:
    last = EventId("0199f3c2-7b1e-7fff-8def-0123456789ab")
    made = next_id(0, last, 0)
    assert (made.millis, made.counter) == (last.millis + 1, 0)


def test_a_later_clock_starts_the_counter_anew() -> None:
    assert next_id(NOON + 1, event_id(0), 0).counter == 0
    assert next_id(NOON, event_id(0), 0).counter == 1


def test_bits_beyond_62_of_the_chance_do_not_reach_the_clock() -> None:
    assert next_id(NOON, None, 2**80 + 5) == next_id(NOON, None, 5)


def test_an_id_is_what_it_always_was() -> None:
    assert next_id(NOON, EventId("01a20320-a200-7000-8000-000000000000"), 0x123456789ABCDEF0) == (
        "01a20320-a200-7001-9234-56789abcdef0"
    )


# Jumps


def test_a_ledger_within_a_week_of_the_clock_and_without_events_is_accepted() -> None:
    refuse_jump(NOON, None)
    refuse_jump(NOON, event_id(MAX_AHEAD))
    refuse_jump(NOON, event_id(-MAX_GAP))


def test_a_ledger_more_than_seven_days_ahead_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        refuse_jump(NOON, event_id(7 * DAY + 1))
    assert caught.value.message == (
        "the clock says 2026-11-22T12:00:00.000000Z, but the newest event of this ledger is from "
        "2026-11-29T12:00:00.001000Z, more than 7 days later"
    )


def test_a_clock_more_than_400_days_ahead_is_refused_with_a_way_out() -> None:
    with pytest.raises(RefusedError, match="may have jumped") as caught:
        refuse_jump(NOON + 400 * DAY + 1, event_id(0))
    assert "LEDGER_ACCEPT_CLOCK=1" in (caught.value.hint or "")


def test_an_id_from_beyond_the_calendar_is_refused_and_not_stumbled_over() -> None:
    with pytest.raises(RefusedError, match=r"9999-12-31T23:59:59\.999000Z"):
        refuse_jump(NOON, EventId("ffffffff-ffff-7fff-bfff-ffffffffffff"))


# Times


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_a_time_is_read_as_it_was_written(moment: int) -> None:
    text = stamp(moment)
    assert len(text) == 27
    assert micros(text) == moment


@given(st.integers(0, 10**16), st.integers(0, 10**16))
def test_times_sort_as_text(one: int, two: int) -> None:
    assert (stamp(one) < stamp(two)) == (one < two)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-22",
        "2026-11-22T15:13:04Z",
        "2026-11-22T15:13:04.123Z",
        "2026-11-22T15:13:04.123456",
        "2026-11-22T15:13:04.123456+00:00",
        "2026-11-22T15:13:04.123456+01:00",
        "2026-11-22 15:13:04.123456Z",
        "2026-11-22T15:13:04,123456Z",
        "2026-11-22t15:13:04.123456Z",
        "2026-W47-7T15:13:04.123456Z",
        "2026-02-30T15:13:04.123456Z",
        "2026-11-22T24:00:00.000000Z",
        "٢026-11-22T15:13:04.123456Z",
        "0001-01-01T00:00:00.000000+14:00",
        "2026-11-22T15:13:04.123456Z\n",
    ],
)
def test_a_time_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        micros(text)
