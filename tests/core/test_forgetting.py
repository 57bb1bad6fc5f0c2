"""What is left of an event is an event still, says nothing of what was forgotten, and is the same the second time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from tests.core.golden_events import EVENTS

from ledger.core import schema
from ledger.core.event import Event
from ledger.core.fold import footprint
from ledger.core.forgetting import MARK, TOMBSTONE, Forgetting
from ledger.errors import RefusedError

SECRET = "swordfish-nine"
every_event = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())


def of_text(*texts: str) -> Forgetting:
    return Forgetting("it leaked", texts=tuple(re.compile(re.escape(text)) for text in texts))


def texts_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a value a text stands."""
    if isinstance(value, str):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, item in items for found in texts_in(item, (*path, name))]


def planted(value: Any, path: tuple[Any, ...]) -> Any:
    """The value with a text at that place that holds the secret."""
    if not path:
        return f"before {SECRET} after"
    if isinstance(value, dict):
        return {name: planted(item, path[1:]) if name == path[0] else item for name, item in value.items()}
    return [planted(item, path[1:]) if at == path[0] else item for at, item in enumerate(value)]


@every_event
def test_a_text_that_an_event_may_hold_is_gone_and_the_event_is_one_still(event: Event) -> None:
    what = of_text(SECRET)
    for path in texts_in(event.data):
        holding = replace(event, data=planted(event.data, path))
        if schema.event_problems(holding):
            continue  # no text of anybody's stands there
        left = what.event(holding)
        assert SECRET not in left.body()
        assert schema.event_problems(left) == []
        assert (left.id, left.session, left.time, left.prev) == (event.id, event.session, event.time, event.prev)
        assert what.event(left) is left


@every_event
def test_what_holds_none_of_it_is_the_same_object(event: Event) -> None:
    assert of_text(SECRET).event(event) is event


@every_event
def test_an_event_is_forgotten_as_a_whole_or_refused_by_name(event: Event) -> None:
    what = Forgetting("it leaked", ids=frozenset({event.id}))
    try:
        left = what.event(event)
    except RefusedError:
        with pytest.raises(RefusedError, match=event.id):
            what.event(event)
        return
    assert schema.event_problems(left) == []
    assert footprint(left) == (footprint(event) if left.type == event.type else ())
    if event.type == TOMBSTONE:
        assert left is event
    elif not event.changes_state:
        assert (left.type, left.data["type"], left.data["because"]) == (TOMBSTONE, event.type, "it leaked")
        assert left.origin == event.origin


def test_a_write_keeps_its_key_and_what_it_saw() -> None:
    event = EVENTS["context.set"]
    left = Forgetting("it leaked", ids=frozenset({event.id})).event(event)
    assert (left.type, left.data["key"], left.data["value"], left.prev) == (
        event.type,
        event.data["key"],
        MARK,
        event.prev,
    )


def test_of_a_key_every_write_becomes_a_tombstone_and_others_stay() -> None:
    what = Forgetting("it leaked", keys=frozenset({"auth/decision"}))
    for event in EVENTS.values():
        left = what.event(event)
        if event.changes_state and event.data.get("key") == "auth/decision":
            assert left.type == TOMBSTONE
        elif "entries" not in event.data:
            assert left is event


def test_an_entry_of_a_state_loses_its_value_or_goes() -> None:
    document = {"event": "e1", "policy": "lww", "value": "x", "last": "e1"}
    what = Forgetting("it leaked", ids=frozenset({"e1"}), keys=frozenset({"gone"}))
    assert what.document("context/a.yaml", document) == ("context/a.yaml", {**document, "value": MARK})
    assert what.document("context/a.yaml", {**document, "policy": "counter"}) is None
    assert what.document("context/gone.yaml", document) is None
    assert what.document("conflicts/gone.yaml", document) is None
    assert what.document("sessions/s/context/gone.yaml", document) is None
    assert what.document("context/b.yaml", {**document, "event": "e2"}) == (
        "context/b.yaml",
        {**document, "event": "e2"},
    )


def test_losers_go_by_themselves() -> None:
    losers = [{"event": "e1", "value": "x"}, {"event": "e2", "value": "y"}]
    what = Forgetting("it leaked", ids=frozenset({"e1"}))
    document = {"key": "a", "last": "e3", "losers": losers}
    assert what.document("conflicts/a.yaml", document) == ("conflicts/a.yaml", {**document, "losers": losers[1:]})
    assert what.document("conflicts/a.yaml", {**document, "losers": losers[:1]}) is None
