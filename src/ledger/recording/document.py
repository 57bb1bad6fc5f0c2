"""A transcript that is one JSON document: finding its messages, and the exact bytes of each.

The document is walked by hand, so that damage costs the message it stands in and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.recording.lines import NOT_AN_OBJECT, STRICT

# The key of the list of messages: Gemini CLI, Amp and OpenCode; Claude Code's web sessions.
_LISTS = ("messages", "loglines")
_SPACE = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:\s*")
_SESSION = re.compile(r'"session_?[iI]d"\s*:\s*"([^"\\]{1,200})"')
_LIST = re.compile(r'"(messages|loglines)"\s*:\s*\[')
_NEXT = re.compile(r'[,\[]\s*(?=\{\s*")')
# Each try may read to the end of the document: a bound keeps hostile input from costing its square.
_MOST_TRIES = 1_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the document: its head (number 0) or a message, parsed, or the reason why not."""

    number: int
    raw: bytes
    value: dict[str, Any] | None
    problem: str | None = None


def document_head(raw: bytes) -> dict[str, Any] | None:
    """The document's own fields, with at most the first of its messages; None if this is no such document.

    `raw` may end anywhere after the first message.
    """
    text = _text(raw)
    head = _head(text)
    if head.key is None:
        return None
    first, _end = _value(text, _skip(text, head.end))
    return {**head.fields, head.key: [first] if isinstance(first, dict) else []}


def document_pieces(raw: bytes) -> Iterator[Piece]:
    """The document's stretches in order; their bytes together are `raw`."""
    text = _text(raw)
    head = _head(text)
    begin = _skip(text, head.end) if head.key is not None else len(text)
    spans = list(_spans(text, begin)) if begin < len(text) else []
    tail = spans[-1].end if spans else begin
    after, problem = _tail(text, tail)
    yield _head_piece(text[: spans[0].start if spans else len(text)], head, after)
    for number, span in enumerate(spans, 1):
        last = number == len(spans)
        end = (tail if problem else len(text)) if last else spans[number].start
        yield _message_piece(number, text[span.start : end], span)
    if problem and spans:
        yield Piece(len(spans) + 1, _bytes(text[tail:]), None, problem)


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands before the messages: fields, the list's key (None: no list), where the list begins."""

    fields: dict[str, Any]
    key: str | None = None
    end: int = 0
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    value: Any
    readable: bool = True


def _head_piece(text: str, head: _Head, after: dict[str, Any]) -> Piece:
    fields = {**head.fields, **after}
    session = _SESSION.search(text)
    if session:
        fields.setdefault("sessionId", session.group(1))
    damage = "the head of the document is damaged" if head.damaged or head.key is None else None
    return Piece(0, _bytes(text), fields, _encoding_problem(text) or damage)


def _message_piece(number: int, text: str, span: _Span) -> Piece:
    problem = _encoding_problem(text)
    if not span.readable:
        problem = "not JSON"
    elif not isinstance(span.value, dict):
        problem = NOT_AN_OBJECT
    return Piece(number, _bytes(text), None if problem else span.value, problem)


def _spans(text: str, start: int) -> Iterator[_Span]:
    """The elements of the list from `start` on; a damaged one reaches to the next that is whole."""
    tries = _MOST_TRIES
    while start < len(text) and text[start] != "]":
        value, end = _value(text, start)
        if end is not None:
            yield _Span(start, end, value)
            start = _skip(text, end)
            continue
        resumed, tries = _resume(text, start, tries)
        yield _Span(start, resumed, None, readable=False)
        start = resumed


def _resume(text: str, start: int, tries: int) -> tuple[int, int]:
    """Where the next whole message begins after damage, or the end of the text."""
    for found in _NEXT.finditer(text, start):
        tries -= 1
        if tries < 0:
            break
        value, _end = _value(text, found.end())
        if found.end() > start and _is_message(value):
            return found.end(), tries
    return len(text), tries


def _is_message(value: Any) -> bool:
    """True for what stands in a list of messages; a tool call within one has a name, not a type."""
    return isinstance(value, dict) and "timestamp" in value and isinstance(value.get("type"), str)


def _head(text: str) -> _Head:
    fields: dict[str, Any] = {}
    place = text.find("{") + 1
    if not place or text[: place - 1].strip("\ufeff \t\r\n"):
        return _Head(fields)
    while True:
        place = _skip(text, place)
        key, value, end = _field(text, place)
        if key in _LISTS and text[value : value + 1] == "[":
            return _Head(fields, key, value + 1)
        if key is None or end is None:
            return _Head(fields) if text[place : place + 1] == "}" else _damaged_head(text, place, fields)
        fields[key], place = _value(text, value)[0], end


def _damaged_head(text: str, place: int, fields: dict[str, Any]) -> _Head:
    """A head that stops making sense before its list: the list is found by its key."""
    found = _LIST.search(text, place)
    return _Head(fields, found.group(1), found.end(), damaged=True) if found else _Head(fields)


def _field(text: str, place: int) -> tuple[str | None, int, int | None]:
    """A key, where its value begins, and where that ends (None: it does not parse)."""
    key, end = _value(text, place)
    colon = _COLON.match(text, end) if isinstance(key, str) and end is not None else None
    if colon is None:
        return None, place, None
    if key in _LISTS and text[colon.end() : colon.end() + 1] == "[":
        return key, colon.end(), None
    return key, colon.end(), _value(text, colon.end())[1]


def _tail(text: str, place: int) -> tuple[dict[str, Any], str | None]:
    """The fields after the list, and what is wrong with the end of the document, if anything is."""
    fields: dict[str, Any] = {}
    place = _skip(text, place)
    if text[place : place + 1] != "]":
        return fields, "the document is cut"
    place = _skip(text, place + 1)
    while text[place : place + 1] == '"':
        key, value, end = _field(text, place)
        if key is None or end is None:
            break
        fields[key], place = _value(text, value)[0], _skip(text, end)
    return fields, None if text[place:].strip() == "}" else "the end of the document is damaged"


def _value(text: str, place: int) -> tuple[Any, int | None]:
    """The JSON value at this place and where it ends; (None, None) if there is none."""
    try:
        return STRICT.raw_decode(text, place)
    except (ValueError, RecursionError, IndexError):
        return None, None


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _text(raw: bytes) -> str:
    """Text in which bytes that are no UTF-8 are kept as marks, to be found again and turned back."""
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _encoding_problem(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return "not UTF-8"
    return None
