"""Merging texts by lines: frozen results, laws, and never slow."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.lines import MAX_EDITS, common, merge_lines, split

texts = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "\n", "a\r\n", "x\x0by\n", "\u2028\n"]), max_size=12).flatmap(
    lambda lines: st.sampled_from(["", "end"]).map(lambda end: "".join(lines) + end)
)

# name, base, first, second, merged, clashed. Frozen: the fold of every ledger depends on them.
GOLDEN = [
    ("nothing", "", "", "", "", False),
    ("one side writes", "", "a\n", "", "a\n", False),
    ("both write", "", "a\n", "b\n", "b\n", True),
    ("both write alike", "", "a\n", "a\n", "a\n", False),
    ("one side changes", "a\nb\nc\n", "a\nB\nc\n", "a\nb\nc\n", "a\nB\nc\n", False),
    ("far apart", "a\nb\nc\nd\n", "A\nb\nc\nd\n", "a\nb\nc\nD\n", "A\nb\nc\nD\n", False),
    ("one line between", "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", False),
    ("neighbours", "a\nb\n", "A\nb\n", "a\nB\n", "a\nB\n", True),
    ("the same line", "a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n", "a\nY\nc\n", True),
    ("the same change", "a\nb\nc\n", "a\nX\nc\n", "a\nX\nc\n", "a\nX\nc\n", False),
    ("insert and append", "a\n", "0\na\n", "a\n1\n", "0\na\n1\n", False),
    ("both append", "a\n", "a\n1\n", "a\n2\n", "a\n2\n", True),
    ("delete and keep", "a\nb\nc\n", "a\nc\n", "a\nb\nc\n", "a\nc\n", False),
    ("delete and change", "a\nb\nc\n", "a\nc\n", "a\nB\nc\n", "a\nB\nc\n", True),
    ("delete all and append", "a\nb\n", "", "a\nb\nc\n", "a\nb\nc\n", True),
    ("repeated lines", "x\nx\n", "x\nx\nx\n", "x\ny\nx\n", "x\ny\nx\nx\n", False),
    ("no line end", "a\nb", "x\na\nb", "a\nb\nc", "x\na\nb\nc", False),
    ("other line ends", "a\r\nb\r\n", "a\r\nB\r\n", "a\r\nb\r\nc\r\n", "a\r\nb\r\nc\r\n", True),
    ("separators are no line ends", "a\x0bb\n", "a\x0bB\n", "A\x0bb\n", "A\x0bb\n", True),
]


@pytest.mark.parametrize(
    ("base", "first", "second", "merged", "clashed"), [case[1:] for case in GOLDEN], ids=[c[0] for c in GOLDEN]
)
def test_texts_merge_as_they_always_did(base: str, first: str, second: str, merged: str, clashed: bool) -> None:
    assert merge_lines(base, first, second) == (merged, clashed)


@given(texts, texts)
def test_a_side_that_changed_nothing_takes_the_other(base: str, changed: str) -> None:
    assert merge_lines(base, base, changed) == (changed, False)
    assert merge_lines(base, changed, base) == (changed, False)
    assert merge_lines(base, changed, changed) == (changed, False)


@given(texts, texts, texts)
def test_what_does_not_clash_is_the_same_from_either_side(base: str, one: str, two: str) -> None:
    forth, back = merge_lines(base, one, two), merge_lines(base, two, one)
    assert forth.clashed == back.clashed
    if not forth.clashed:
        assert forth == back


@given(texts, texts, texts)
def test_every_line_of_a_merge_comes_from_one_of_the_sides(base: str, one: str, two: str) -> None:
    assert set(split(merge_lines(base, one, two).text)) <= set(split(one)) | set(split(two))


@given(texts, texts, texts)
def test_a_line_that_one_side_added_and_no_clash_took_is_there(base: str, one: str, two: str) -> None:
    merged = merge_lines(base, one, two)
    if not merged.clashed:
        assert (set(split(one)) | set(split(two))) - set(split(base)) <= set(split(merged.text))


@given(texts)
def test_lines_make_the_text_again_and_end_at_line_feeds_alone(text: str) -> None:
    lines = split(text)
    assert "".join(lines) == text
    assert all(line.endswith("\n") for line in lines[:-1])
    assert all("\n" not in line[:-1] for line in lines)


@given(st.lists(st.integers(0, 3), max_size=14), st.lists(st.integers(0, 3), max_size=14))
def test_what_texts_have_in_common_is_as_long_as_it_can_be(one: list[int], two: list[int]) -> None:
    a, b = [str(n) for n in one], [str(n) for n in two]
    pairs = common(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(p[0] < q[0] and p[1] < q[1] for p, q in pairwise(pairs))
    assert len(pairs) == longest(a, b)


def longest(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        above = row[:]
        for j, y in enumerate(b):
            row[j + 1] = above[j] + 1 if x == y else max(above[j + 1], row[j])
    return row[-1]


def test_texts_beyond_the_bound_share_their_ends_alone() -> None:
    a = [f"a{n}\n" if n % 2 else "same\n" for n in range(2 * MAX_EDITS)]
    b = [f"b{n}\n" if n % 2 else "same\n" for n in range(2 * MAX_EDITS)]
    assert common(["head\n", *a, "tail\n"], ["head\n", *b, "tail\n"]) == [(0, 0), (1, 1), (801, 801)]


def numbered(letter: str, count: int, run: int = 0) -> str:
    return "".join("\n" * run + f"{letter}{n}\n" for n in range(count))


@pytest.mark.parametrize(
    ("base", "first", "second"),
    [
        (numbered("a", 2000), numbered("b", 2000), numbered("c", 2000)),
        ("", numbered("b", 2000), numbered("c", 2000)),
        (numbered("a", 400, 80), numbered("b", 400, 80), numbered("c", 400, 80)),
        (numbered("a", 400, 80), "\n" * 32_000, numbered("c", 400, 79)),
        ("\n" * 32_000 + "a", "a\n" + "\n" * 32_000, "b" + "\n" * 32_000),
    ],
    ids=["wholly different", "no base", "long runs", "runs without marks", "shifted"],
)
def test_no_texts_of_the_size_of_events_take_long(base: str, first: str, second: str) -> None:
    """Far below a second; the bound is wide, so that a busy machine does not fail it."""
    start = time.process_time()
    merge_lines(base, first, second)
    assert time.process_time() - start < 1
