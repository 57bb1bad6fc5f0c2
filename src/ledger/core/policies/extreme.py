"""What `max` and `min` share: a join over numbers or over texts."""

from __future__ import annotations

from ledger.core.policies.policy import Value
from ledger.errors import Problem


def is_comparable(value: Value) -> bool:
    """Whether values like this have an order: numbers and texts."""
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def problems(name: str, value: Value) -> list[Problem]:
    """A number or a text."""
    return [] if is_comparable(value) else [Problem("value", f"a {name} holds a number or a text")]


def rank(value: Value) -> tuple[int, float | int | str, int]:
    """A total order over every value: what has no order, then numbers (of equal ones int before float), then texts."""
    if not is_comparable(value):
        return (0, 0, 0)
    return (2, value, 0) if isinstance(value, str) else (1, value, isinstance(value, float))
