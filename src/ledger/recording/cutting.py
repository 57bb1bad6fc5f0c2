"""Cutting what agents say to the size of an event; the transcript itself is kept whole elsewhere."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ledger.recording.shapes import clean

PROMPT = 8_000
OUTPUT = 2_000
LABEL = 500
INPUT_BYTES = 8_000
MOST_FILES = 50

_MARK = 32  # room for "… [cut N characters]" with any N that fits a line
# A secret is known by its whole, and what was cut is searched for secrets later: the half of one would stay in clear.
# Hence nothing is cut within a word; of one without an end, as much goes as all but the longest secrets are long.
_WORD = 512
_BETWEEN_WORDS = re.compile(r"[\s\"'`]|[^\x00-\x7f]")
_DEEPEST = 12
# Tried in turn until the whole input fits: most inputs need the first only.
_STRING_LIMITS = (2_000, 1_000, 400, 150, 60)


def cut(text: str, limit: int) -> str:
    """The text, at most `limit` characters; one that is cut is cut between words, and says "… [cut N characters]"."""
    text = clean(text)
    if len(text) <= limit:
        return text
    kept = words_end(text, limit - _MARK)
    return f"{text[:kept]}… [cut {len(text) - kept} characters]"


def words_end(text: str, most: int) -> int:
    """How many of the first `most` characters are whole words, so that no secret among them is a half."""
    first = max(0, most - _WORD)
    gaps = [gap.start() for gap in _BETWEEN_WORDS.finditer(text, first, most + 1)]
    return gaps[-1] if gaps else first


def cut_input(value: Any) -> dict[str, Any]:
    """A tool's input as an object of at most 8,000 bytes of JSON, each string at most 2,000 characters."""
    whole = value if isinstance(value, dict) else {"input": value}
    for limit in _STRING_LIMITS:
        smaller = _shrink(whole, limit, _DEEPEST)
        if _bytes_of(smaller) <= INPUT_BYTES:
            return dict(smaller)
    # Too many fields rather than too long ones: a sixth of the bytes holds even where JSON escapes
    # each character to six.
    text = json.dumps(_shrink(whole, _STRING_LIMITS[-1], _DEEPEST), ensure_ascii=False)
    return {"cut": cut(text, INPUT_BYTES // 6 - _MARK)}


def _bytes_of(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def cut_files(paths: list[str]) -> list[str]:
    """Each path once, in order; the first 50 of them."""
    return [cut(path, LABEL) for path in dict.fromkeys(paths) if path][:MOST_FILES]


def _shrink(value: Any, limit: int, depth: int) -> Any:
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, (dict, list)):
        return _shrink_inside(value, limit, depth - 1) if depth else "…"
    return _plain_number(value)


def _shrink_inside(value: dict[str, Any] | list[Any], limit: int, depth: int) -> Any:
    if isinstance(value, list):
        return [_shrink(item, limit, depth) for item in value]
    return {cut(key, 100): _shrink(item, limit, depth) for key, item in value.items()}


def _plain_number(value: Any) -> Any:
    """Numbers that every reader of JSON takes for the same; others as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return cut(hex(value), 100)
    return value
