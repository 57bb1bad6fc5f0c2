"""Codex's tokens: running totals that contain their cached part, turned into what one answer cost."""

from __future__ import annotations

from typing import Any

from ledger.recording.shapes import count

_TOTALS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)


def counts_of(usage: Any) -> dict[str, int] | None:
    """The counts of a usage object, absent ones 0; None if it is no such object."""
    if not isinstance(usage, dict) or not any(field in usage for field in _TOTALS):
        return None
    return {field: count(usage.get(field)) or 0 for field in _TOTALS}


def growth(before: dict[str, int] | None, total: dict[str, int], last: dict[str, int] | None) -> dict[str, int]:
    """What was spent between two totals; where there is nothing to compare with, what is called the last."""
    if before is not None and all(total[field] >= before[field] for field in ("input_tokens", "output_tokens")):
        return {field: max(0, total[field] - before[field]) for field in _TOTALS}
    return last or total


def tokens_of(spent: dict[str, int]) -> dict[str, int]:
    """The counts as events carry them: Codex counts cached input within its input, they do not."""
    cached, written = spent.get("cached_input_tokens", 0), spent.get("cache_write_input_tokens", 0)
    return {
        "input": max(0, spent.get("input_tokens", 0) - cached - written),
        "output": spent.get("output_tokens", 0),
        "cache_read": cached,
        "cache_write": written,
        "reasoning": spent.get("reasoning_output_tokens", 0),
    }
