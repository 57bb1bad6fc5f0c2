"""What `dumps` writes: bytes that are frozen for good, and that every YAML parser reads as the same value."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.core.canonical.values import DOCUMENTS, NASTY_TEXTS, VALUES, nested, same

from ledger.core.canonical import MAX_DEPTH, MAX_KEY, Value, dumps, problems, writer
from ledger.core.ids import EventId
from ledger.errors import InvalidError, Problem

GOLDEN = Path(__file__).parent / "golden"
ENVELOPE = ("id", "type", "v", "session", "time", "prev", "origin", "data")

FROZEN: dict[str, dict[str, Value]] = {
    "event": {
        "data": {"value": "Use the OAuth device flow.", "policy": "lww", "key": "auth/decision"},
        "time": "2026-11-22T15:13:04.123456Z",
        "prev": "0199f3b0-0000-7abc-8def-0123456789ab",
        "session": "7be1d0a4-5f8e-5c51-9d59-6a1f6f2f4a11",
        "v": 1,
        "type": "context.set",
        "id": "0199f3c2-7b1e-7abc-8def-0123456789ab",
    },
    "scalars": {
        "booleans": [True, False],
        "floats": [0.0, -0.0, 1.5, 1e16, 1.5e-7, 5e-324, 1.7976931348623157e308, 0.1, 1234567890123456.0],
        "integers": [0, -1, 2**63 - 1, -(2**63)],
        "nothing": None,
    },
    "plain": {
        "paths": ["/tmp/x", "src/ledger/core", "https://example.org/?a=b#c", "auth/decision"],
        "text": ["Use the flow, please.", "it's", 'say "x"', "2h ago", "3rd", "50%", "v1.2", "a#b", "a:b", "(a)", "_"],
        "uuids": ["0199f3c2-7b1e-7abc-8def-0123456789ab", "12345678-1234-1234-1234-123456789012"],
        "wide": ["é", "日本語", "😀"],
    },
    "quoted": {
        "indicators": [
            "", "- x", "? x", "# x", "a: b", "a:", "a #b", "a :b",
            "[x]", "{x}", "&a", "*a", "!a", "|", ">", "'x'", "---",
        ],
        "numbers": [
            "1", "-1", "+1", ".5", "1e5", "0o7", "0x1F", "014",
            "1_0", "1,000", "12:30:45", "2026-11-22", "1.2.3", "3f9c",
        ],
        "spaces": [" ", " x", "x ", "a\u00a0b"],
        "words": [
            "yes", "No", "ON", "off", "y", "N", "True", "false", "NULL", "~", "<<", "=", ".nan",
            "nan", "Infinity",
        ],
    },
    "escaped": {
        "breaks": ["\n", "a\r\nb", "a\x85b", "a\u2028b", "a\u2029b", " a\nb", "a\n\tb", "a\n \nb"],
        "controls": ["\x01", "a\tb", "\x1b[31mred\x1b[0m", "\x7f", "\x9b"],
        "hidden": ["\ufeff", "\ufffe", "\ufdd0", "\U0001ffff", "a\u202eb", "a\u2066b"],
        "marks": ['a\t"b"', "a\t\\b"],
    },
    "literal": {
        "clipped": "one\ntwo\n",
        "inner": "def f():\n    return 1\n\n\n# end: no comment\n- no item",
        "kept": "one\n\n",
        "last": ["a\nb", {"x": "a\nb\n", "y": [["a\tb\n\n\nc"]]}],
        "stripped": "one\ntwo  \n  three",
    },
    "nesting": {
        "empty": [[], {}, [[]], [{}], {"a": [], "b": {}}],
        "list": [1, [2, [3, 4], 5], {"a": 1, "b": [6], "c": {"d": 7}}, [{"e": 8, "f": 9}, 10]],
        "map": {"a": {"b": {"c": None}}, "d": [{"e": [{"f": "g"}]}]},
    },
    "keys": {
        "": 1, " ": 1, "-": 1, "1": 1, "A": 1, "a b": 1, "a: b": 1, "a:b": 1, "it's": 1, "null": 1,
        "x\ny": 1, "é": 1, "😀": 1, "\x1b": 1,
        "\ue000": {"#": [{"y": 1}]},
    },
    "empty": {},
}  # fmt: skip


def _ruamel(version: tuple[int, int]) -> Callable[[str], Any]:
    def load(text: str) -> Any:
        parser = YAML(typ="safe", pure=True)
        parser.version = version
        return parser.load(text)

    return load


class Colour(str, enum.Enum):  # noqa: UP042 - StrEnum formats as its value, this one does not
    RED = "red"


PARSERS: dict[str, Callable[[str], Any]] = {
    "PyYAML": yaml.safe_load,
    "PyYAML with libyaml": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "ruamel.yaml as 1.1": _ruamel((1, 1)),
    "ruamel.yaml as 1.2": _ruamel((1, 2)),
}


@pytest.mark.parametrize("name", FROZEN)
def test_the_bytes_are_those_that_were_frozen(name: str) -> None:
    assert dumps(FROZEN[name], first=ENVELOPE).encode() == (GOLDEN / f"{name}.yaml").read_bytes()


def test_every_golden_file_is_compared() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == FROZEN.keys()


def test_the_parsers_compared_with_differ_where_yaml_1_1_and_1_2_do() -> None:
    """Agreement means something only if these parsers do not agree on everything."""
    assert {name: parse("no") for name, parse in PARSERS.items()} == {
        "PyYAML": False,
        "PyYAML with libyaml": False,
        "ruamel.yaml as 1.1": False,
        "ruamel.yaml as 1.2": "no",
    }


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("text", NASTY_TEXTS, ids=ascii)
def test_a_nasty_text_reads_back_from_every_place_it_can_stand_in(name: str, text: str) -> None:
    document: dict[str, Value] = {"a": text, "b": [text, text], "c": {text: [[{text: text, text + "z": text}]]}}
    assert same(PARSERS[name](dumps(document)), document)


@pytest.mark.parametrize("name", PARSERS)
@given(document=DOCUMENTS)
def test_another_parser_reads_the_same_value(name: str, document: dict[str, Value]) -> None:
    assert same(PARSERS[name](dumps(document)), document)


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("key", ["k" * MAX_KEY, "'" * (MAX_KEY // 2 - 1), "\x01" * ((MAX_KEY - 2) // 4)], ids=len)
def test_another_parser_reads_the_longest_keys(name: str, key: str) -> None:
    assert PARSERS[name](dumps({key: 1, "z": {key: [{key: 2}]}})) == {key: 1, "z": {key: [{key: 2}]}}


@pytest.mark.parametrize("name", PARSERS)
def test_another_parser_reads_text_of_any_length_and_the_deepest_nesting(name: str) -> None:
    long: dict[str, Value] = {"a": ["x" * 5000, " x" * 2500, "x\n" * 2500, "\x1b" * 2500]}
    assert PARSERS[name](dumps(long)) == long
    assert PARSERS[name](dumps(nested(MAX_DEPTH))) == nested(MAX_DEPTH)


@given(document=DOCUMENTS)
def test_the_order_of_insertion_leaves_no_trace(document: dict[str, Value]) -> None:
    assert dumps(dict(reversed(document.items()))) == dumps(document)


def test_keys_that_come_first_do_so_in_the_outermost_mapping_only() -> None:
    text = dumps({"a": {"b": 1, "z": 2}, "b": 3, "z": 4}, first=("z", "absent", "b"))
    assert text == "z: 4\nb: 3\na:\n  b: 1\n  z: 2\n"


def test_an_id_is_written_as_text() -> None:
    """Ids are subclasses of str, and a str enumeration formats as its own name."""
    event = EventId("0199f3c2-7b1e-7abc-8def-0123456789ab")
    assert dumps({"c": Colour.RED, Colour.RED: event}) == f"c: red\nred: {event}\n"


@given(value=VALUES)
@example(value=nested(MAX_DEPTH - 1))
def test_a_value_without_problems_can_be_written(value: Value) -> None:
    assert problems(value) == []
    assert dumps({"value": value})


UNWRITABLE: dict[str, tuple[object, str, str]] = {
    "NUL": ("a\0b", "", "NUL"),
    "NUL in a key": ({"a\0": 1}, '"a\\u0000"', "NUL"),
    "a lone surrogate": ("\ud800", "", "lone surrogate U+D800"),
    "NaN": (math.nan, "", "nan"),
    "infinity": ([1, -math.inf], "[1]", "-inf"),
    "an integer above 64 bits": ({"a": 2**63}, "a", "64 bits"),
    "an integer below 64 bits": ({"a": {"b": [-(2**63) - 1]}}, "a.b[0]", "64 bits"),
    "a tuple": ({"a b": (1,)}, '"a b"', "type tuple"),
    "bytes": ({"a": b"x"}, "a", "type bytes"),
    "an empty set": ({"a": set()}, "a", "type set"),
    "a number as a key": ({1: "x"}, "1", "keys are text"),
    "keys of several types": ({"a": {1: 1, "b": 2}}, "a.1", "keys are text"),
    "a long key": ({"k" * (MAX_KEY + 1): 1}, "k" * 40 + "…", "1024 characters"),
    "a key that escapes make long": ({"\x01" * 300: 1}, '"' + "\\u0001" * 6 + "\\u0…", "1024 characters"),
    "too deep a nesting": (nested(MAX_DEPTH + 1), "", "deeper than 64"),
    "too deep an empty list": (json.loads("[" * 65 + "]" * 65), "[0]" * 64, "deeper"),
}


@pytest.mark.parametrize(("value", "path", "words"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_cannot_be_written_is_named_with_its_path(value: Any, path: str, words: str) -> None:
    [found] = problems(value)
    assert words in found.rule
    assert found.path.endswith(path)
    with pytest.raises(InvalidError):
        dumps({"value": value})


def test_everything_that_cannot_be_written_is_named_at_once() -> None:
    document: Any = {"a": [math.inf, {"b": "\0"}], 2: "x", "c": 2**64}
    with pytest.raises(InvalidError) as refused:
        dumps(document)
    assert refused.value.problems == (
        Problem("a[0]", "is inf, which canonical text does not carry"),
        Problem("a[1].b", "holds the character NUL, which no canonical text can carry"),
        Problem("2", "has a key of type int; keys are text"),
        Problem("c", "is an integer beyond 64 bits (-2^63 to 2^63-1)"),
    )


def test_the_document_itself_is_a_level() -> None:
    assert dumps(nested(MAX_DEPTH))
    with pytest.raises(InvalidError):
        dumps(nested(MAX_DEPTH + 1))


def test_paths_start_where_the_caller_says() -> None:
    assert [problem.path for problem in problems({"a": [math.nan]}, "data.value")] == ["data.value.a[0]"]


def test_a_value_that_contains_itself_is_refused_and_soon() -> None:
    """Twice in itself: followed to the end, 64 levels would take 2^64 steps."""
    endless: list[Value] = []
    endless += [endless, endless]
    assert len(problems(endless)) == 100
    with pytest.raises(InvalidError):
        dumps({"a": endless})


def test_any_mapping_can_be_the_document() -> None:
    assert dumps(MappingProxyType({"b": 1, "a": 2})) == "a: 2\nb: 1\n"


ODD = st.text(
    st.sampled_from("abg0 1x:#'\"\\\n\t-_?>é–…→漢😀\u00a0\u2028\ufeff\x07\x7f\u202e\ud800"), min_size=1, max_size=12
)


@given(ODD)
def test_a_text_is_sized_up_by_a_stand_in_as_by_what_it_is(text: str) -> None:
    shapes, seen = writer._sized_up(text)
    whole = writer._wide()
    for kind in ("plain", "one_line", "literal"):
        assert bool(getattr(shapes, kind).fullmatch(seen)) == bool(getattr(whole, kind).fullmatch(text)), kind
    assert shapes.escaped.findall(text) == whole.escaped.findall(text)
