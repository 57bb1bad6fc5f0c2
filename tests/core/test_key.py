"""Keys become paths of files on every system: what could be a trick is no key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core.key import MAX_SEGMENT, MAX_SEGMENTS, check_key, key_problems, nearest_key
from ledger.core.schema import is_valid, schema
from ledger.core.state import conflicts_path, context_path, key_of, unit_of
from ledger.errors import InvalidError

_segments = st.from_regex(r"[a-z0-9._-]{1,70}\Z") | st.sampled_from(
    ["con", "aux.txt", "a.yaml", "x.", "-", "com1", "b"]
)
near_keys = st.lists(_segments, min_size=1, max_size=10).map("/".join)
hostile = near_keys | st.text(max_size=40) | st.text(st.sampled_from("aAé./\\ \0\n-_~:*ﬀ con yaml"), max_size=200)
keys = hostile.map(nearest_key)


@pytest.mark.parametrize(
    "key", ["a", "auth/decision", "0", "a.b_c-d", "a-", "a_", "x" * 64, "/".join("abcdefgh"), "console", "a..b"]
)
def test_a_key_is_one(key: str) -> None:
    assert key_problems(key) == []
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "a/../b",
        "a/./b",
        ".git",
        "a/.git/config",
        ".hidden",
        "-rf",
        "_x",
        "GIT",
        "Auth",
        "é",
        "e\u0301",
        "\u200ba",
        "a\u200c",
        "ﬁ",
        "a b",
        "a\n",
        "a\0b",
        "a\\b",
        "c:",
        "a:b",
        "git~1",
        "a*",
        "a?",
        "a.",
        "a./b",
        "a.yaml",
        "a.yaml/b",
        "con",
        "con.txt",
        "a/nul",
        "com1",
        "lpt9.log",
        "aux/x",
        "x" * 65,
        "/".join("abcdefghi"),
    ],
)
def test_a_trick_is_no_key_and_the_refusal_names_one_that_is(key: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_key(key)
    assert caught.value.problems
    assert caught.value.hint == f"the nearest valid key is {nearest_key(key)!r}"


def test_every_broken_rule_is_told_at_once() -> None:
    rules = [p.rule for p in key_problems(f"Con/{'x' * 65}!/a.yaml//b./con")]
    wanted = ["may hold only", "has 66 characters", "end in '.yaml'", "empty segment", "end in a dot", "device name"]
    assert [want for want in wanted if not any(want in rule for rule in rules)] == []


def test_a_rule_that_two_segments_break_alike_is_told_once() -> None:
    assert len(key_problems("//")) == 1


@given(hostile)
def test_the_nearest_key_is_a_key(text: str) -> None:
    assert key_problems(nearest_key(text)) == []


@given(hostile)
def test_a_key_is_its_own_nearest_key(text: str) -> None:
    nearest = nearest_key(text)
    assert nearest_key(nearest) == nearest
    if not key_problems(text):
        assert nearest == text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Auth/Decision", "auth/decision"),
        ("Über die Brücke", "uber-die-brucke"),
        ("a\\b", "a/b"),
        ("../../etc/passwd", "etc/passwd"),
        (".git/config", "git/config"),
        ("notes.yaml", "notes"),
        ("con", "x-con"),
        ("con." + "a" * 57 + ".aa", "x-con." + "a" * 57),
        ("", "untitled"),
        ("日本", "untitled"),
        ("hello!", "hello"),
    ],
)
def test_the_nearest_key_looks_like_what_was_meant(text: str, key: str) -> None:
    assert nearest_key(text) == key


@given(keys)
def test_a_key_stays_inside_its_folder_and_comes_back_from_its_path(key: str) -> None:
    for path in (context_path(key), conflicts_path(key)):
        assert key_of(path) == key
        assert unit_of(path) == context_path(key)
        assert not {"", ".", ".."} & set(path.split("/"))


@given(keys, keys)
def test_no_key_needs_a_folder_where_another_has_a_file(one: str, two: str) -> None:
    assert not context_path(two).startswith(context_path(one) + "/")


def test_no_two_keys_differ_in_case_alone() -> None:
    assert key_problems("A") != []


@given(near_keys)
def test_the_schemas_accept_every_key(key: str) -> None:
    pattern = schema("context.set.v1")["properties"]["key"]
    assert pattern["maxLength"] == MAX_SEGMENTS * MAX_SEGMENT + MAX_SEGMENTS - 1
    if not key_problems(key):
        assert is_valid("context.deleted.v1", {"key": key})
