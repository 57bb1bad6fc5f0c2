"""Every type of event: its schema, its footprint, its subject line and its bytes."""

from __future__ import annotations

import copy
import importlib
import pkgutil
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.golden_events import EVENTS
from tests.core.strategies import A_FEW, events, histories, texts

import ledger.core.events
from ledger.core import canonical, fold, schema
from ledger.core.event import SUBJECT_WIDTH, Event, from_message
from ledger.core.events import TYPES, find_kind, kind_of, message_of, subject_of
from ledger.core.events.kind import Kind
from ledger.core.state import Document, State, unit_of

GOLDEN = Path(__file__).parent / "golden" / "events"
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "events.md"


class Recording:
    """A reader that remembers which units were read."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.units: set[str] = set()

    def get(self, path: str) -> Document | None:
        self.units.add(unit_of(path))
        return self.state.get(path)

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        self.units.add(unit_of(folder))
        return self.state.under(folder)


def kind_named(name: str) -> Kind:
    kind = find_kind(name)
    assert kind is not None
    return kind


# The footprint rule


@pytest.mark.parametrize("name", TYPES)
@A_FEW
@given(st.data())
def test_an_event_reads_and_changes_its_footprint_alone(name: str, data: st.DataObject) -> None:
    state = fold.fold(data.draw(histories()))
    event = data.draw(events(name))
    reader = Recording(state)
    changes = fold.apply(reader, event)
    allowed = set(fold.footprint(event))
    assert reader.units <= allowed
    assert {unit_of(path) for path in changes} <= allowed


@given(histories(), events())
def test_units_that_are_none_of_its_footprint_do_not_matter_to_an_event(before: list[Event], event: Event) -> None:
    state = fold.fold(before)
    footprint = fold.footprint(event)
    alone = State({path: d for path, d in state.documents.items() if unit_of(path) in footprint})
    assert State(fold.apply(state, event)) == State(fold.apply(alone, event))  # type: ignore[arg-type]


@given(histories(), events())
def test_applying_an_event_changes_neither_the_event_nor_the_state(before: list[Event], event: Event) -> None:
    state = fold.fold(before)
    kept, written = copy.deepcopy(state), event.body()
    fold.apply(state, event)
    assert state == kept
    assert event.body() == written


@given(events())
def test_the_footprint_follows_from_the_bytes_of_the_event(event: Event) -> None:
    assert fold.footprint(from_message(message_of(event))) == fold.footprint(event)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_that_touches_nothing_carries_no_prev(name: str) -> None:
    kind = kind_named(name)
    event = replace(EVENTS[name], changes_state=not kind.changes_state, prev=None)
    assert [p.path for p in schema.event_problems(event, {})] == ["prev"]


# Totality


@pytest.mark.parametrize("name", TYPES)
@A_FEW
@given(st.data())
def test_what_every_rule_accepts_can_be_written_read_and_folded(name: str, data: st.DataObject) -> None:
    event = data.draw(events(name))
    assert schema.event_problems(event) == []
    assert from_message(message_of(event)) == event
    state = fold.fold([*data.draw(histories()), event])
    for document in state.documents.values():
        assert canonical.loads(canonical.dumps(document)) == document


@given(events())
def test_a_version_from_the_future_is_skipped_as_an_unknown_type_is(event: Event) -> None:
    newer = replace(event, v=2, data={})
    assert kind_of(newer) is None
    assert fold.footprint(newer) == ()
    assert fold.apply(State(), newer) == {}
    assert subject_of(newer) == event.type


@given(st.integers(1, 64) | st.integers(60, 63), events("context.set"))
def test_a_value_nested_as_deep_as_is_accepted_fits_into_every_state_file(depth: int, event: Event) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    deep = replace(event, data={"key": "n", "value": value}, prev=None)
    assert bool(schema.event_problems(deep)) == (depth > 61)
    if depth > 61:
        return
    later = replace(deep, id=f"{deep.id[:-1]}{'0' if deep.id[-1] == 'f' else 'f'}")
    for document in fold.fold([deep, later]).documents.values():
        canonical.dumps(document)


# Subjects


def is_plain(text: str) -> bool:
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in text)


@pytest.mark.parametrize("name", TYPES)
@A_FEW
@given(st.data())
def test_a_subject_is_one_short_line_without_characters_that_hide(name: str, data: st.DataObject) -> None:
    subject = subject_of(data.draw(events(name)))
    assert subject.startswith(name)
    assert len(subject) <= SUBJECT_WIDTH
    assert is_plain(subject)
    assert subject == " ".join(subject.split())


@given(texts, st.sampled_from(["\u202e", "\x1b[2J", "\n\n", "\u2066", "\r", "\u2028", "\x9b", "\ufeff", "\U000e0041"]))
def test_a_prompt_cannot_take_over_the_line_that_names_it(text: str, trick: str) -> None:
    event = replace(EVENTS["prompt.submitted"], data={"text": f"{trick}{text}{trick}x"})
    assert is_plain(subject_of(event))
    assert "\n" not in subject_of(event)


def test_a_long_subject_ends_in_an_ellipsis() -> None:
    event = replace(EVENTS["note.added"], data={"text": "word " * 40})
    assert subject_of(event) == "note.added: " + "word " * 11 + "word…"


def test_a_subject_without_a_summary_ends_after_its_object() -> None:
    event = replace(EVENTS["note.added"], data={"text": "\u202e\n", "about": "auth"})
    assert subject_of(event) == "note.added auth"


def test_an_unknown_type_is_named_and_nothing_else_is_said() -> None:
    assert subject_of(replace(EVENTS["note.added"], type="own.type")) == "own.type"


# Bytes


@pytest.mark.parametrize("name", TYPES)
def test_the_message_of_an_event_is_what_it_always_was(name: str) -> None:
    """Pinned bytes: whoever changes them changes the id of every commit to come, and says why."""
    message = message_of(EVENTS[name])
    assert message == (GOLDEN / f"{name}.txt").read_bytes()
    assert from_message(message) == EVENTS[name]


def test_every_pinned_message_belongs_to_a_type() -> None:
    assert sorted(p.stem for p in GOLDEN.glob("*.txt")) == sorted(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_the_pinned_event_is_one_that_every_rule_accepts(name: str) -> None:
    assert schema.event_problems(EVENTS[name]) == []


# One file a type


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_a_module_of_its_name_and_a_schema_of_its_version(name: str) -> None:
    kind = kind_named(name)
    assert kind.type == name
    assert f"{name}.v{kind.version}" in schema.names()


def test_no_module_of_events_is_left_over() -> None:
    shared = {"context", "kind", "lease", "session", "task", "tool"}
    found = {m.name for m in pkgutil.iter_modules(ledger.core.events.__path__)} - shared
    assert found == {name.replace(".", "_").replace("-", "_") for name in TYPES}


def test_a_module_says_first_which_type_it_is() -> None:
    for name in TYPES:
        module = importlib.import_module(f"ledger.core.events.{name.replace('.', '_').replace('-', '_')}")
        assert (module.__doc__ or "").startswith(f"`{name}`: ")


def test_the_page_of_events_names_every_type_and_every_field() -> None:
    rows = re.findall(r"^\| `([a-z.-]+)` \|([^|]*)\|([^|]*)\|", REFERENCE.read_text(), re.MULTILINE)
    told = {name: (unit.strip(), set(re.findall(r"`([a-z_]+)`", fields))) for name, unit, fields in rows}
    assert list(told) == list(TYPES)
    for name in TYPES:
        assert told[name][1] == set(schema.schema(f"{name}.v1")["properties"]), name
        assert bool(told[name][0] != "nothing") == kind_named(name).changes_state, name
