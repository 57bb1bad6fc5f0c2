"""Cutting: what is kept fits an event, and says how much is missing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ledger.recording.cutting import INPUT_BYTES, MOST_FILES, cut, cut_files, cut_input

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_a_text_within_the_limit_is_kept_as_it_is() -> None:
    assert cut("a" * 8_000, 8_000) == "a" * 8_000


def test_a_cut_text_tells_how_much_is_missing() -> None:
    text = cut("a" * 9_000, 8_000)
    kept = text.count("a") - "characters".count("a")
    assert text == "a" * kept + f"… [cut {9_000 - kept} characters]"


@given(st.text(alphabet=st.characters(), max_size=300), st.integers(40, 200))
def test_no_text_grows_beyond_its_limit_or_out_of_utf_8(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit
    cut(text + "\ud800", limit).encode()


@given(JSON)
def test_any_input_becomes_an_object_of_at_most_8000_bytes(value: object) -> None:
    text = json.dumps(cut_input(value), ensure_ascii=False, allow_nan=False)
    assert len(text.encode()) <= INPUT_BYTES


def test_an_input_of_many_long_strings_keeps_all_its_fields() -> None:
    shrunk = cut_input({f"field {number}": "x" * 5_000 for number in range(9)})
    assert list(shrunk) == [f"field {number}" for number in range(9)]
    assert all(text.endswith(" characters]") for text in shrunk.values())


def test_an_input_of_too_many_fields_is_kept_as_the_start_of_its_text() -> None:
    shrunk = cut_input({f"field {number}": "\x00é" * 20 for number in range(2_000)})
    assert list(shrunk) == ["cut"]
    assert shrunk["cut"].startswith('{"field 0": ')
    assert len(json.dumps(shrunk, ensure_ascii=False).encode()) <= INPUT_BYTES


def test_files_are_named_once_and_not_without_bound() -> None:
    assert cut_files(["b", "a", "b", ""]) == ["b", "a"]
    assert len(cut_files([str(number) for number in range(500)])) == MOST_FILES


@given(st.text(alphabet="ab ", max_size=700), st.integers(40, 600))
def test_a_text_is_cut_between_words(text: str, limit: int) -> None:
    kept, mark, _ = cut(text, limit).partition("… [cut ")
    assert text.startswith(kept)
    assert not mark or text[len(kept)] == " " or len(kept) == max(0, limit - 32 - 512)
