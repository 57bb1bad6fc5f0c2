"""Walks over the commit graph, for any store that can say a commit's parents and time."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ledger.storage.store import Oid


class Node(NamedTuple):
    """A commit as a walk sees it: `time` is the committer's."""

    oid: Oid
    parents: tuple[Oid, ...]
    time: int


Lookup = Callable[[Oid], Node]


def newest_first(
    lookup: Lookup, include: Iterable[Oid], exclude: Iterable[Oid], first_parent: bool
) -> Iterator[Oid]:
    """Children before parents, as long as times never run backwards; streams if nothing is excluded."""
    hidden = set(_by_time(lookup, exclude, first_parent=False, hidden=frozenset()))
    return settled(map(lookup, _by_time(lookup, include, first_parent, hidden)))


def parents_first(
    lookup: Lookup, include: Iterable[Oid], exclude: Iterable[Oid], first_parent: bool
) -> list[Oid]:
    """Parents before children, whatever the times say."""
    hidden = set(_by_time(lookup, exclude, first_parent=False, hidden=frozenset()))
    nodes = [lookup(oid) for oid in _by_time(lookup, include, first_parent, hidden)]
    return _children_first(nodes)[::-1]


def settled(nodes: Iterable[Node]) -> Iterator[Oid]:
    """Put the commits of each second in order; `nodes` come by time, latest first.

    Time alone does not order commits made within one second, and a busy ledger makes many.
    """
    run: list[Node] = []
    for node in nodes:
        if run and node.time != run[0].time:
            yield from _children_first(run)
            run = []
        run.append(node)
    yield from _children_first(run)


def merge_bases(lookup: Lookup, a: Oid, b: Oid) -> list[Oid]:
    """The best common ancestors, sorted."""
    common = _painted(lookup, a, b)
    best = {oid for oid in common if not any(o != oid and is_ancestor(lookup, oid, o) for o in common)}
    return sorted(best)


def is_ancestor(lookup: Lookup, ancestor: Oid, of: Oid) -> bool:
    """Whether `ancestor` can be reached from `of`."""
    return any(oid == ancestor for oid in _by_time(lookup, [of], first_parent=False, hidden=frozenset()))


def _by_time(
    lookup: Lookup, include: Iterable[Oid], first_parent: bool, hidden: set[Oid] | frozenset[Oid]
) -> Iterator[Oid]:
    seen = set(include) - hidden
    queue = [(-lookup(oid).time, oid) for oid in seen]
    heapq.heapify(queue)
    while queue:
        _, oid = heapq.heappop(queue)
        yield oid
        parents = lookup(oid).parents
        for parent in parents[:1] if first_parent else parents:
            if parent not in seen and parent not in hidden:
                seen.add(parent)
                heapq.heappush(queue, (-lookup(parent).time, parent))


def _children_first(nodes: Sequence[Node]) -> list[Oid]:
    if len(nodes) < 2:
        return [node.oid for node in nodes]
    by_oid = {node.oid: node for node in nodes}
    waits = Counter(parent for node in nodes for parent in node.parents if parent in by_oid)
    ready = [(-node.time, node.oid) for node in nodes if not waits[node.oid]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, oid = heapq.heappop(ready)
        ordered.append(oid)
        for parent in by_oid[oid].parents:
            waits[parent] -= 1
            if parent in by_oid and not waits[parent]:
                heapq.heappush(ready, (-by_oid[parent].time, parent))
    return ordered


_FROM_A, _FROM_B, _STALE = 1, 2, 4


def _painted(lookup: Lookup, a: Oid, b: Oid) -> list[Oid]:
    """Common ancestors that hold every best one: paint from both sides until only the common is left.

    What lies below a common ancestor is stale: it can be common, never best. A best one is never
    painted stale, whatever the times say, because no path from a tip to it crosses a stale commit.
    """
    paint: dict[Oid, int] = {}
    queue: list[tuple[int, Oid]] = []

    def add(oid: Oid, colours: int) -> None:
        if paint.get(oid, 0) | colours != paint.get(oid, 0):
            paint[oid] = paint.get(oid, 0) | colours
            heapq.heappush(queue, (-lookup(oid).time, oid))

    add(a, _FROM_A)
    add(b, _FROM_B)
    found: dict[Oid, None] = {}
    while any(not paint[oid] & _STALE for _, oid in queue):
        _, oid = heapq.heappop(queue)
        colours = paint[oid]
        if colours & (_FROM_A | _FROM_B) == _FROM_A | _FROM_B:
            found[oid] = None
            colours |= _STALE
        for parent in lookup(oid).parents:
            add(parent, colours)
    return [oid for oid in found if not paint[oid] & _STALE]
