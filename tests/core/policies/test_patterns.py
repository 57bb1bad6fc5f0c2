"""What a ledger declares of its keys: patterns, and which of them tells most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.policies import declared_policy, matches, most_telling, pattern_problems

keys = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
patterns = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([parts, [*parts, "**"], ["**"]]).map("/".join)
)


@pytest.mark.parametrize("pattern", ["a", "a/b", "*", "a/*", "*/b", "**", "a/**", "a/*/**", "a.b-c_d/*"])
def test_a_pattern_is_one(pattern: str) -> None:
    assert pattern_problems(pattern) == []


@pytest.mark.parametrize(
    "pattern", ["", "/", "a//b", "**/a", "a*", "A", "é/*", "a/", "***", "x" * 65, "/".join("abcdefghi"), "\0", "con"]
)
def test_what_can_name_no_key_is_no_pattern(pattern: str) -> None:
    assert pattern_problems(pattern)


@pytest.mark.parametrize(
    ("pattern", "key", "named"),
    [
        ("a", "a", True),
        ("a", "a/b", False),
        ("*", "a", True),
        ("*", "a/b", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a", False),
        ("a/**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("**", "a/b/c", True),
        ("*/c", "a/c", True),
        ("*/c", "a/b", False),
    ],
)
def test_a_pattern_names_keys_segment_by_segment(pattern: str, key: str, named: bool) -> None:
    assert matches(pattern, key) is named


@given(keys, st.sets(patterns, max_size=5))
def test_the_most_telling_pattern_names_the_key_and_does_not_depend_on_an_order(key: str, declared: set[str]) -> None:
    found = most_telling(declared, key)
    assert found == most_telling(sorted(declared, reverse=True), key)
    assert found is None or matches(found, key)
    assert (found is None) == (not any(matches(pattern, key) for pattern in declared))
    if key in declared:
        assert found == key


def test_a_name_tells_more_than_a_star_and_a_star_more_than_two() -> None:
    declared = ["**", "a/**", "a/*", "*/b", "a/b"]
    for wanted in ("a/b", "a/*", "a/**", "*/b", "**"):
        assert most_telling(declared, "a/b") == wanted
        declared.remove(wanted)


def test_a_key_that_nothing_names_has_no_declared_policy() -> None:
    document = {"policies": {"metrics/*": "counter"}}
    assert declared_policy("metrics/n", document) == "counter"
    assert declared_policy("metrics", document) is None
    assert declared_policy("metrics/n", None) is None
