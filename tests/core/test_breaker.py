"""The breaker opens after failures in a row, lets one try through, and closes or waits longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.core.breaker import OPENS_AFTER, Breaker

SECOND = 1_000_000


def failed(times: int, at: int = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(times):
        breaker = breaker.after_failure(at)
    return breaker


def test_it_is_closed_until_the_third_failure_in_a_row() -> None:
    assert [failed(n).state(1) for n in range(4)] == ["closed", "closed", "closed", "open"]


def test_after_half_a_minute_one_try_is_let_through() -> None:
    assert failed(OPENS_AFTER).state(30 * SECOND - 1) == "open"
    assert failed(OPENS_AFTER).state(30 * SECOND) == "half-open"


def test_a_try_that_fails_opens_it_for_twice_as_long_and_ten_minutes_at_most() -> None:
    pauses = [failed(OPENS_AFTER + more).asks_again // SECOND for more in range(8)]
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]


@given(st.integers(0, 10_000), st.integers(0, 2**50), st.integers(0, 2**50))
def test_it_is_never_open_for_longer_than_ten_minutes_whatever_the_clock_does(times: int, at: int, now: int) -> None:
    breaker = Breaker(times, at)
    if breaker.state(now) == "open":
        assert at <= now < at + 600 * SECOND
