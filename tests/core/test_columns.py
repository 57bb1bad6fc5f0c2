"""Columns: every event has a row of the right types, whatever it holds, and its figures are those of the event."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from tests.core.golden_events import EVENTS
from tests.core.strategies import events

from ledger.core.columns import COLUMNS, NAMES, digest_of, files_of, keys_of, row_of, words_of
from ledger.core.event import Event

KINDS: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "real": (float,)}


def row(event: Event) -> dict[str, Any]:
    return dict(zip(NAMES, row_of(event, "c" * 40, "claude-code", "host"), strict=True))


def of_type(kind: str, **data: Any) -> Event:
    found = next(event for event in EVENTS.values() if event.type == kind)
    return replace(found, data=found.data | data)


@given(events())
def test_every_event_has_a_row_of_the_right_types(event: Event) -> None:
    for column in COLUMNS:
        value = row(event)[column.name]
        assert value is None or isinstance(value, KINDS[column.kind]), column
        assert not isinstance(value, int) or -(2**63) <= value < 2**63
    assert all(isinstance(text, str) for text in (*keys_of(event), *files_of(event), words_of(event)))


@pytest.mark.parametrize("change", [{"type": "acme.thing"}, {"v": 7}])
def test_what_is_not_known_is_counted_and_not_read_into(change: dict[str, Any]) -> None:
    event = replace(of_type("tool.completed"), **change, data={"tool": 7, "duration_ms": "long", "files": 3, "key": 4})
    told = row(event)
    assert (told["id"], told["type"], told["session"]) == (event.id, event.type, event.session)
    assert told["tool"] is told["duration_us"] is told["file_count"] is None
    assert keys_of(event) == files_of(event) == []


def test_a_call_is_told_with_its_command_and_its_time_in_microseconds() -> None:
    told = row(of_type("tool.completed", files=["a.py", "b.py"]))
    assert (told["tool"], told["brief"], told["duration_us"]) == ("Bash", "make test", 1_520_500)
    assert (told["exit_code"], told["output_bytes"], told["file_count"]) == (0, len("42 passed\n"), 2)
    same = row(of_type("tool.completed", input={"timeout": 60, "command": "make test"}))
    assert same["input_digest"] == told["input_digest"] != row(of_type("tool.failed"))["input_digest"]


def test_tokens_are_told_as_the_agent_gave_them() -> None:
    told = row(of_type("usage.reported", message="m", model="opus", input=3, output=5, cache_read=7, cost=0.25))
    assert (told["model"], told["tokens_input"], told["tokens_output"]) == ("opus", 3, 5)
    assert (told["tokens_cache_read"], told["cost_usd"]) == (7, 0.25)


def test_equal_values_have_equal_digests_whatever_the_order_of_their_names() -> None:
    one, other = (of_type("context.set", value=value) for value in ({"a": 1, "b": "ä"}, {"b": "ä", "a": 1}))
    assert row(one)["value_digest"] == row(other)["value_digest"] == digest_of('{"a": 1, "b": "ä"}')
    assert row(one)["value_bytes"] == len('{"a": 1, "b": "ä"}'.encode())


def test_the_time_is_when_it_happened_and_when_it_was_recorded() -> None:
    event = replace(of_type("note.added"), time="2026-02-28T23:59:59.000001Z")
    told = row(event)
    assert told["time_us"] == 1_772_323_199_000_001
    assert told["recorded_us"] == int(event.id.replace("-", "")[:12], 16) * 1000


UUID = "019dc0d6-37f4-7682-8630-4085b6c5606a"


@pytest.mark.parametrize(
    ("ref", "is_one"),
    [
        ("tool:toolu_01GJPbufm5xfEZWJe4W2HAPL", True),
        (f"usage:{UUID}@5612024", True),
        (f"prompt:{UUID}", True),
        ("tool:~339d9e1288753e0a", False),
        ("usage:msg_004", False),
        ("prompt:turn-1", False),
        ("session.ended", False),
    ],
)
def test_a_fact_with_a_random_id_is_one_in_a_fork_too(ref: str, is_one: bool) -> None:
    first = replace(of_type("tool.completed"), origin={"source": "transcript", "ref": ref})
    fork = replace(first, session="6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11")
    assert (row(first)["origin"] == row(fork)["origin"]) is is_one
    assert row(first)["source"] == "transcript"


def test_all_keys_that_are_named_are_told_once() -> None:
    assert keys_of(of_type("context.read", keys=["a", "b"])) == ["a", "b"]
    assert keys_of(of_type("context.set", key="a/b")) == ["a/b"]
    assert keys_of(of_type("session.started")) == []  # its key is the agent's own id
    restored = of_type("context.restored", entries=[{"key": "a"}, {"key": "b"}, {"key": "a"}])
    assert keys_of(restored) == ["a", "b"]


def test_the_words_are_those_that_somebody_said_and_no_random_ids() -> None:
    words = words_of(of_type("tool.completed"))
    assert {"make test", "42 passed", "Bash"} <= set(words.splitlines())
    assert "toolu_01" not in words
