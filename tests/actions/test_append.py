"""Append: each acknowledged event is one commit at the end of its branch, whoever else writes meanwhile."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.actions.writing import write_at_once

from ledger.actions.append import BULK, Draft, append_private, append_shared, publish
from ledger.actions.join import events_of
from ledger.actions.tip import Author
from ledger.actions.verify import verify
from ledger.api import Ledger, open_ledger
from ledger.core.event import Event
from ledger.core.fold import fold
from ledger.core.state import State
from ledger.errors import BusyError, InvalidError, RefusedError
from ledger.storage import journal
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.place import Place
from ledger.storage.store import EventStore, Oid
from ledger.storage.tree import TreeReader

NOTE = Draft("note.added", {"text": "seen"})


def events_at(place: Place, oid: Oid | None) -> list[Event]:
    return [] if oid is None else events_of(place.store.walk([oid], order="oldest"))


def test_a_shared_write_is_one_commit_on_main_and_its_message_is_the_event(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    before = ledger.place.store.ref(MAIN)
    done = me.set("auth/decision", "device flow")
    commit = ledger.place.store.commit(done.commits[0])
    assert commit.parents == (before,)
    assert ledger.place.store.ref(MAIN) == commit.oid
    assert commit.message == f"context.set auth/decision: device flow\n\n{done.events[0].body()}".encode()


def test_an_event_that_changes_nothing_has_its_parents_tree(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    before = ledger.place.store.commit(str(ledger.place.store.ref(MAIN))).tree
    assert ledger.place.store.commit(me.note("hello").commits[0]).tree == before


def test_the_stored_state_is_the_fold_of_all_events(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("a/b", {"x": [1, 2.5, None]})
    two.increment("count", 3)
    one.record([NOTE])
    two.add("tags", "x", "y")
    one.increment("count", 4)
    two.delete("a/b")
    tip = str(ledger.place.store.ref(MAIN))
    stored = State(dict(TreeReader(ledger.place.store, ledger.place.store.commit(tip).tree).under("")))
    assert stored == fold(events_at(ledger.place, tip))
    assert ledger.get("count").entry.cell.value == 7


def test_a_private_write_leaves_main_alone_and_makes_the_sessions_branch(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    main = ledger.place.store.ref(MAIN)
    done = me.record([NOTE])
    assert ledger.place.store.refs() == {MAIN: main, session_ref(me.id): done.commits[0]}


def test_the_next_shared_write_brings_private_events_to_main_and_the_branch_goes(ledger: Ledger) -> None:
    me, other = ledger.session("agent", "1"), ledger.session("agent", "2")
    me.start()
    private = me.record([NOTE]).events[0]
    other.set("k", 1)
    me.set("k", 2)
    assert list(ledger.place.store.refs()) == [MAIN]
    events = events_at(ledger.place, ledger.place.store.ref(MAIN))
    assert private in events
    assert sum(event.type == "sync.merged" for event in events) == 1


def test_publish_brings_private_events_to_main_by_a_fast_forward_where_nobody_else_wrote(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    tip = me.record([NOTE]).commits[0]
    assert me.publish() == tip
    assert ledger.place.store.refs() == {MAIN: tip}
    assert me.publish() is None


def test_ids_grow_along_every_line_even_when_the_clock_turns_back(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("k", 1)
    now = ledger.place.now()
    ledger.place.now = lambda: now - 3_600_000_000
    me.set("k", 2)
    ids = [event.id for event in events_at(ledger.place, ledger.place.store.ref(MAIN))]
    assert ids == sorted(ids)


def test_a_clock_that_jumped_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("k", 1)
    before, now = ledger.place.store.refs(), ledger.place.now()
    ledger.place.now = lambda: now + 500 * 86_400_000_000
    with pytest.raises(RefusedError, match="may have jumped"):
        me.set("k", 2)
    assert ledger.place.store.refs() == before


def test_one_bad_draft_of_a_batch_refuses_all_of_it(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    before = ledger.place.store.refs()
    with pytest.raises(InvalidError) as refused:
        me.record([NOTE, Draft("note.added", {"txt": 1})])
    assert {problem.path for problem in refused.value.problems} >= {"data.text"}
    assert ledger.place.store.refs() == before


def test_an_event_above_64_kib_is_refused_with_its_size(ledger: Ledger) -> None:
    with pytest.raises(InvalidError, match="at most 65,536"):
        ledger.session("agent", "1").set("k", "x" * 70_000)


def test_a_write_that_did_not_see_the_last_one_keeps_the_loser(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("k", "first")
    two.get("k")
    one.get("k")
    one.set("k", "ours")
    two.set("k", "theirs")
    found = ledger.get("k")
    assert (found.entry.cell.value, [loser["value"] for loser in found.losers]) == ("theirs", ["ours"])
    two.resolve("k", value="both")
    assert ledger.get("k").losers == ()


def test_what_a_session_writes_for_itself_is_seen_by_it_alone_and_goes_with_its_end(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.set("plan", "mine", scope="session")
    assert me.get("plan").scope == "session"
    assert not list(ledger.keys(""))
    me.end()
    assert not list(ledger.keys(session=me.id))
    assert ledger.place.store.refs().keys() == {MAIN}


def test_a_large_batch_is_appended_whole(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.start()
    done = me.record([Draft("note.added", {"text": f"{n}"}) for n in range(BULK + 5)])
    events = events_at(ledger.place, ledger.place.store.ref(session_ref(me.id)))
    assert events[-len(done.events) :] == list(done.events)


class AlwaysOvertaken:
    """A store in which another writer is always faster."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def move_ref(self, name: str, new: Oid | None, old: Oid | None) -> bool:
        """Lost."""
        return False


def test_a_writer_that_is_always_overtaken_gives_up_and_leaves_nothing_to_be_restored(disk_ledger: Ledger) -> None:
    place, author = disk_ledger.place, Author("7c996d0a-ddb3-56d9-b0c1-b31e8c7667fb", "agent")
    before, kept = place.store.refs(), place.store
    place.store = AlwaysOvertaken(kept)  # type: ignore[assignment]
    with pytest.raises(BusyError, match="overtaken"):
        append_shared(place, author, [NOTE])
    place.store = kept
    assert place.layout is not None
    records = journal.read(place.layout.journal_of(author.session)).records
    assert records[-1].supersedes == records[-2].oid
    assert place.store.refs() == before


def test_what_is_acknowledged_lies_in_the_journal_with_the_ref_that_it_moved(disk_ledger: Ledger) -> None:
    author = Author("7c996d0a-ddb3-56d9-b0c1-b31e8c7667fb", "agent")
    place = disk_ledger.place
    private = append_private(place, author, [NOTE, NOTE]).commits
    publish(place, author)
    assert place.layout is not None
    records = journal.read(place.layout.journal_of(author.session)).records
    assert [(r.oid, r.refs) for r in records] == [
        (private[0], ()),
        (private[1], (session_ref(author.session),)),
        (private[1], (MAIN,)),
    ]
    assert all(record.raw == place.store.commit_raw(record.oid) for record in records)


def test_main_only_ever_moves_forward(disk_ledger: Ledger) -> None:
    """Every head of main that was remembered is an ancestor of the next one."""
    seen = []
    for number in range(6):
        me = disk_ledger.session("agent", f"{number % 3}")
        me.record([NOTE])
        me.set("k", number)
        assert disk_ledger.place.heads is not None
        seen.append(str(disk_ledger.place.heads.last(MAIN)))
    store = disk_ledger.place.store
    assert seen[-1] == store.ref(MAIN)
    assert all(store.is_ancestor(a, b) for a, b in pairwise(seen))


@pytest.mark.parametrize("uses_queue", [True, False], ids=["queue", "no-queue"])
@pytest.mark.parametrize("sessions", [["a", "b", "c", "d"], ["a"] * 4], ids=["four-sessions", "one-session"])
def test_four_processes_lose_nothing_of_what_they_acknowledged(
    root: Path, sessions: list[str], uses_queue: bool
) -> None:
    _write_and_check(root, sessions, 13, uses_queue)


@pytest.mark.slow
@pytest.mark.parametrize("uses_queue", [True, False], ids=["queue", "no-queue"])
@pytest.mark.parametrize("sessions", [list("abcdefgh"), ["a"] * 8], ids=["eight-sessions", "one-session"])
def test_eight_processes_lose_nothing_of_what_they_acknowledged(
    root: Path, sessions: list[str], uses_queue: bool
) -> None:
    _write_and_check(root, sessions, 100, uses_queue)


def _write_and_check(root: Path, sessions: list[str], count: int, uses_queue: bool) -> None:
    acked, _ = write_at_once(root, sessions, count, uses_queue=uses_queue)
    with open_ledger(root) as ledger:
        ids = [event.id for event in events_at(ledger.place, ledger.place.store.ref(MAIN))]
        assert len(acked) == len(set(acked)) == 2 * count * len(sessions)
        assert len(ids) == len(set(ids))
        assert set(acked) <= set(ids)
        assert ledger.get("shared/count").entry.cell.value == count * len(sessions)
        assert verify(ledger.place, full=True).problems == ()
