"""Small charts of text: bars that compare, and a line of columns over time."""

from __future__ import annotations

from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLUMNS = "▁▂▃▄▅▆▇█"


def bar(value: float, most: float, width: int) -> str:
    """A bar as long as `value` is of `most`, in at most `width` columns; what is there at all is seen."""
    if value <= 0 or most <= 0:
        return ""
    eighths = max(1, round(value / most * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def columns_of(values: Sequence[float]) -> str:
    """A column for each value, the highest for the greatest; a point where there is nothing."""
    most = max(values, default=0)
    return "".join("·" if value <= 0 else _COLUMNS[min(7, int(value / most * 8))] for value in values)
