"""Bytes into lines: every byte kept, no line held beyond a limit, and each line parsed strictly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

LONGEST_LINE = 32 * 1024 * 1024
NOT_AN_OBJECT = "not a JSON object"
_BOM = b"\xef\xbb\xbf"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


# NaN and Infinity, which Python's own reader takes, are no JSON.
STRICT = json.JSONDecoder(parse_constant=_refuse_constant)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a piece of one that is too long: `pieces` is its place in the line, 0 for a whole one."""

    number: int
    raw: bytes
    piece: int = 0


def split_lines(chunks: Iterable[bytes], longest: int = LONGEST_LINE) -> Iterator[Line]:
    """The lines of the chunks, ends included; one longer than `longest` bytes in pieces of that size."""
    number, piece, held, size = 1, 0, [], 0
    for chunk in chunks:
        for part in chunk.splitlines(keepends=True) if b"\r" not in chunk else _at_newlines(chunk):
            held.append(part)
            size += len(part)
            while size > longest:
                piece += 1
                whole = b"".join(held)
                yield Line(number, whole[:longest], piece)
                held, size = [whole[longest:]], size - longest
            if part.endswith(b"\n"):
                yield Line(number, b"".join(held), piece and piece + 1)
                number, piece, held, size = number + 1, 0, [], 0
    if size:
        yield Line(number, b"".join(held), piece and piece + 1)


def _at_newlines(chunk: bytes) -> list[bytes]:
    """`bytes.splitlines` also ends a line at a lone carriage return; JSONL does not."""
    *whole, last = chunk.split(b"\n")
    return [line + b"\n" for line in whole] + ([last] if last else [])


def parse_object(raw: bytes) -> dict[str, Any] | str:
    """The JSON object in the bytes, or in a few words why there is none; only UTF-8 is read."""
    if b"\x00" in raw:
        return "holds NUL bytes"
    try:
        value = STRICT.decode(raw.removeprefix(_BOM).decode())
    except UnicodeDecodeError:
        return "not UTF-8"
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "not JSON"
    return value if isinstance(value, dict) else NOT_AN_OBJECT
