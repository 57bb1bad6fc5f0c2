"""What `max` and `min` share: a join over numbers or over texts."""

from __future__ import annotations

import math

from ledger.core.policies.policy import Value
from ledger.errors import Problem


def is_comparable(value: Value) -> bool:
    """Whether values like this have an order: numbers and texts."""
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def problems(name: str, value: Value) -> list[Problem]:
    """A number or a text."""
    return [] if is_comparable(value) else [Problem("value", f"a {name} holds a number or a text")]


def rank(value: Value) -> tuple[int, float | int | str, int]:
    """A total order over every value: what has no order, then numbers, then texts.

    Of equal numbers -0.0 comes first, then the whole number, then the float, as they are spelled differently.
    """
    if not is_comparable(value):
        return (0, 0, 0)
    if isinstance(value, str):
        return (2, value, 0)
    return (1, value, int(math.copysign(1, value)) if isinstance(value, float) else 0)
