"""Rollback: keys get back what main held, never what one session alone saw."""

from __future__ import annotations

from ledger.actions.append import Draft
from ledger.actions.rollback import plan_rollback
from ledger.api import Ledger


def test_rollback_to_an_event_of_a_merged_line_leaves_what_others_wrote_meanwhile(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.record([Draft("note.added", {"text": "seen"})])
    other.set("k", "v")
    private = me.record([Draft("note.added", {"text": "seen again"})]).events[-1]
    me.set("z", 1)
    assert [one.key for one in plan_rollback(ledger.place, private.id)] == ["z"]
