"""Upcasting: older data is lifted step by step, and stored bytes stay."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from tests.core.golden_events import EVENTS
from tests.core.strategies import events

from ledger.core.event import Event
from ledger.core.events import TYPES, find_kind
from ledger.core.upcast import STEPS, upcast


def named(data: dict[str, Any]) -> dict[str, Any]:
    return {"title": data["text"]}


def counted(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"words": len(data["title"].split())}


def test_data_is_lifted_through_every_version() -> None:
    note = EVENTS["note.added"]
    before = note.body()
    lifted = upcast(note, {("note.added", 1): named, ("note.added", 2): counted})
    assert lifted.v == 3
    assert lifted.data == {"title": "The token expires after 15 minutes.", "words": 6}
    assert (lifted.id, lifted.time, lifted.session) == (note.id, note.time, note.session)
    assert note.body() == before


def test_a_step_of_another_type_is_not_taken() -> None:
    assert upcast(EVENTS["turn.ended"], {("note.added", 1): named}) is EVENTS["turn.ended"]


@given(events())
def test_what_is_at_its_newest_version_stays_as_it_is(event: Event) -> None:
    assert upcast(event) is event


def test_every_version_of_a_type_has_a_step_to_the_next() -> None:
    needed = set()
    for name in TYPES:
        kind = find_kind(name)
        needed |= {(name, v) for v in range(1, kind.version if kind else 1)}
    assert set(STEPS) == needed
