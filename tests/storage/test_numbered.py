"""Numbered: a fact without an id gets its number once, however often a drain is killed over it."""

from __future__ import annotations

import pytest

from ledger.storage.layout import Layout
from ledger.storage.numbered import TWICE_MICROS, Numbered

SESSION = "6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11"


def test_facts_of_one_kind_are_counted(layout: Layout) -> None:
    numbered = Numbered(layout, SESSION)
    given = [numbered.refs(f"payload-{n}", ["tool:~x#", "tool:y"], b"%d" % n, n) for n in range(3)]
    assert given == [["tool:~x", "tool:y"], ["tool:~x.2", "tool:y"], ["tool:~x.3", "tool:y"]]


def test_a_payload_that_waits_is_given_the_same_numbers_again(layout: Layout) -> None:
    first = Numbered(layout, SESSION)
    given = [first.refs(name, ["tool:~x#"], name.encode(), 0) for name in ("a", "b")]
    first.keep()
    again = Numbered(layout, SESSION, waiting={"b"})
    assert again.refs("b", ["tool:~x#"], b"b", 0) == given[1]
    assert again.refs("c", ["tool:~x#"], b"c", 0) == ["tool:~x.3"]


def test_numbers_that_were_not_kept_are_given_again(layout: Layout) -> None:
    Numbered(layout, SESSION).refs("a", ["tool:~x#"], b"a", 0)
    assert Numbered(layout, SESSION, waiting={"a"}).refs("a", ["tool:~x#"], b"a", 0) == ["tool:~x"]


def test_the_same_bytes_at_once_are_one_fact_and_later_another_one(layout: Layout) -> None:
    numbered = Numbered(layout, SESSION)
    given = [
        numbered.refs(name, ["prompt:~x#"], b"the same", time)
        for name, time in (("a", 0), ("b", TWICE_MICROS), ("c", 3 * TWICE_MICROS))
    ]
    assert given == [["prompt:~x"], ["prompt:~x"], ["prompt:~x.2"]]


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"counts": 1, "given": {}}', b"\xff\x00"])
def test_a_file_that_cannot_be_read_is_begun_anew(layout: Layout, damaged: bytes) -> None:
    layout.numbered.mkdir()
    (layout.numbered / SESSION).write_bytes(damaged)
    assert Numbered(layout, SESSION).refs("a", ["x#"], b"a", 0) == ["x"]


def test_nothing_is_written_where_nothing_is_counted(layout: Layout) -> None:
    numbered = Numbered(layout, SESSION)
    assert numbered.refs("a", ["tool:y"], b"a", 0) == ["tool:y"]
    numbered.keep()
    assert not layout.numbered.exists()
