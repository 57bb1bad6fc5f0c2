from __future__ import annotations

import pytest

from ledger.cli.words import ago, as_yaml, cells, columns, counted, cut, differences, left, one_line, size, visible

SECOND = 1_000_000
NOW = 1_795_360_384 * SECOND


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (59, "59s ago"),
        (60, "1m ago"),
        (7_200, "2h ago"),
        (86_400 * 29, "29d ago"),
        (86_400 * 30, "2026-10-23"),
        (119, "1m ago"),
        (-300, "in 5m"),
        (-599, "in 10m"),
    ],
)
def test_a_moment_is_told_as_how_long_ago_it_was(seconds: int, words: str) -> None:
    assert ago(NOW - seconds * SECOND, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0s"),
        (59, "59s"),
        (59.6, "1m"),
        (89, "1m"),
        (90, "2m"),
        (599.9, "10m"),
        (3_599, "1h"),
        (86_399, "1d"),
        (86_400 * 40, "40d"),
    ],
)
def test_what_is_left_is_told_to_the_nearest(seconds: float, words: str) -> None:
    assert left(round(seconds * SECOND)) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is: {", "as it is: {"),
        (5, "5"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        (["a", ["b", "two\nlines"]], "- a\n- - b\n  - |-\n    two\n    lines"),
        ({"b": [1], "a": "x"}, "a: x\nb:\n  - 1"),
    ],
)
def test_a_value_is_shown_as_yaml_and_a_text_as_it_is(value: object, text: str) -> None:
    assert as_yaml(value) == text


def test_a_value_on_one_line_holds_all_of_it() -> None:
    assert one_line({"a": ["x", 1], "b": "two\nlines"}) == "a: x, 1, b: two lines"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tab\tand\nline", "tab\tand\nline"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("é 日本", "é 日本"),
    ],
)
def test_no_character_of_a_text_can_steer_the_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_wide_characters_take_two_columns_and_are_cut_by_columns() -> None:
    assert cells("日本") == 4
    assert cut("日本語", 5) == "日本…"
    assert cut("fits", 4) == "fits"
    assert list(columns([("日", "x"), ("abc", "y")])) == ["日   x", "abc  y"]


def test_differences_name_the_lines_that_went_and_came_with_lines_around() -> None:
    before = "\n".join(f"line {n}" for n in range(12))
    after = before.replace("line 0\n", "").replace("line 11", "line eleven")
    assert list(differences(before, after)) == [
        "- line 0",
        "  line 1",
        "  line 2",
        "  line 3",
        "…",
        "  line 8",
        "  line 9",
        "  line 10",
        "- line 11",
        "+ line eleven",
    ]


def test_a_value_that_was_not_there_differs_in_all_its_lines() -> None:
    assert list(differences(None, "a\nb")) == ["+ a", "+ b"]
    assert list(differences("a", None)) == ["- a"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")])
def test_sizes_have_the_unit_that_fits(count: int, text: str) -> None:
    assert size(count) == text


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(1, "key"), counted(2, "key"), counted(2, "entry"), counted(1000, "event")] == [
        "1 key",
        "2 keys",
        "2 entries",
        "1,000 events",
    ]
