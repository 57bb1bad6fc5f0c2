"""Reading canonical text, strictly: `loads` takes what `dumps` writes, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import NoReturn

from ledger.core.canonical.place import decode, place
from ledger.core.canonical.value import INT_MAX, INT_MIN, MAX_DEPTH, Value
from ledger.core.canonical.writer import UnwritableError, problems, spell
from ledger.errors import InvalidError, Problem

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,17}\.[0-9]{1,24}(?:e[-+][0-9]{2,3})?")
_QUOTED = re.compile(r"'(?>(?:[^']++|'')*)'|\"(?>(?:[^\"\\]++|\\.)*)\"")
_ESCAPE = re.compile(r'\\(?:([ntr"\\])|x([0-9A-F]{2})|u([0-9A-F]{4})|U(00(?:0[0-9A-F]|10)[0-9A-F]{4}))')
_ESCAPED_LETTERS = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_NOT_A_PLAIN_KEY = frozenset(["", "'", '"', " "])
_LITERAL_HEADERS = frozenset(["|", "|-", "|+"])
_CONSTANTS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
# What people and other emitters do that canonical text does not: looked for in a refused line, to say so.
_HABITS = (
    (re.compile(r"\r"), "lines end with LF alone"),
    (re.compile(r"\ufeff"), "there is no byte order mark"),
    (re.compile(r"^\s*$"), "blank lines stand only inside literal text"),
    (re.compile(r"^(?:---|\.\.\.|%)"), "there are no document markers and no directives"),
    (re.compile(r"(?:^| )#"), "there are no comments"),
    (re.compile(r"\t"), "a tab is written as \\t in double quotes"),
    (re.compile(r" $"), "no line ends with a space"),
)
_HINT = "canonical text is for programs to write; `ledger record` takes YAML and JSON written by hand"


def loads(text: str | bytes, *, first: Sequence[str] = ()) -> dict[str, Value]:
    """Return the document whose canonical text is exactly `text`: `dumps(loads(t)) == t`, always.

    `first` as in `dumps`. Raises InvalidError for anything that `dumps` would not have written, with line and
    column of the first difference and the spelling that belongs there.
    """
    source = text if isinstance(text, str) else decode(text)
    lines = source.split("\n")
    if lines[-1] or not source:
        _refuse(lines, len(lines) - 1, len(lines[-1]), "the text must end with a line end")
    document = {} if source == "{}\n" else _read_document(lines)
    spelled = _respell(document, first)
    if spelled != source:
        _refuse_difference(source.split("\n"), spelled.split("\n"))
    return document


def loads_proven(text: str | bytes) -> dict[str, Value]:
    """Return the document of a text that was proven canonical before, in half the time of `loads`.

    What is not canonical may be misread here, or raise InvalidError: for projections alone, which nothing rests on.
    """
    source = text if isinstance(text, str) else decode(text)
    return {} if source == "{}\n" else _read_document(source.split("\n"))


def _read_document(lines: list[str]) -> dict[str, Value]:
    document, at = _read_mapping(lines, 0, 0)
    if at < len(lines) - 1:
        _refuse(lines, at, 0, "expected `key: value` here")
    return document


def _respell(document: dict[str, Value], first: Sequence[str]) -> str:
    try:
        return spell(document, first)
    except UnwritableError:
        raise InvalidError("this is not canonical text", problems(document), hint=_HINT) from None


def _refuse_difference(lines: list[str], spelled: list[str]) -> NoReturn:
    pairs = zip_longest(lines, spelled, fillvalue="")
    at, (found, expected) = next((n, pair) for n, pair in enumerate(pairs) if pair[0] != pair[1])
    if at >= len(spelled) - 1:
        _refuse(lines, at, 0, "canonical text has ended before this line; a key may stand twice above")
    shorter = min(len(found), len(expected))
    column = next((n for n in range(shorter) if found[n] != expected[n]), shorter)
    excerpt = expected if len(expected) <= 72 else expected[:72] + "…"
    _refuse(lines, at, column, f"the canonical spelling of this line is {excerpt!r}")


def _refuse(lines: list[str], at: int, column: int, rule: str) -> NoReturn:
    line = lines[at] if at < len(lines) else ""
    habit = next((f"; {words}" for pattern, words in _HABITS if pattern.search(line)), "")
    raise InvalidError("this is not canonical text", [Problem(place(at, column), rule + habit)], hint=_HINT)


# The readers below take a text apart in one pass, and may misread what is not canonical: `loads` compares
# what the writer makes of their result with the text, and that comparison is what refuses it. So they owe
# only this: to be right about canonical text, and to come to an end about any other.


def _read_mapping(lines: list[str], at: int, indent: int) -> tuple[dict[str, Value], int]:
    """Read the `key: value` lines from `at` on; return them and where they ended."""
    _refuse_deep(lines, at, indent)
    pad = " " * indent
    result: dict[str, Value] = {}
    while (line := lines[at]).startswith(pad) and line:
        head, found, spelled = line.partition(": ")
        key = head[indent:]
        if not found or key[:1] in _NOT_A_PLAIN_KEY:
            key, spelled = _split(lines, at, indent)
        at += 1
        if not spelled:
            result[key], at = _read_block(lines, at, indent + 2)
        elif spelled in _LITERAL_HEADERS:
            result[key], at = _read_literal(lines, at, indent + 2, spelled)
        else:
            reader = _READERS.get(spelled[0])
            result[key] = reader(spelled) if reader else spelled
    return result, at


def _read_sequence(lines: list[str], at: int, indent: int) -> tuple[list[Value], int]:
    _refuse_deep(lines, at, indent)
    dash = " " * indent + "- "
    result: list[Value] = []
    while lines[at].startswith(dash):
        spelled = lines[at][indent + 2 :]
        item: Value
        if _opens_block(spelled):
            lines[at] = " " * (indent + 2) + spelled
            item, at = _read_block(lines, at, indent + 2)
        elif spelled in _LITERAL_HEADERS:
            item, at = _read_literal(lines, at + 1, indent + 2, spelled)
        else:
            reader = _READERS.get(spelled[:1])
            item, at = (reader(spelled) if reader else spelled), at + 1
        result.append(item)
    return result, at


def _read_block(lines: list[str], at: int, indent: int) -> tuple[Value, int]:
    if lines[at].startswith("- ", indent):
        return _read_sequence(lines, at, indent)
    return _read_mapping(lines, at, indent)


def _read_literal(lines: list[str], at: int, indent: int, header: str) -> tuple[str, int]:
    pad, start, last = " " * indent, at, len(lines) - 1
    while at < last and (lines[at].startswith(pad) or not lines[at]):
        at += 1
    body = "\n".join([line[indent:] for line in lines[start:at]])
    return (body if header == "|-" else body + "\n"), at


def _refuse_deep(lines: list[str], at: int, indent: int) -> None:
    if indent > 2 * (MAX_DEPTH - 1):
        _refuse(lines, at, indent, f"lists and mappings nest at most {MAX_DEPTH} deep")


def _split(lines: list[str], at: int, indent: int) -> tuple[str, str]:
    """Split a line whose key is quoted, or that has no value beside its key."""
    line = lines[at]
    quoted = _QUOTED.match(line, indent) if line[indent : indent + 1] in ("'", '"') else None
    end = quoted.end() if quoted else len(line) - 1
    if not line.startswith(": ", end) and line[end:] != ":":
        _refuse(lines, at, indent, "expected `key: value` here")
    return (_unquote(quoted[0]) if quoted else line[indent:end]), line[end + 2 :]


def _opens_block(spelled: str) -> bool:
    quoted = _QUOTED.match(spelled)
    if quoted:
        return spelled.startswith(":", quoted.end())
    return spelled.startswith("- ") or ": " in spelled or spelled.endswith(":")


def _unquote(spelled: str) -> str:
    if spelled[-1] != spelled[0]:  # so that a refusal does not propose a spelling with characters missing
        return spelled
    if spelled[0] == "'":
        return spelled[1:-1].replace("''", "'")
    return _ESCAPE.sub(_unescape, spelled[1:-1])


def _unescape(match: re.Match[str]) -> str:
    letter, *codes = match.groups()
    return _ESCAPED_LETTERS[letter] if letter else chr(int(next(filter(None, codes)), 16))


def _read_number(spelled: str) -> Value:
    if _INTEGER.fullmatch(spelled):
        number = int(spelled)
        return number if INT_MIN <= number <= INT_MAX else spelled
    return float(spelled) if _FLOAT.fullmatch(spelled) else spelled


def _read_constant(spelled: str) -> Value:
    return _CONSTANTS.get(spelled, spelled)


def _read_empty(spelled: str) -> Value:
    if spelled == "[]":
        return []
    return {} if spelled == "{}" else spelled


_READERS: dict[str, Callable[[str], Value]] = {
    **dict.fromkeys("'\"", _unquote),
    **dict.fromkeys("-0123456789", _read_number),
    **dict.fromkeys("ntf", _read_constant),
    **dict.fromkeys("[{", _read_empty),
}
