"""Putting things into words for people: times, sizes, values, columns; nothing here prints."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger.core import canonical

_SECOND = 1_000_000
_STEPS = ((60, 1, "s"), (3600, 60, "m"), (86_400, 3600, "h"), (30 * 86_400, 86_400, "d"))
_WIDE = ("W", "F")


def ago(then: int, now: int) -> str:
    """How long ago a moment was, in a few characters: `12s ago`, `2h ago`, `in 5m`; a date beyond 30 days.

    Both in microseconds since 1970. What lies ahead is told as by `left`.
    """
    seconds = abs(now - then) // _SECOND
    if seconds < 1:
        return "now"
    if seconds >= _STEPS[-1][0]:
        return day(then)
    # Never more than it was: as a REV, `4m ago` is then a moment at which it had happened.
    return f"{span(now - then)} ago" if then <= now else f"in {left(then - now)}"


def span(duration: int) -> str:
    """How long something took, in a few characters: `12s`, `5m`, `2h`, `3d`; in microseconds."""
    seconds = max(0, duration) // _SECOND
    fitting = (f"{seconds // unit}{letter}" for limit, unit, letter in _STEPS if seconds < limit)
    return next(fitting, f"{seconds // 86_400:,}d")


def left(duration: int) -> str:
    """How long something lasts still, as `span`, but to the nearest: of ten minutes the first second leaves `10m`."""
    seconds = round(max(0, duration) / _SECOND)
    for limit, unit, letter in _STEPS:
        nearest = (seconds + unit // 2) // unit
        if nearest * unit < limit:
            return f"{nearest}{letter}"
    return f"{(seconds + 43_200) // 86_400:,}d"


def day(moment: int) -> str:
    """The date (UTC) of a moment in microseconds since 1970."""
    return datetime.fromtimestamp(moment // _SECOND, UTC).strftime("%Y-%m-%d")


def size(count: int) -> str:
    """A number of bytes with the unit that fits: `512 B`, `1.5 KiB`."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 event`, `2 events`, `3 entries`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def as_yaml(value: Any) -> str:
    """A value as YAML, without a line end: a text as it is, anything else in canonical form."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value:
        return canonical.dumps(value).rstrip("\n")
    # The canonical text is that of a mapping; what stands under its one key is the value.
    lines = canonical.dumps({"v": value}).rstrip("\n").split("\n")
    if len(lines) == 1:
        return lines[0].removeprefix("v: ")
    return "\n".join(line.removeprefix("  ") for line in lines[1:])


def one_line(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, list):
        return ", ".join(one_line(item) for item in value) or "[]"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one_line(item)}" for name, item in value.items()) or "{}"
    return " ".join(visible(as_yaml(value)).split())


def visible(text: str) -> str:
    """A text in which no character can steer a terminal or turn the direction of writing: those are spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or _is_harmless(c) else _spelled(c) for c in text)


def _is_harmless(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(character) for character in text)


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def cut(text: str, width: int) -> str:
    """A text in at most `width` columns; `…` stands for what was cut."""
    if cells(text) <= width:
        return text
    taken = 0
    for position, character in enumerate(text):
        taken += _cells_of(character)
        if taken > width - 1:
            return text[:position].rstrip() + "…"
    return text


def columns(rows: Sequence[Sequence[str]], gap: str = "  ") -> Iterator[str]:
    """The rows with their columns aligned, the last one ragged."""
    widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        padded = [cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=False)]
        yield gap.join([*padded, row[-1]]).rstrip()


def differences(before: str | None, after: str | None) -> Iterator[str]:
    """The lines by which two texts differ, each after `- ` or `+ `, with up to 3 lines around.

    `…` stands for lines left out between them; None is no text.
    """
    import difflib  # a millisecond that hooks which answer, and most commands, have no use for

    old, new = _lines(before), _lines(after)
    for line in list(difflib.unified_diff(old, new, n=3, lineterm=""))[3:]:
        yield "…" if line.startswith("@@") else f"{line[0]} {line[1:]}".rstrip()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else text.split("\n")


def indented(lines: Iterable[str], by: str = "  ") -> Iterator[str]:
    """The lines, moved to the right."""
    for line in lines:
        yield f"{by}{line}".rstrip()
