"""Moments as people write them."""

from __future__ import annotations

import pytest

from ledger.core.clock import micros
from ledger.core.moment import moment_of

NOW = micros("2026-11-22T15:00:00.000000Z")


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("2026-11-20", "2026-11-20T00:00:00.000000Z", "2026-11-20T23:59:59.999999Z"),
        ("2026-11-20t15:00", "2026-11-20T15:00:00.000000Z", "2026-11-20T15:00:00.000000Z"),
        ("2026-11-20t15:00+02:00", "2026-11-20T13:00:00.000000Z", "2026-11-20T13:00:00.000000Z"),
        ("2h ago", "2026-11-22T13:00:00.000000Z", "2026-11-22T13:00:00.000000Z"),
        ("1w", "2026-11-15T15:00:00.000000Z", "2026-11-15T15:00:00.000000Z"),
    ],
)
def test_a_day_begins_and_ends_and_a_time_is_a_time(text: str, begins: str, ends: str) -> None:
    assert moment_of(text, NOW, starts_day=True) == micros(begins)
    assert moment_of(text, NOW) == micros(ends)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "20261120", "9999999999d", "12"])
def test_anything_else_names_none(text: str) -> None:
    assert moment_of(text, NOW) is None
