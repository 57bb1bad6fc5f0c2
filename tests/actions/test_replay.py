"""Replay folds again what was recorded, and says where what is stored differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.actions.git import Git

from ledger.actions.append import Draft
from ledger.actions.replay import replay
from ledger.api import Ledger, open_ledger
from ledger.core.state import State
from ledger.errors import NotFoundError
from ledger.storage.layout import MAIN
from ledger.storage.tree import TreeReader

NOTE = Draft("note.added", {"text": "seen"})


def test_a_replay_of_everything_gives_the_tree_that_is_stored(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("a", 1)
    one.record([NOTE])
    two.increment("count", 2)
    one.increment("count", 3)
    head = str(ledger.place.store.ref(MAIN))
    found = replay(ledger.place, state=True)
    stored = ledger.place.store.commit(head).tree
    assert (found.ok, found.first_divergence) == (True, None)
    assert (found.start, found.end, found.events_replayed) == (None, head, 8)
    assert found.state_tree == found.expected_tree == stored
    assert State(found.state) == State(dict(TreeReader(ledger.place.store, stored).under("")))


def test_a_replay_starts_from_the_sessions_last_checkpoint(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1)
    tree = ledger.place.store.commit(str(ledger.place.store.ref(MAIN))).tree
    checkpoint = me.write([Draft("checkpoint.created", {"tree": tree})])
    ledger.session("agent", "2").set("b", 2)
    me.record([NOTE])
    found = replay(ledger.place, me.id)
    assert found.ok
    assert (found.checkpoint, found.start) == (checkpoint.events[0].id, checkpoint.commits[0])
    # Its own note on top of what another session wrote, which came first.
    assert found.events_replayed == 3
    assert found.end == ledger.place.store.ref(f"refs/heads/session/{me.id}")


def test_a_checkpoint_that_pins_what_never_stood_there_is_passed_over_for_the_one_before(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1)
    before = str(ledger.place.store.ref(MAIN))
    good = me.write([Draft("checkpoint.created", {"tree": ledger.place.store.commit(before).tree})])
    me.set("a", 2)
    me.write([Draft("checkpoint.created", {"tree": "0" * 40})])
    me.set("a", 3)
    found = replay(ledger.place, me.id)
    assert found.ok
    assert (found.checkpoint, found.start, found.events_replayed) == (good.events[0].id, good.commits[0], 3)


def test_where_no_checkpoint_is_good_a_replay_starts_where_the_session_does(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("a", 1)
    me.write([Draft("checkpoint.created", {"tree": "0" * 40})])
    found = replay(ledger.place, me.id)
    assert (found.ok, found.checkpoint, found.events_replayed) == (True, None, 3)


def test_without_a_checkpoint_a_replay_starts_where_the_session_does(ledger: Ledger) -> None:
    ledger.session("agent", "0").set("a", 1)
    before = ledger.place.store.ref(MAIN)
    me = ledger.session("agent", "1")
    me.set("b", 1)
    found = replay(ledger.place, me.id)
    assert (found.ok, found.checkpoint, found.start, found.events_replayed) == (True, None, before, 2)


def test_a_replay_between_two_revs_folds_what_lies_between(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    commits = [me.set("k", number).commits[-1] for number in range(5)]
    found = replay(ledger.place, from_=commits[1], to=commits[3], state=True)
    assert (found.start, found.end, found.events_replayed) == (commits[1], commits[3], 2)
    assert found.state is not None
    assert found.state["context/k.yaml"]["value"] == 3


def test_a_start_that_does_not_come_before_the_end_is_refused(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    commits = [me.set("k", number).commits[-1] for number in range(2)]
    with pytest.raises(NotFoundError, match="does not come before"):
        replay(ledger.place, from_=commits[1], to=commits[0])


def test_a_session_that_wrote_nothing_cannot_be_replayed(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="no event of session"):
        replay(ledger.place, ledger.session("agent", "nobody").id)


def test_the_first_divergence_is_named_and_the_true_state_is_folded_past_it(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("agent", "1")
        me.set("k", "true")
        commits = [me.note(f"{number}").commits[-1] for number in range(3)]
        true_tree = ledger.place.store.commit(commits[-1]).tree
    git = Git(root / "ledger.git")
    forged = git.tree_with(true_tree, "context/k.yaml", b"value: forged\n")
    changed = git.object("commit", git.raw(commits[0]).replace(true_tree.encode(), forged.encode(), 1))
    git.move(git.rebuild({commits[0]: changed}, commits[1:]))
    with open_ledger(root) as ledger:
        found = replay(ledger.place)
    assert not found.ok
    assert found.first_divergence is not None
    assert found.first_divergence.commit == changed
    assert found.first_divergence.paths == ("context/k.yaml",)
    assert found.state_tree == true_tree


def test_a_replay_is_read_by_programs_under_its_public_names(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("k", 1)
    document = replay(ledger.place, me.id).document()
    assert list(document) == [
        "ok",
        "session",
        "checkpoint",
        "from",
        "to",
        "events_replayed",
        "state_tree",
        "expected_tree",
        "first_divergence",
        "state",
        "seconds",
    ]
    assert document["to"] == ledger.place.store.ref(MAIN)
