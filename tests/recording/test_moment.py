"""Times: whatever an agent writes becomes UTC with microseconds, or nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.recording.moment import moment


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-22T17:06:03.780Z", "2026-11-22T17:06:03.780000Z"),
        ("2026-11-22T17:06:03", "2026-11-22T17:06:03.000000Z"),
        ("2026-11-22T18:06:03.123456+01:00", "2026-11-22T17:06:03.123456Z"),
        (1795367163, "2026-11-22T17:06:03.000000Z"),
        (1795367163780, "2026-11-22T17:06:03.780000Z"),
        ("yesterday", None),
        ("9999-12-31T23:59:59-23:59", None),
        (float("nan"), None),
        (10**40, None),
        (True, None),
        (None, None),
    ],
)
def test_times_are_read_as_agents_write_them(written: Any, meant: str | None) -> None:
    assert moment(written) == meant


@given(st.text() | st.integers() | st.floats() | st.datetimes().map(str))
def test_no_value_makes_a_time_that_is_not_canonical(value: Any) -> None:
    found = moment(value)
    assert found is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found)
