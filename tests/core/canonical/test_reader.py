"""`loads` reads what `dumps` wrote, and refuses every other spelling of the same value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.canonical.values import DOCUMENTS, FLOATS, NASTY_TEXTS, nested, same

from ledger.core.canonical import MAX_DEPTH, MAX_KEY, Value, dumps, loads
from ledger.errors import InvalidError, Problem

GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())
ENVELOPE = ("id", "type", "v", "session", "time", "prev", "origin", "data")
MIB = 1 << 20


def refusal(text: str | bytes) -> Problem:
    with pytest.raises(InvalidError) as refused:
        loads(text)
    return refused.value.problems[0]


def loads_or_none(text: str | bytes) -> dict[str, Value] | None:
    try:
        return loads(text)
    except InvalidError:
        return None


@given(document=DOCUMENTS)
def test_what_was_written_reads_back_as_text_and_as_bytes(document: dict[str, Value]) -> None:
    text = dumps(document)
    assert same(loads(text), document)
    assert same(loads(text.encode()), document)


@given(number=FLOATS)
def test_every_float_reads_back_bit_by_bit(number: float) -> None:
    assert same(loads(dumps({"f": number})), {"f": number})


@pytest.mark.parametrize("text", NASTY_TEXTS, ids=ascii)
def test_a_nasty_text_reads_back_from_every_place_it_can_stand_in(text: str) -> None:
    document: dict[str, Value] = {"a": text, "b": [text, text], "c": {text: [[{text: text, text + "z": text}]]}}
    assert same(loads(dumps(document)), document)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_bytes_are_read_and_written_again_alike(path: Path) -> None:
    frozen = path.read_bytes()
    assert dumps(loads(frozen, first=ENVELOPE), first=ENVELOPE).encode() == frozen


PIECES = [
    *" \n\t:#-'\"\\|>+[]{}&*!%@`,~.0123456789aenylx\r\0\x85\u2028\ufeff\ud800é",
    "  ",
    ": ",
    "- ",
    "\n  ",
    "''",
    "|-\n",
    "\\u0041",
]


@st.composite
def _mutations(draw: st.DrawFn) -> str:
    """Canonical text with a few characters cut out, put in, or moved."""
    text = draw(st.one_of(DOCUMENTS.map(dumps), st.sampled_from([path.read_text("utf-8") for path in GOLDEN])))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 3)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *PIECES])) + text[end:]
    return text


@given(text=_mutations())
def test_a_damaged_text_is_refused_or_canonical_still(text: str) -> None:
    document = loads_or_none(text)
    assert document is None or dumps(document) == text


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_refused_or_canonical(raw: bytes) -> None:
    document = loads_or_none(raw)
    assert document is None or dumps(document).encode() == raw


ANOTHER_SPELLING = {
    "quotes that are not needed": "a: 'x'\n",
    "double quotes that are not needed": 'a: "it\'s"\n',
    "a word without its quotes": "a: no\n",
    "a time without its quotes": "a: 12:30:45\n",
    "a date without its quotes": "a: 2026-11-22\n",
    "quotes around a key": "'a': 1\n",
    "an escape that is not needed": 'a: "\\x41\\x01"\n',
    "a long form of an escape": 'a: "\\u0001"\n',
    "a lower-case escape": 'a: "\\x1b"\n',
    "an escape beyond Unicode": 'a: "\\U00110000\\x01"\n',
    "a raw escape character": "a: '\x1b'\n",
    "a raw NEL": "a: 'x\x85y'\n",
    "a raw bidirectional override": "a: 'x\u202ey'\n",
    "quotes around several lines": 'a: "x\\ny"\n',
    "a literal of one line": "a: |-\n  x\n",
    "a literal with the wrong ending": "a: |\n  x\n  y\n\n",
    "a literal with an indicator": "a: |2-\n  x\n  y\n",
    "a folded text": "a: >-\n  x\n  y\n",
    "a text over two lines": "a: x\n  y\n",
    "a leading zero": "a: 007\n",
    "a plus sign": "a: +7\n",
    "minus zero as an integer": "a: -0\n",
    "an octal number": "a: 0o7\n",
    "a hexadecimal number": "a: 0x1F\n",
    "an integer beyond 64 bits": "a: 9223372036854775808\n",
    "an integer of 5,000 digits": f"a: {'9' * 5000}\n",
    "a float that is too precise": "a: 0.1000000000000000000001\n",
    "an exponent without a point": "a: 1e+16\n",
    "an exponent without a sign": "a: 1.0e16\n",
    "an exponent that is not needed": "a: 1.0e+01\n",
    "a float beyond all floats": "a: 1.0e+999\n",
    "infinity": "a: .inf\n",
    "another null": "a: ~\n",
    "nothing at all for null": "a:\n",
    "another true": "a: True\n",
    "a flow list": "a: [1]\n",
    "a flow mapping": "a: {b: 1}\n",
    "an anchor": "a: &x 1\n",
    "an alias": "a: *x\n",
    "a tag": "a: !!str x\n",
    "a merge key": "<<: {}\n",
    "a complex key": "? a\n: 1\n",
    "keys out of order": "b: 1\na: 2\n",
    "keys out of order below": "a:\n  c: 1\n  b: 2\n",
    "a key twice": "a: 1\na: 1\n",
    "a key twice below": "a:\n  b: 1\n  b: 1\n",
    "two spaces after the colon": "a:  1\n",
    "a tab after the colon": "a:\t1\n",
    "no space after the colon": "a:1\n",
    "three spaces of indent": "a:\n   b: 1\n",
    "four spaces of indent": "a:\n    b: 1\n",
    "a list that is not indented": "a:\n- 1\n",
    "two spaces after the dash": "a:\n  -  1\n",
    "a dash on a line of its own": "a:\n  -\n    b: 1\n",
    "a list as the document": "- 1\n",
    "a scalar as the document": "x\n",
    "a space at the end of a line": "a: 1 \n",
    "a space after a header": "a: \n  b: 1\n",
    "a comment": "# x\na: 1\n",
    "a comment behind a value": "a: 1 # x\n",
    "a document marker": "---\na: 1\n",
    "an end marker": "a: 1\n...\n",
    "a directive": "%YAML 1.2\n---\na: 1\n",
    "a byte order mark": "\ufeffa: 1\n",
    "CRLF": "a: 1\r\n",
    "no line end at the end": "a: 1",
    "a blank line at the end": "a: 1\n\n",
    "a blank line in between": "a: 1\n\nb: 1\n",
    "a blank line at the start": "\na: 1\n",
    "a blank line with spaces in a literal": "a: |-\n  x\n  \n  y\n",
    "nothing": "",
    "a line end alone": "\n",
    "spaces around an empty map": "{ }\n",
    "NUL": "a: '\0'\n",
    "NUL by an escape": 'a: "\\x00"\n',
    "a lone surrogate": "a: \ud800\n",
    "a lone surrogate by an escape": 'a: "\\uD800"\n',
    "a key that is too long": f"{'k' * (MAX_KEY + 1)}: 1\n",
    "a bomb": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", ANOTHER_SPELLING.values(), ids=ANOTHER_SPELLING)
def test_another_spelling_is_refused_with_its_place(text: str) -> None:
    found = refusal(text)
    assert found.path
    assert found.rule


NAMED = {
    "another spelling": ("a: 1\nb: no\n", "line 2, column 4", "the canonical spelling of this line is \"b: 'no'\""),
    "an order": ("b: 1\na: 1\n", "line 1, column 1", "the canonical spelling of this line is 'a: 1'"),
    "a habit": (
        "a: 'x'\r\n",
        "line 1, column 4",
        "the canonical spelling of this line is 'a: \"\\'x\\'\\\\r\"'; lines end with LF alone",
    ),
    "a line too many": (
        "a: 1\na: 1\n",
        "line 2, column 1",
        "canonical text has ended before this line; a key may stand twice above",
    ),
    "a blank line": (
        "a: 1\n\n",
        "line 2, column 1",
        "expected `key: value` here; blank lines stand only inside literal text",
    ),
    "no line end": ("a: 1", "line 1, column 5", "the text must end with a line end"),
    "no UTF-8": (b"a:\n  b: \xff", "line 2, column 6", "byte 0xFF is not UTF-8; save the text as UTF-8"),
    "what nothing can spell": ('a: "\\x00"\n', "a", "holds the character NUL, which no canonical text can carry"),
}


@pytest.mark.parametrize(("text", "path", "rule"), NAMED.values(), ids=NAMED)
def test_a_refusal_names_the_place_and_what_belongs_there(text: str | bytes, path: str, rule: str) -> None:
    assert refusal(text) == Problem(path, rule)


def test_a_refusal_quotes_the_start_of_a_long_line_only() -> None:
    assert len(refusal("a: '" + "x" * MIB + "'\n").rule) < 200


def test_keys_that_come_first_must_do_so() -> None:
    assert loads("z: 1\na: 2\n", first=("z",)) == {"z": 1, "a": 2}
    with pytest.raises(InvalidError):
        loads("a: 2\nz: 1\n", first=("z",))
    with pytest.raises(InvalidError):
        loads("z: 1\na: 2\n")


def test_nesting_is_read_to_its_limit_and_no_deeper() -> None:
    deepest = dumps(nested(MAX_DEPTH))
    assert loads(deepest) == nested(MAX_DEPTH)
    deeper = "k:\n" + "".join(f"  {line}\n" for line in deepest.splitlines())
    assert "64" in refusal(deeper).rule


HUGE = {
    "brackets": "a: " + "[" * MIB + "\n",
    "dashes": "a:\n  " + "- " * (MIB // 2) + "x\n",
    "colons": "a" + ":" * MIB + "\n",
    "spaces": " " * MIB + "\n",
    "single quotes": "a: " + "'" * MIB + "\n",
    "quoted key without an end": "'" + "''" * (MIB // 2) + ": 1\n",
    "backslashes": '"' + "\\" * MIB + '": 1\n',
    "digits": "a: " + "9" * MIB + "\n",
    "comments": "a: " + " #" * (MIB // 2) + "\n",
    "ever deeper": "".join(" " * depth + "a:\n" for depth in range(0, 2000, 2)),
    "unsorted keys": "".join(f"k{number:06}: 1\n" for number in range(50_000, 0, -1)),
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_mebibyte_of_nonsense_costs_no_more_than_its_size(text: str) -> None:
    """Would not end within the life of the test run, or the memory of the machine, if anything were quadratic."""
    document = loads_or_none(text)
    assert document is None or dumps(document) == text


@pytest.mark.parametrize("piece", ["x", "x y ", "\n x", "x\n", "\x1b", "'", "é😀", "\n"], ids=ascii)
def test_a_text_of_a_mebibyte_reads_back(piece: str) -> None:
    document: dict[str, Value] = {"a": "x" + piece * (MIB // len(piece))}
    assert loads(dumps(document)) == document
