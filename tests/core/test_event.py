"""The event: an envelope, its canonical text, and the message of the commit that carries it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.golden_events import EVENTS
from tests.core.strategies import IDS, events, json_values

from ledger.core.event import ENVELOPE, SUBJECT_WIDTH, Event, from_document, from_message, subject
from ledger.core.events import message_of
from ledger.core.ids import EventId, SessionId
from ledger.errors import InvalidError

SET = EVENTS["context.set"]
anything: Any = st.dictionaries(st.sampled_from(ENVELOPE), json_values)


@given(events())
def test_an_event_comes_back_from_its_message_byte_for_byte(event: Event) -> None:
    message = message_of(event)
    assert from_message(message) == event
    assert message_of(from_message(message)) == message


@given(events())
def test_an_event_comes_back_from_its_document(event: Event) -> None:
    assert from_document(event.document()) == event


def test_the_fields_of_the_envelope_stand_in_one_order() -> None:
    event = replace(SET, origin={"source": "hook", "ref": "x"})
    assert tuple(event.document()) == ENVELOPE
    assert [line.split(":")[0] for line in event.body().splitlines() if line[0] != " "] == list(ENVELOPE)


def test_seeing_nothing_is_said_and_saying_nothing_is_something_else() -> None:
    blind, silent = replace(SET, prev=None), replace(SET, prev=None, changes_state=False)
    assert "prev: null\n" in blind.body()
    assert "prev" not in silent.body()
    assert from_document(blind.document()).changes_state
    assert not from_document(silent.document()).changes_state


def test_what_a_writer_saw_is_a_set() -> None:
    assert replace(SET, prev=None).seen == frozenset()
    assert replace(SET, prev=IDS[0]).seen == {IDS[0]}
    assert replace(SET, prev=list(IDS[:3])).seen == set(IDS[:3])


def test_ids_of_their_own_types_are_written_as_text() -> None:
    event = replace(SET, id=EventId(SET.id), session=SessionId(SET.session), prev=EventId(IDS[0]))
    document = event.document()
    assert {type(document[name]) for name in ("id", "session", "prev")} == {str}


def test_an_event_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        SET.v = 2  # type: ignore[misc]


def test_every_problem_of_an_envelope_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        from_document({"id": 1, "v": True, "time": None, "prev": [1], "origin": [], "data": "x", "extra": 1})
    told = {p.path: p.rule for p in caught.value.problems}
    assert told == {
        "type": "is missing",
        "session": "is missing",
        "id": "must be str",
        "v": "must be int",
        "time": "must be str",
        "prev": "must be a list of str",
        "origin": "must be dict",
        "data": "must be dict",
        "extra": "is not a field of the envelope",
    }


@given(anything)
def test_reading_a_document_succeeds_or_names_what_is_wrong(document: dict[str, Any]) -> None:
    try:
        event = from_document(document)
    except InvalidError as error:
        told = error.problems
    else:
        told = ()
        assert isinstance(event.seen, frozenset)
    assert bool(told) or set(document) >= {"id", "type", "v", "session", "time", "data"}


@pytest.mark.parametrize(
    "message", [b"", b"subject", b"subject\n", b"subject\n\n", b"s\n\nnot: an event\n", b"s\n\n\xff\n"]
)
def test_a_message_that_carries_no_event_is_refused(message: bytes) -> None:
    with pytest.raises(InvalidError):
        from_message(message)


@given(st.binary(max_size=80), events())
def test_no_damage_to_a_message_goes_through_as_another_event(junk: bytes, event: Event) -> None:
    message = message_of(event)
    for damaged in (message + junk, junk + message[len(junk) :], message[: len(message) - len(junk)]):
        try:
            read = from_message(damaged)
        except InvalidError:
            continue
        # What still reads is written the same way again, so that nothing was read into it.
        assert read.body().encode() == damaged.partition(b"\n\n")[2]


def test_the_subject_is_never_read_back() -> None:
    body = SET.body().encode()
    assert from_message(b"anything at all\n\n" + body) == SET


# Subjects


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("note.added", "", ""), "note.added"),
        (("note.added", "a", ""), "note.added a"),
        (("note.added", "", "b"), "note.added: b"),
        (("note.added", "a", "b"), "note.added a: b"),
        (("note.added", "a\n b", " c\t d "), "note.added a b: c d"),
        (("note.added", "a", "\u202eb\u2066c"), "note.added a: b c"),
        (("note.added", "a", "\ufeff \x00\x1b"), "note.added a"),
        (("note.added", "é日本\N{GRINNING FACE}", "z\u0301"), "note.added é日本\N{GRINNING FACE}: z\u0301"),
        (("note.added", " " * 400 + "a", "\n" * 400 + "b"), "note.added a: b"),
    ],
)
def test_a_subject_is_type_object_and_summary_on_one_line(parts: tuple[str, str, str], line: str) -> None:
    assert subject(*parts) == line


@pytest.mark.parametrize(("length", "whole"), [(SUBJECT_WIDTH - 3, True), (SUBJECT_WIDTH - 2, False)])
def test_a_subject_is_cut_only_where_it_is_too_long(length: int, whole: bool) -> None:
    line = subject("k", "", "x" * length)
    assert len(line) == SUBJECT_WIDTH
    assert line.endswith("…") is not whole


@given(st.text(), st.text())
def test_a_subject_depends_on_no_table_of_characters_that_changes(about: str, summary: str) -> None:
    line = subject("a.b", about, summary)
    assert line == subject("a.b", about, summary)
    assert "\n" not in line
    assert len(line) <= SUBJECT_WIDTH
