"""Conflicts as a person meets them: who was beaten by whom, how it is settled, and what cannot settle it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.conftest import Run

from ledger.api import open_ledger
from ledger.testing import Clock, fixed


@pytest.fixture
def three(ledger: Run, clock: Clock) -> Run:
    """A ledger in which three agents read the same three keys, and then wrote each without seeing one another."""
    values: dict[str, tuple[Any, Any, Any, Any]] = {
        "map": ({"f": 1, "g": 1}, {"f": 2, "g": 1}, {"f": 3, "g": 1}, {"f": 4, "g": 1, "h": 7}),
        "text": ("one\n2\n3\nfour\n", "one\n2a\n3\nfour\n", "one\n2b\n3\nfour\n", "one\n2\n3\nFOUR\n"),
        "value": ("x", None, "y", {"z": [1, 2]}),
    }
    with open_ledger(sources=fixed(clock)) as opened:
        agents = [opened.session(name, "run") for name in ("codex", "gemini", "claude-code")]
        for key, (first, *_) in values.items():
            opened.person().set(key, first, policy=key if key != "value" else None)
            for agent in agents:
                agent.get(key)
        for key, (_, *written) in values.items():
            for agent, value in zip(agents, written, strict=True):
                clock.advance(1)
                agent.delete(key) if value is None else agent.set(key, value)
    return ledger


def siblings(run: Run, key: str) -> list[dict[str, Any]]:
    (found,) = json.loads(run("conflicts", key, "--json").out)
    return [found["winner"], *found["losers"]]


PAGE = """\
map  map
  stands  01a203d2-5a18-7001  claude-code/b47f  6s ago      f: 4, g: 1, h: 7
  beaten  01a203d2-5248-7001  codex/bc91        8s ago      f: 2
  beaten  01a203d2-5630-7001  gemini/0fa6       7s ago      f: 3
text  text
  stands  01a203d2-65d0-7000  claude-code/b47f  3s ago      one 2b 3 FOUR
  beaten  01a203d2-5e00-7000  codex/bc91        5s ago      one 2a 3 four
value
  stands  01a203d2-7188-7000  claude-code/b47f  now         z: 1, 2
  beaten  01a203d2-69b8-7000  codex/bc91        2s ago      (deleted)
  beaten  01a203d2-6da0-7000  gemini/0fa6       1s ago      y
"""


def test_a_page_names_for_each_key_what_stands_and_who_was_beaten_when(three: Run) -> None:
    assert three("conflicts") == (1, PAGE, "3 conflicts. To settle one: ledger resolve KEY --take EVENT\n")


def test_of_one_key_texts_of_many_lines_are_shown_by_what_differs(three: Run) -> None:
    assert three("conflicts", "text").out.splitlines()[3:] == [
        "      one",
        "    - 2b",
        "    + 2a",
        "      3",
        "    - FOUR",
        "    + four",
    ]


def test_programs_get_the_winner_and_every_loser_with_author_agent_and_time(three: Run) -> None:
    winner, first, second = siblings(three, "value")
    assert winner.keys() == {"event", "session", "time", "policy", "value", "agent"}
    assert (winner["agent"], winner["value"]) == ("claude-code", {"z": [1, 2]})
    assert (first["agent"], first["deleted"], "value" in first) == ("codex", True, False)
    assert (second["agent"], second["value"]) == ("gemini", "y")


def test_a_delete_among_the_siblings_can_be_taken(three: Run) -> None:
    deleted = siblings(three, "value")[1]["event"]
    assert three("resolve", "value", "--take", deleted[:18]).code == 0
    assert three("get", "value").code == 1
    assert three("conflicts", "value") == (0, "", "No conflicts at or below value.\n")


def test_to_take_a_beaten_field_of_a_map_puts_that_field_in_and_leaves_the_others(three: Run) -> None:
    assert three("resolve", "map", "--take", siblings(three, "map")[1]["event"]).code == 0
    assert json.loads(three("get", "map", "--json").out)["value"] == {"f": 2, "g": 1, "h": 7}
    assert three("conflicts", "map").code == 0
    assert three("verify", "--full").code == 0


def test_the_winner_can_be_taken_too(three: Run) -> None:
    assert three("resolve", "map", "--take", siblings(three, "map")[0]["event"]).code == 0
    assert json.loads(three("get", "map", "--json").out)["value"] == {"f": 4, "g": 1, "h": 7}


def test_an_event_that_is_no_sibling_is_refused_with_those_there_are(three: Run) -> None:
    assert three("resolve", "value", "--take", "01a203d2") == (
        1,
        "",
        "error: '01a203d2' fits 3 event ids: 01a203d2-69b8-7000-8000-000000000000, "
        "01a203d2-6da0-7000-8000-000000000000, 01a203d2-7188-7000-8000-000000000000; at 'value' there are:\n"
        "  stands  01a203d2-7188-7000  z: 1, 2\n"
        "  beaten  01a203d2-69b8-7000  (deleted)\n"
        "  beaten  01a203d2-6da0-7000  y\n"
        "  hint: ledger resolve value --take 01a203d2-6da0-7000\n",
    )
    other = siblings(three, "map")[0]["event"]
    assert three("resolve", "value", "--take", other).err.startswith(f"error: no event id starts with '{other}'; at ")


def test_where_there_is_nothing_to_settle_the_answer_is_no(three: Run) -> None:
    told = "error: no conflict stands at 'quiet'\n  hint: `ledger conflicts` lists them\n"
    assert three("resolve", "quiet", "--take", "01a203d1") == (1, "", told)
    assert three("resolve", "quiet", "x") == (1, "", told)
    assert three("conflicts", "Value").code == 4


def test_a_settled_conflict_that_meets_a_late_write_is_one_again_with_what_was_settled(three: Run) -> None:
    three("resolve", "value", "mine")
    three("set", "value", "late", "--saw", "none")
    assert [side["value"] for side in siblings(three, "value")] == ["late", "mine"]


def test_a_declared_schema_refuses_a_value_that_does_not_fit_and_the_conflict_stays(three: Run) -> None:
    three("policy", "set", "value", "--schema", "-", stdin=b"{type: object}")
    assert three("resolve", "value", "text").code == 4
    assert three("resolve", "value", "--take", siblings(three, "value")[2]["event"]).code == 4
    assert len(siblings(three, "value")) == 3
    assert three("resolve", "value", "--json-value", '{"z": 3}').code == 0


def test_a_number_is_one_where_the_policy_holds_numbers(ledger: Run) -> None:
    ledger("set", "n", "x")
    ledger("policy", "set", "n", "max")
    ledger("set", "n", "5", "--saw", "none")
    assert [side["value"] for side in siblings(ledger, "n")] == [5, "x"]
    assert ledger("resolve", "n", "7").code == 0
    assert json.loads(ledger("get", "n", "--json").out)["value"] == 7


def test_events_of_one_millisecond_are_told_apart() -> None:
    from ledger.cli.conflicts import shortest

    ids = ["01a203d1-8678-7000-8000-000000000001", "01a203d1-8678-7000-8000-000000000002"]
    assert shortest([{"event": i} for i in ids]) == 36
    assert shortest([{"event": ids[0]}, {"event": ids[0]}]) == 18
