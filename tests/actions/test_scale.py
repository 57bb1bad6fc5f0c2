"""Scale, as counts and not as times: what is read while others wait does not grow with what main has gained."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from ledger.actions.append import Draft, append_private, append_shared, publish
from ledger.actions.join import merge_states, merge_whole, merged_tree
from ledger.actions.prepare import AT_MOST, prepare
from ledger.actions.tip import Author, tip_at
from ledger.actions.verify import verify
from ledger.api import Ledger, memory_ledger
from ledger.core.ids import SessionId
from ledger.storage.git import GitStore
from ledger.storage.graph import fork
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.queue import Queue
from ledger.storage.store import Commit, Oid

SLEEPER, ACTIVE, OTHER = (Author(str(SessionId.of("agent", name)), "agent") for name in ("sleeper", "active", "other"))
NOTE = Draft("note.added", {"text": "seen"})
SHORT, LONG = 60, 400


class CountingStore(GitStore):
    """Counts the commits that are looked at, each time again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.looks = 0

    def commit(self, oid: Oid) -> Commit:
        """The commit, counted."""
        self.looks += 1
        return super().commit(oid)


class CountingQueue(Queue):
    """Counts what is looked at while the queue is held."""

    def __init__(self, path: Path, store: CountingStore) -> None:
        super().__init__(path)
        self._store, self.looks, self.turns = store, 0, 0

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        """Hold the queue, and count."""
        with super().hold(timeout):
            before = self._store.looks
            try:
                yield
            finally:
                self.looks += self._store.looks - before
                self.turns += 1


Counted = tuple[Ledger, CountingStore, CountingQueue]


@pytest.fixture
def counted(disk_ledger: Ledger) -> Counted:
    """A ledger that counts."""
    place, layout = disk_ledger.place, disk_ledger.layout
    store = CountingStore(layout.git_dir)
    queue = CountingQueue(layout.queue_lock, store)
    place.store, place.queue, place.durability = store, queue, "none"
    seconds = itertools.count(place.now(), 1_000_000)
    place.now = lambda: next(seconds)
    return disk_ledger, store, queue


def setting(key: str, value: object) -> Draft:
    return Draft("context.set", {"key": key, "policy": "lww", "value": value})


def grow(ledger: Ledger, count: int, key: str = "other", by: Author = OTHER) -> None:
    append_shared(ledger.place, by, [setting(f"{key}/{n % 5}", n) for n in range(count)])


def main(ledger: Ledger) -> Oid:
    return str(ledger.place.store.ref(MAIN))


def own(ledger: Ledger, author: Author) -> Oid:
    return str(ledger.place.store.ref(session_ref(author.session)))


def require_law(ledger: Ledger) -> None:
    assert verify(ledger.place, full=True).problems == ()


def looks_under_the_queue(counted: Counted, gained: int, own_key: str) -> int:
    """What a session that slept while main gained so much looks at while others wait, at its next write."""
    ledger, _, queue = counted
    append_private(ledger.place, SLEEPER, [NOTE, setting(own_key, "mine"), NOTE])
    grow(ledger, gained)
    queue.looks = 0
    append_shared(ledger.place, SLEEPER, [NOTE])
    return queue.looks


@pytest.mark.parametrize("own_key", ["mine", "other/1"])
def test_while_a_sleeper_writes_again_others_wait_no_longer_after_weeks(counted: Counted, own_key: str) -> None:
    """Whether main has written to the same key meanwhile or not."""
    after_hours = looks_under_the_queue(counted, SHORT, own_key)
    after_weeks = looks_under_the_queue(counted, LONG, own_key)
    assert after_weeks == after_hours <= 16
    require_law(counted[0])


def test_what_theirs_brings_to_keys_that_stood_still_is_merged_without_reading_main(counted: Counted) -> None:
    """One look a commit, to find where the line left main; no event of main is read, nor searched."""
    ledger, store, _ = counted
    append_private(ledger.place, SLEEPER, [NOTE, setting("mine", 1)])
    grow(ledger, LONG)
    store.looks = 0
    found = prepare(store, SLEEPER.session)
    assert found is not None
    assert found.merged.merge.take == ("context/mine.yaml",)
    assert store.looks <= LONG + 20


def test_the_line_of_a_sleeper_costs_those_who_come_after_it_nothing(counted: Counted) -> None:
    ledger, store, _ = counted
    append_private(ledger.place, SLEEPER, [NOTE])
    grow(ledger, LONG)
    append_private(ledger.place, ACTIVE, [NOTE, setting("active", 1)])
    publish(ledger.place, SLEEPER)
    grow(ledger, 5)
    store.looks = 0
    append_shared(ledger.place, ACTIVE, [NOTE])
    assert store.looks <= 100
    require_law(ledger)


def test_a_sync_of_many_active_sessions_reads_what_came_since_their_last(counted: Counted) -> None:
    ledger, store, _ = counted
    authors = [Author(str(SessionId.of("agent", f"{n}")), "agent") for n in range(8)]
    looks = []
    for turn in range(6):
        for author in authors:
            append_private(ledger.place, author, [NOTE, setting(f"of/{author.session[:8]}", turn)])
        for author in authors:
            store.looks = 0
            publish(ledger.place, author)
            looks.append(store.looks)
    last_turn, second_turn = sum(looks[-8:]), sum(looks[8:16])
    assert last_turn <= second_turn * 1.1
    require_law(ledger)


@pytest.mark.parametrize("seed", range(3))
def test_the_short_way_gives_the_tree_of_the_whole_merge(seed: int) -> None:
    """Sessions that come, write, publish, sleep and go, their clocks an hour off."""
    ledger, chance = memory_ledger(), random.Random(seed)
    place, now, short = ledger.place, ledger.place.now, 0
    sessions = [ledger.session("agent", f"{n}") for n in range(4)]
    for step in range(80):
        place.now = partial(skewed, now, step * 1_000_000 + chance.randrange(-3600, 3600) * 1_000_000)
        session = chance.choice(sessions)
        key = f"k{chance.randrange(4)}"
        own = [
            setting(key, step),
            Draft("context.incremented", {"key": "n", "policy": "counter", "by": 1}),
            Draft("context.set", {"key": key, "policy": "lww", "value": step, "scope": "session"}),
            Draft("context.deleted", {"key": key}),
            Draft("task.started", {"task": "t"}),
            NOTE,
        ]
        writes = [partial(session.record, [chance.choice(own)])] * 6
        writes += [partial(session.write, [Draft("task.created", {"task": "t", "title": "T"})])]
        writes += [partial(session.set, key, step), session.publish, partial(session.end, "done")]
        chance.choice(writes)()
        for other in sessions:
            short += require_one_tree(ledger, other.author)
    assert short > 20
    require_law(ledger)


def skewed(now: Callable[[], int], by: int) -> int:
    return now() + by


def require_one_tree(ledger: Ledger, author: Author) -> bool:
    """Whether the session's line and main lie apart; if so, both ways must give one tree."""
    store = ledger.place.store
    if store.ref(session_ref(author.session)) is None:
        return False
    ours, theirs = tip_at(store, main(ledger)), tip_at(store, own(ledger, author))
    apart = fork(store.commit, ours.oid, theirs.oid)
    if apart is None or apart.base in (ours.oid, theirs.oid):
        return False
    trees = [
        merged_tree(store, ours.tree, theirs.tree, found.merge)
        for found in (merge_states(store, ours, theirs, apart=apart), merge_whole(store, ours, theirs))
    ]
    assert trees[0] == trees[1]
    return True


# What was prepared, and what main gained meanwhile


def test_a_merge_stays_good_while_main_gains_what_has_no_say_in_it(counted: Counted) -> None:
    ledger, store, _ = counted
    append_private(ledger.place, SLEEPER, [setting("mine", 1)])
    grow(ledger, 3)
    found = prepare(store, SLEEPER.session)
    grow(ledger, 3)
    append_private(ledger.place, ACTIVE, [NOTE, setting("active", 1)])
    grow(ledger, 1)
    publish(ledger.place, ACTIVE)
    assert found is not None
    assert found.for_main(store, main(ledger), own(ledger, SLEEPER)) == found.merged


def test_a_merge_is_no_longer_good_where_somebody_wrote_to_its_key(counted: Counted) -> None:
    ledger, store, _ = counted
    append_private(ledger.place, SLEEPER, [setting("mine", 1)])
    grow(ledger, 3)
    found = prepare(store, SLEEPER.session)
    append_private(ledger.place, ACTIVE, [setting("mine", 2)])
    grow(ledger, 1)
    publish(ledger.place, ACTIVE)
    assert found is not None
    assert found.for_main(store, main(ledger), own(ledger, SLEEPER)) is None


def test_a_merge_is_no_longer_good_for_another_line_nor_far_from_where_main_was(counted: Counted) -> None:
    ledger, store, _ = counted
    append_private(ledger.place, SLEEPER, [setting("mine", 1)])
    grow(ledger, 3)
    found = prepare(store, SLEEPER.session)
    assert found is not None
    assert found.for_main(store, main(ledger), main(ledger)) is None
    grow(ledger, AT_MOST + 1)
    assert found.for_main(store, main(ledger), own(ledger, SLEEPER)) is None


def test_nothing_is_prepared_where_a_fast_forward_is_enough(counted: Counted) -> None:
    ledger, store, _ = counted
    assert prepare(store, SLEEPER.session) is None
    append_private(ledger.place, SLEEPER, [NOTE])
    assert prepare(store, SLEEPER.session) is None


def test_a_writer_whose_merge_is_overtaken_each_time_merges_while_others_wait(counted: Counted) -> None:
    """Another one writes to the same key before each of its turns; both writes stay."""
    ledger, *_ = counted
    append_private(ledger.place, SLEEPER, [Draft("context.incremented", {"key": "n", "policy": "counter", "by": 1})])
    grow(ledger, 1)
    overtaking = Overtaking(ledger.layout.queue_lock, ledger)
    ledger.place.queue = overtaking
    append_shared(ledger.place, SLEEPER, [NOTE])
    assert overtaking.times >= 4
    assert ledger.get("n").entry.cell.value == 1 + overtaking.times
    require_law(ledger)


class Overtaking(Queue):
    """A queue in which somebody else is always first."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        super().__init__(path)
        self._ledger, self._is_inside, self.times = ledger, False, 0

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        """Let the other one write first."""
        if not self._is_inside:
            self._is_inside = True
            step = Draft("context.incremented", {"key": "n", "policy": "counter", "by": 1})
            append_shared(self._ledger.place, OTHER, [step])
            self.times += 1
            self._is_inside = False
        with super().hold(timeout):
            yield
