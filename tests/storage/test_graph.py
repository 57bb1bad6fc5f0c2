"""A walk reads what it gives, and little more."""

from __future__ import annotations

import itertools

from tests.storage.contract import commit

from ledger.storage import graph
from ledger.storage.memory import MemoryStore
from ledger.storage.store import Commit, Oid


class Counted:
    """Looks commits up, and remembers which."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.read: set[Oid] = set()

    def __call__(self, oid: Oid) -> Commit:
        self.read.add(oid)
        return self._store.commit(oid)


def test_however_many_commits_share_a_second_a_line_is_read_only_so_far() -> None:
    store = MemoryStore()
    line = [commit(store, "0")]
    for n in range(1, 300):
        line.append(commit(store, f"{n}", line[-1:]))
    lookup = Counted(store)
    walk = graph.newest_first(lookup, [line[-1]], [], False)
    assert [c.oid for c in itertools.islice(walk, 20)] == line[:-21:-1]
    assert len(lookup.read) <= 21


def test_where_lines_of_one_second_meet_children_come_first_all_the_same() -> None:
    store = MemoryStore()
    root = commit(store, "root")
    for n in range(60):
        left = [root]
        for step in range(1 + n % 4):
            left.append(commit(store, f"{n} left {step}", left[-1:]))
        right = commit(store, f"{n} right", [root])
        # A tip that another tip stands on, and a merge: each met before and after its parents are known.
        root = commit(store, f"{n} both", [left[-1], right])
        tips = [root, left[1], right]
        found = [c.oid for c in graph.newest_first(store.commit, tips, [], False)]
        assert len(found) == len(set(found))
        place = {oid: at for at, oid in enumerate(found)}
        assert all(place[oid] < place[parent] for oid in found for parent in store.commit(oid).parents)


def line(store: MemoryStore, base: Oid, name: str, count: int, time: int) -> list[Oid]:
    """A line of single commits on `base`, a second apart."""
    found = [base]
    for n in range(count):
        found.append(commit(store, f"{name} {n}", found[-1:], time=time + n))
    return found[1:]


def test_a_fork_is_found_at_the_cost_of_what_came_after_it() -> None:
    store = MemoryStore()
    main = line(store, commit(store, "root", time=0), "main", 500, 1)
    theirs = line(store, main[449], "theirs", 3, 460)
    lookup = Counted(store)
    assert graph.fork(lookup, main[-1], theirs[-1]) == graph.Fork(main[449], tuple(theirs))
    assert len(lookup.read) <= 50 + 3 + 2


def test_an_old_line_that_ours_merged_is_not_gone_after() -> None:
    store = MemoryStore()
    main = line(store, commit(store, "root", time=0), "main", 500, 1)
    old = line(store, main[2], "old", 2, 10)
    merge = commit(store, "merge", [main[-1], old[-1]], time=600)
    theirs = line(store, main[-1], "theirs", 2, 610)
    lookup = Counted(store)
    assert graph.fork(lookup, merge, theirs[-1]) == graph.Fork(main[-1], tuple(theirs))
    assert len(lookup.read) <= 8


def test_a_tip_within_the_other_is_told_by_the_fork() -> None:
    store = MemoryStore()
    main = line(store, commit(store, "root", time=0), "main", 9, 1)
    assert graph.fork(store.commit, main[4], main[8]) == graph.Fork(main[4], tuple(main[5:]))
    assert graph.fork(store.commit, main[8], main[4]) == graph.Fork(main[4], ())
    assert graph.fork(store.commit, main[8], main[8]) == graph.Fork(main[8], ())


def test_lines_that_are_entangled_are_left_to_the_whole_search() -> None:
    store = MemoryStore()
    main = line(store, commit(store, "root", time=0), "main", 9, 1)
    theirs = line(store, main[0], "theirs", 3, 2)
    both = commit(store, "both", [main[-1], theirs[1]], time=20)
    assert graph.fork(store.commit, both, theirs[-1]) is None
    assert graph.fork(store.commit, main[-1], both) is None
    assert graph.fork(store.commit, main[-1], commit(store, "another root")) is None
    assert graph.fork(store.commit, main[-1], theirs[-1], at_most=4) is None


def test_an_old_line_that_was_merged_is_not_searched_for_the_bases_of_new_ones() -> None:
    store = MemoryStore()
    main = line(store, commit(store, "root", time=0), "main", 500, 1)
    old = line(store, main[2], "old", 2, 10)
    merge = commit(store, "merge", [main[-1], old[-1]], time=600)
    theirs = line(store, main[-1], "theirs", 2, 610)
    for one, other in ((merge, theirs[-1]), (theirs[-1], merge)):
        lookup = Counted(store)
        assert graph.merge_bases(lookup, one, other) == [main[-1]]
        assert not graph.is_ancestor(lookup, one, other)
        assert graph.is_ancestor(lookup, main[-1], other)
        assert len(lookup.read) <= 12
    assert graph.is_ancestor(store.commit, old[0], merge)
    assert not graph.is_ancestor(store.commit, old[0], theirs[-1])
