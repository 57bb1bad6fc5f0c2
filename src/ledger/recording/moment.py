"""Times as agents write them, turned into the one form that events carry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NEVER = "1970-01-01T00:00:00.000000Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Larger numbers are milliseconds: as seconds they would lie after the year 5138.
_SECONDS_END = 100_000_000_000


def moment(value: Any) -> str | None:
    """UTC with microseconds, from ISO 8601 text or from seconds or milliseconds since 1970; else None."""
    try:
        if isinstance(value, str):
            return _written(datetime.fromisoformat(value))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _written(_EPOCH + timedelta(seconds=value if abs(value) < _SECONDS_END else value / 1000))
    except (ValueError, OverflowError):
        return None
    return None


def _written(when: datetime) -> str:
    utc = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:26] + "Z"
