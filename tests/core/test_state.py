"""State: documents at paths, the units they belong to, and changes to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import SESSIONS, histories

from ledger.core import state as s
from ledger.core.fold import apply, in_order
from ledger.core.state import Overlay, State

A, B = (str(session) for session in SESSIONS[:2])
PATHS = (
    "ledger.yaml",
    "policy.yaml",
    s.context_path("k"),
    s.conflicts_path("k"),
    s.context_path("a/b"),
    s.context_path("k", A),
    s.conflicts_path("k", A),
    s.session_path(A),
    s.session_path(B),
    s.task_path("t"),
    s.lease_path("l"),
)
documents = st.dictionaries(st.sampled_from(PATHS), st.fixed_dictionaries({"n": st.sampled_from([1, 2, 1.0, True])}))
changes = st.dictionaries(
    st.sampled_from([*PATHS, s.session_folder(A)]), st.none() | st.fixed_dictionaries({"n": st.sampled_from([3, 4])})
).map(lambda found: {path: None if path.endswith("/") else document for path, document in found.items()})


def test_paths_are_spelled_as_they_lie_in_every_ledger() -> None:
    """Pinned: another spelling is another tree, and a new format."""
    assert list(PATHS) == [
        "ledger.yaml",
        "policy.yaml",
        "context/k.yaml",
        "conflicts/k.yaml",
        "context/a/b.yaml",
        f"sessions/{A}/context/k.yaml",
        f"sessions/{A}/conflicts/k.yaml",
        f"sessions/{A}/session.yaml",
        f"sessions/{B}/session.yaml",
        "tasks/t.yaml",
        "leases/l.yaml",
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_belongs_to_one_unit_which_holds_it(path: str) -> None:
    unit = s.unit_of(path)
    held = s.unit_paths(unit)
    assert path in held or any(folder.endswith("/") and path.startswith(folder) for folder in held)
    assert s.unit_of(unit) == unit


def test_a_key_with_its_conflicts_is_one_unit_and_a_session_with_its_context_another() -> None:
    assert s.unit_of("conflicts/k.yaml") == s.unit_of("context/k.yaml") == "context/k.yaml"
    assert {s.unit_of(path) for path in PATHS if path.startswith(f"sessions/{A}")} == {f"sessions/{A}/"}


@given(documents)
def test_a_state_falls_apart_into_its_units_without_rest(found: dict[str, Any]) -> None:
    state, together = State(found), State()
    for unit in {s.unit_of(path) for path in found}:
        together.documents.update(s.read_unit(state, unit).documents)
    assert together == state


@given(documents, changes)
def test_changes_seen_over_a_state_are_what_they_make_of_it(found: dict[str, Any], changed: s.Changes) -> None:
    below, after = State(found), State(found)
    after.update(changed)
    overlay = Overlay(below, changed)
    assert {path: overlay.get(path) for path in PATHS} == {path: after.get(path) for path in PATHS}
    for folder in ("", s.session_folder(A), "context/"):
        assert list(overlay.under(folder)) == list(after.under(folder))


@given(documents, changes)
def test_the_order_in_which_changes_are_named_does_not_matter(found: dict[str, Any], changed: s.Changes) -> None:
    one, two = State(found), State(found)
    one.update(changed)
    two.update(dict(reversed(changed.items())))
    assert one == two


@given(histories())
def test_an_overlay_of_changes_is_the_state_after_them(before: list[Any]) -> None:
    state = State()
    for event in in_order(before):
        changed = apply(state, event)
        shown = State(dict(Overlay(state, changed).under("")))
        state.update(changed)
        assert shown == state


def test_a_state_is_read_in_the_order_of_its_paths() -> None:
    state = State({path: {} for path in reversed(PATHS)})
    assert [path for path, _ in state.under("")] == sorted(PATHS)


def test_states_are_equal_when_their_documents_are_written_alike() -> None:
    assert State({"a": {"x": 1, "y": 2}}) == State({"a": {"y": 2, "x": 1}})
    assert State({"a": {"x": 1}}) != State({"a": {"x": True}})
    assert State({"a": {"x": 1}}) != State({"a": {"x": 1.0}})
    assert State({"a": {"x": 0.0}}) != State({"a": {"x": -0.0}})
    assert State() != {}


def test_a_state_is_copied_from_what_it_is_made_of() -> None:
    first = State({"a": {}})
    second = State(first.documents)
    second.update({"a": None})
    assert first.get("a") == {}
    assert repr(second) == "State([])"


def test_the_last_id_of_a_unit_is_the_greatest_in_it() -> None:
    assert s.last_of(State()) is None
    assert s.last_of(State({"a": {"last": "1"}, "b": {"last": "2"}, "c": {}})) == "2"
