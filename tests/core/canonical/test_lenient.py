"""`loads_lenient` takes ordinary YAML and JSON, and refuses what would surprise, cost or hide something."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.canonical.values import FLOATS, INTEGERS, nested, same

from ledger.core.canonical import MAX_DEPTH, Value, dumps, loads_lenient, problems
from ledger.errors import InvalidError, Problem

MIB = 1 << 20


def refusals(text: str | bytes, max_bytes: int = MIB) -> tuple[Problem, ...]:
    with pytest.raises(InvalidError) as refused:
        loads_lenient(text, max_bytes=max_bytes)
    return refused.value.problems


def loads_or_none(text: str) -> Value:
    try:
        return loads_lenient(text)
    except InvalidError:
        return None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Use the device flow.", "Use the device flow."),
        ("a: 1\nb: [x, 'y', \"z\"]\n", {"a": 1, "b": ["x", "y", "z"]}),
        ("- a: 1\n  b:\n  - 2\n- {c: 3}\n", [{"a": 1, "b": [2]}, {"c": 3}]),
        ('{"a": [1, 2.5, null, true], "b": {}}', {"a": [1, 2.5, None, True], "b": {}}),
        ('{\n\t"a":1,\n\t"b/c":"d\\/e"\n}', {"a": 1, "b/c": "d/e"}),
        ("# a comment\na: 1 # another\n", {"a": 1}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("text: |\n  one\n\n  two\n", {"text": "one\n\ntwo\n"}),
        ("text: >\n  one\n  two\n", {"text": "one two\n"}),
        ("one\ntwo", "one two"),
        ("? key\n: value", {"key": "value"}),
        ("{a, b}", {"a": None, "b": None}),
        ("'<<': 1\n'1': 2", {"<<": 1, "1": 2}),
        ("=: =", {"=": "="}),
        ("tab: \"a\\tb\"", {"tab": "a\tb"}),
        (b"\xc3\xa9: \xf0\x9f\x98\x80", {"é": "😀"}),
    ],
)  # fmt: skip
def test_ordinary_yaml_and_json_are_taken(text: str | bytes, value: Value) -> None:
    assert same(loads_lenient(text), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, text) for text in ("no", "Yes", "ON", "off", "y", "N", "12:30:45", "190:20:30", "2026-11-22")],
        *[(text, text) for text in ("2026-11-22T15:13:04Z", "014", "-007", "00.5", "0o14", "0x1F")],
        *[(text, text) for text in ("0b1", "1_000", "1,000", "1.2.3")],
        *[(text, None) for text in ("~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[("0", 0), ("-0", 0), ("+12", 12), ("-12", -12), (str(2**63 - 1), 2**63 - 1), (str(-(2**63)), -(2**63))],
        *[("1.5", 1.5), ("-0.0", -0.0), (".5", 0.5), ("1.", 1.0), ("1e5", 1e5), ("1E-2", 0.01), ("+1.0e+3", 1000.0)],
        *[("'1'", "1"), ('"null"', "null"), ("'.nan'", ".nan"), ("tRUE", "tRUE"), ("nan", "nan")],
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Value) -> None:
    assert same(loads_lenient(f"k: {text}"), {"k": value})


REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "a duplicate key": ("a: 1\nb: 2\na: 3", "line 3, column 1", "'a' stands here a second time"),
    "a duplicate key in flow": ('{"a": 1, "a": 1}', "line 1, column 10", "second time"),
    "an anchor": ("a: &x 1", "line 1, column 4", "anchors"),
    "an anchor on a list": ("a: &x [1]", "line 1, column 4", "anchors"),
    "an alias": ("a: *x", "line 1, column 4", "aliases"),
    "an alias as a key": ("*x : 1", "line 1, column 1", "aliases"),
    "a tag": ("a: !!str 1", "line 1, column 4", "tags"),
    "a tag of an object": ("!!python/object/apply:os.system [ls]", "line 1, column 1", "tags"),
    "the non-specific tag": ("! a", "line 1, column 1", "tags"),
    "a merge key": ("a:\n  <<: {b: 1}", "line 2, column 3", "merge keys"),
    "two documents": ("a: 1\n---\nb: 2", "line 2, column 1", "second document"),
    "a directive": ("%YAML 1.2\n---\na: 1", "line 1, column 1", "directives"),
    "a tag directive": ("%TAG ! x\n---\na: 1", "line 1, column 1", "directives"),
    "NaN": ("a: .nan", "line 1, column 4", "NaN"),
    "infinity": ("a: -.inf", "line 1, column 4", "infinity"),
    "NaN from a JSON writer": (json.dumps([float("nan")]), "line 1, column 2", "NaN"),
    "infinity from a JSON writer": (json.dumps([float("-inf")]), "line 1, column 2", "infinity"),
    "a float beyond all floats": ("1e999", "line 1, column 1", "infinity"),
    "an integer beyond 64 bits": (str(2**63), "line 1, column 1", "64 bits"),
    "an integer below 64 bits": (str(-(2**63) - 1), "line 1, column 1", "64 bits"),
    "an integer of 5,000 digits": ("a: " + "9" * 5000, "line 1, column 4", "64 bits"),
    "a number as a key": ("1: a", "line 1, column 1", "'1' is not text"),
    "null as a key": ("~: a", "line 1, column 1", "not text"),
    "true as a key": ("true: a", "line 1, column 1", "not text"),
    "a list as a key": ("[a]: b", "line 1, column 1", "not a list or mapping"),
    "a mapping as a key": ("? {a: b}\n: c", "line 1, column 3", "not a list or mapping"),
    "NUL": ("a: x\0y", "line 1, column 5", "U+0000"),
    "NUL by an escape": ('a: "x\\0y"', "line 1, column 4", "U+0000"),
    "a control character": ("a\n\x07", "line 2, column 1", "U+0007"),
    "a control character by an escape": ('"\\e[0m"', "line 1, column 1", "U+001B"),
    "a control character in a key": ('"\\a": 1', "line 1, column 1", "U+0007"),
    "DEL": ("\x7f", "line 1, column 1", "U+007F"),
    "a C1 control": ("\x9b1m", "line 1, column 1", "U+009B"),
    "NEL": ("a\x85b", "line 1, column 2", "line separator"),
    "a line separator": ("a\u2028b", "line 1, column 2", "line separator"),
    "CRLF": ("a: 1\r\nb: 2\r\n", "line 1, column 5", "LF line ends"),
    "CR by an escape": ('"\\r"', "line 1, column 1", "U+000D"),
    "a byte order mark": (b"\xef\xbb\xbfa: 1", "line 1, column 1", "byte order mark"),
    "a lone surrogate": ("a: \udc80", "line 1, column 4", "lone surrogate U+DC80"),
    "a lone surrogate by an escape": ('{"a": "\\ud83d"}', "line 1, column 10", "escape code"),
    "half a surrogate pair behind a backslash": ('"\\\\ud83d\\ude00"', "line 1, column 11", "escape code"),
    "a surrogate pair outside of JSON": ('a: "\\ud83d\\ude00"', "line 1, column 7", "escape code"),
    "bytes that are not UTF-8": (b"a: 1\nb: \xff", "line 2, column 4", "UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "line 1, column 1", "UTF-8"),
    "too deep a list": ("[" * 65, "line 1, column 65", "64 deep"),
    "too deep a mapping": ("{a: " * 65, "line 1, column 257", "64 deep"),
    "too deep a block": ("- " * 65 + "x", "line 1, column 129", "64 deep"),
    "nothing": ("", "line 1, column 1", "write null"),
    "a comment alone": ("# x", "line 2, column 1", "write null"),
    "a syntax error": ("a: [1, 2", "line 2, column 1", "expected ',' or ']'"),
    "a colon too many": ("a: b: c", "line 1, column 5", "quotes"),
    "a tab as indent": ("a:\n\tb: 1", "line 2, column 1", "token"),
    "a key that is too long to write": ('? "' + "\\uFEFF" * 180 + '"\n: 1', '"\\ufeff', "1024 characters"),
}


@pytest.mark.parametrize(("text", "place", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named_with_its_place_and_a_way_out(text: str | bytes, place: str, words: str) -> None:
    first = refusals(text)[0]
    assert words in first.rule
    assert first.path.startswith(place)


def test_everything_wrong_is_named_at_once() -> None:
    places = [problem.path for problem in refusals("a: &x 1\nb: *x\na: !t {c: .inf}\n")]
    assert places == [
        "line 1, column 4",
        "line 2, column 4",
        "line 3, column 1",
        "line 3, column 4",
        "line 3, column 11",
    ]


def test_the_list_of_problems_ends() -> None:
    assert len(refusals("- *x\n" * 1000)) == 20
    assert len(refusals("\0" * 1000)) == 20


JSON_TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"), max_size=20
)
JSON_VALUES: st.SearchStrategy[Value] = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, JSON_TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(JSON_TEXTS, inner, max_size=4)),
    max_leaves=10,
)


@given(value=JSON_VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2, "\t"]), compact=st.booleans())
@example(value={"😀": '\\ud83d "\\\\😀😀\\'}, ascii_only=True, indent=None, compact=True)
def test_what_a_json_writer_writes_is_taken(
    value: Value, ascii_only: bool, indent: int | str | None, compact: bool
) -> None:
    separators = (",", ":") if compact else None
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)
    assert same(loads_lenient(text), value)


@given(value=JSON_VALUES)
def test_canonical_text_is_taken(value: Value) -> None:
    assert same(loads_lenient(dumps({"value": value})), {"value": value})


@given(
    text=st.one_of(st.text(max_size=40), st.text(st.sampled_from(list("ab1:-?[]{}\"'|>&*!#,%~. \n\t")), max_size=25))
)
def test_whatever_is_taken_can_be_written(text: str) -> None:
    assert problems(loads_or_none(text)) == []


def test_nesting_is_taken_to_its_limit() -> None:
    assert loads_lenient(dumps(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    assert loads_lenient("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def test_the_size_is_checked_first_and_in_bytes() -> None:
    assert loads_lenient("é" * 5, max_bytes=10) == "é" * 5
    for text in ("é" * 6, b"x" * 11, b"\xff" * 11, "\0" * 11):
        assert "10 are allowed" in refusals(text, max_bytes=10)[0].rule


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HUGE = {
    "brackets": "[" * MIB,
    "braces": "{a: " * (MIB // 4),
    "dashes": "- " * (MIB // 2),
    "question marks": "? " * (MIB // 2),
    "anchors": "&a " * (MIB // 3),
    "digits": "9" * MIB,
    "digits behind a point": "1." + "9" * (MIB - 2),
    "an exponent": "1e" + "9" * (MIB - 2),
    "quotes": "'" * MIB,
    "backslashes": '{"a":"\\ud83d\\ude00' + "\\\\" * (MIB // 2 - 20) + '"}',
    "comments": "#\n" * (MIB // 2),
    "blank lines": "\n" * MIB,
    "a text": "x y " * (MIB // 4),
    "aliases of aliases": BOMB,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_mebibyte_of_nonsense_costs_no_more_than_its_size(text: str) -> None:
    """Would not end within the life of the test run, or the memory of the machine, if anything were quadratic."""
    assert problems(loads_or_none(text)) == []
