"""`text`: lines merge against what their writer started from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.core.policies.writers import cell_of, concurrently

from ledger.core.policies import text
from ledger.core.policies.policy import Cell, Outcome, Write

texts = st.lists(st.sampled_from(["a\n", "b\n", "c\n"]), max_size=5).map("".join)


def test_writers_of_different_lines_do_not_disturb_each_other() -> None:
    found = concurrently(text, "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n")
    assert found == Outcome(Cell("A\nb\nC\n"))


def test_of_two_writers_of_one_line_the_later_wins_and_the_whole_other_text_is_reported() -> None:
    found = concurrently(text, "a\nb\n", "A\nb\n", "X\nb\n")
    assert found == Outcome(Cell("X\nb\n"), ("A\nb\n",))


def test_writers_who_each_began_the_text_clash() -> None:
    found = concurrently(text, "", "one\n", "two\n")
    assert found == Outcome(Cell("two\n"), ("one\n",))


def test_a_writer_who_saw_one_of_two_merged_writes_does_not_undo_the_other() -> None:
    """He names the same id as one who saw the merged text: what he started from tells them apart."""
    merged = concurrently(text, "a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n").cell
    later = {"value": "a\nb\nC\nd\n", "base": "a\nb\nC\n"}
    assert text.apply(merged, Write("", True, later)) == Outcome(Cell("A\nb\nC\nd\n"))


@given(texts, texts)
def test_a_writer_who_started_from_what_stands_there_gets_what_he_wrote(base: str, new: str) -> None:
    cell = cell_of(text, base)
    for saw_all in (True, False):
        if base or saw_all:
            assert text.apply(cell, Write("", saw_all, text.diff(cell, new).fields)) == Outcome(Cell(new))


def test_a_write_without_a_base_replaces_what_its_writer_saw() -> None:
    assert text.apply(Cell("old\n"), Write("", True, {"value": "new\n"})) == Outcome(Cell("new\n"))
    assert text.apply(Cell("old\n"), Write("", False, {"value": "new\n"})) == Outcome(Cell("new\n"), ("old\n",))


def test_what_is_no_text_is_no_value() -> None:
    assert text.problems("") == []
    assert len(text.problems(None)) == 1
