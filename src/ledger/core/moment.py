"""Moments as people write them: a date, a time, or a while ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d+)\s*(s|m|h|d|w)(?:\s+ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = 10  # characters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


def moment_of(text: str, now: int, *, starts_day: bool = False) -> int | None:
    """The moment that a text names, in microseconds since 1970; None where it names none.

    `2h ago` (s, m, h, d, w) counts back from `now`; a time without a zone is UTC; a date is the end of that day, or,
    with `starts_day`, its beginning.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return _before(now, int(ago[1]), _UNITS[ago[2]])
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    if "-" not in text or len(text) < _DATE:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if len(text) == _DATE and not starts_day:
        moment += timedelta(days=1, microseconds=-1)
    return int((moment - _EPOCH) / _INSTANT)


def _before(now: int, count: int, unit: str) -> int | None:
    try:
        return now - timedelta(**{unit: count}) // _INSTANT
    except OverflowError:
        return None
