"""Reading fields of records that may hold anything: each function is total, and answers by kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

# Beyond this a JSON number is no longer exact in most readers; no counter of an agent comes near.
_MOST = 2**53
_LONGEST_NAME = 200


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def word(value: Any) -> str:
    """The value if it is a string, else the empty string."""
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    """The value as a whole number that is not negative, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        return None
    return int(value)


def whole(value: Any) -> int | None:
    """The value if it is a whole number of any sign and reasonable size, else None."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _MOST:
        return None
    return value


def name(value: Any) -> str:
    """An identifier fit for refs: clean text as it stands, or a digest of what is too long."""
    text = clean(word(value))
    if len(text) <= _LONGEST_NAME:
        return text
    return "sha256-" + hashlib.sha256(text.encode()).hexdigest()


def clean(text: str) -> str:
    """The text without lone surrogates and NUL, which JSON can spell, and UTF-8 and YAML cannot."""
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def texts(content: Any, *kinds: str) -> list[str]:
    """The texts of a message: of a plain string, or of its blocks of these types (none named: any)."""
    if isinstance(content, str):
        return [content]
    blocks = (block for block in listing(content) if isinstance(block, dict))
    chosen = (word(block.get("text")) for block in blocks if not kinds or word(block.get("type")) in kinds)
    return [text for text in chosen if text]


def without_blocks(text: str, *tags: str) -> str:
    """The text without what stands between `<tag>` and `</tag>`; a block that never ends is kept.

    In linear time: a pattern that looks for an end from every start takes the square of it, and
    transcripts are not to be trusted.
    """
    for tag in tags:
        text = "".join(_around(text, f"<{tag}>", f"</{tag}>"))
    return text


def _around(text: str, start: str, end: str) -> Iterator[str]:
    place = 0
    while (opened := text.find(start, place)) >= 0 and (closed := text.find(end, opened)) >= 0:
        yield text[place:opened]
        place = closed + len(end)
    yield text[place:]


def block(text: str, tag: str) -> str:
    """What stands in the first block of this tag, or nothing."""
    _before, _start, after = text.partition(f"<{tag}>")
    inside, end, _after = after.partition(f"</{tag}>")
    return inside.strip() if end else ""
