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
