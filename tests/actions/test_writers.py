"""Writers: a whole new value says what it changes in what its writer saw, and leaves what came since."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.actions.read import Found
from ledger.api import Ledger
from ledger.errors import RefusedError


def written_after_a_look(ledger: Ledger, policy: str, seen: Any, other: Any, mine: Any) -> Found:
    """What stands after a session read a value, another one wrote, and the first wrote its own whole value."""
    me, somebody = ledger.session("codex", "1"), ledger.session("codex", "2")
    somebody.set("k", seen, policy=policy)
    me.get("k")
    somebody.set("k", other)
    me.set("k", mine)
    return ledger.get("k")


@pytest.mark.parametrize(
    ("policy", "seen", "other", "mine", "stands"),
    [
        ("text", "1\n2\n3\n4\n", "1\n2\n3\nx\n", "y\n2\n3\n4\n", "y\n2\n3\nx\n"),
        ("map", {"f": 1, "g": 1}, {"f": 2, "g": 1}, {"f": 1, "g": 3}, {"f": 2, "g": 3}),
        ("map", {"f": 1}, {"f": 1, "g": 1}, {}, {"g": 1}),
        ("set", ["a", "b"], ["a", "b", "c"], ["a", "d"], ["a", "c", "d"]),
        ("log", ["a"], ["a", "b"], ["a", "c"], ["a", "b", "c"]),
        ("counter", 1, 5, 3, 7),
        ("max", 1, 5, 3, 5),
    ],
)
def test_what_somebody_else_wrote_since_stays_where_the_policy_combines(
    ledger: Ledger, policy: str, seen: Any, other: Any, mine: Any, stands: Any
) -> None:
    found = written_after_a_look(ledger, policy, seen, other, mine)
    assert found.entry.cell.value == stands
    assert found.losers == ()


@pytest.mark.parametrize(
    ("policy", "seen", "other", "mine", "lost"),
    [
        ("lww", 1, 2, 3, [2]),
        ("map", {"f": 1}, {"f": 2}, {"f": 3}, [{"f": 2}]),
        ("text", "1\n", "2\n", "3\n", ["2\n"]),
    ],
)
def test_what_cannot_be_combined_is_beaten_and_stays_visible(
    ledger: Ledger, policy: str, seen: Any, other: Any, mine: Any, lost: Any
) -> None:
    found = written_after_a_look(ledger, policy, seen, other, mine)
    assert found.entry.cell.value == mine
    assert [loser["value"] for loser in found.losers] == lost


def test_a_step_is_taken_from_what_stands_whatever_was_seen(ledger: Ledger) -> None:
    me, somebody = ledger.session("codex", "1"), ledger.session("codex", "2")
    somebody.add("k", "a", "b")
    me.get("k")
    somebody.remove("k", "a")
    assert me.add("k", "a").events != ()
    assert ledger.get("k").entry.cell.value == ["a", "b"]


def test_a_sibling_of_a_map_that_lost_two_fields_brings_both(ledger: Ledger) -> None:
    me, somebody = ledger.session("codex", "1"), ledger.session("codex", "2")
    me.set("k", {"f": 1, "g": 1, "h": 1}, policy="map")
    me.get("k")
    beaten = somebody.set("k", {"f": 2, "g": 2, "h": 1}).events[0].id
    me.set("k", {"f": 3, "g": 3, "h": 3})
    me.resolve("k", take=beaten)
    assert ledger.get("k").entry.cell.value == {"f": 2, "g": 2, "h": 3}
    with pytest.raises(RefusedError):
        ledger.session("codex", "1").increment("k")
