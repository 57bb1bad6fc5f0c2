"""Merge: the fold of the union of two histories, found without folding all of it again.

The footprint rule makes this possible: what an event does to a unit depends on the event's bytes and that
unit alone. So, unit by unit:

1. no new events on theirs: ours stands;
2. new events on theirs only: theirs is taken as it stands;
3. new events on both, all greater than the `last` of the unit at some merge base: fold them on that base;
4. otherwise (clock skew, criss-cross, nothing at the base that says what came before): fold the unit's whole history.

The result depends on the set of events only, never on who merged first, in which direction or how often.

`merge_by_last` finds most of it without the events of ours: what is greater than the `last` of a unit comes after
all that ours ever did to it, so the fold goes on from where ours stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from ledger.core.event import Event
from ledger.core.fold import FOLD, fold, footprint
from ledger.core.state import POLICY, Changes, Reader, State, is_same, key_of, last_of, read_unit

Units = dict[str, list[Event]]


class Base(NamedTuple):
    """One merge base: its state, and all events that the union has and it has not."""

    state: Reader
    since: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Merge:
    """What to do to ours: units to take from theirs as they stand, and documents to write."""

    take: tuple[str, ...] = ()
    changes: Changes = field(default_factory=dict)
    refolded: tuple[str, ...] = ()


def merge(
    ours: Reader,
    only_ours: Iterable[Event],
    only_theirs: Iterable[Event],
    bases: Sequence[Base],
    history: Callable[[], Sequence[Event]],
    start: State | None = None,
    version: int = FOLD,
) -> Merge:
    """Merge two states, given the events that only one side has, the bases, and all events of the union on demand.

    `start` is the state of the epoch's root, where the fold of a whole history begins (empty for the first epoch);
    `version` the highest fold version that the union can reach.
    """
    mine, theirs = by_unit(only_ours), by_unit(only_theirs)
    both = sorted(unit for unit in theirs if unit in mine)
    since = [(base.state, by_unit(base.since)) for base in bases] if both else []
    whole = cache(lambda: by_unit(history()))
    changes: Changes = {}
    for unit in both:
        merged = _refold(unit, since, whole, start or State(), version)
        changes |= _difference(read_unit(ours, unit), merged)
    take = tuple(sorted(unit for unit in theirs if unit not in mine))
    return Merge(take=take, changes=changes, refolded=tuple(both))


def merge_by_last(
    ours: Reader, only_theirs: Iterable[Event], base: Reader, version: int = FOLD
) -> tuple[Merge, tuple[str, ...]]:
    """What of a merge follows from ours as it stands, and the units for which events of ours must be read.

    `base` is the only merge base, and all that theirs has and `base` has not is in `only_theirs`.
    """
    take: list[str] = []
    refolded: list[str] = []
    left: list[str] = []
    changes: Changes = {}
    for unit, events in sorted(by_unit(only_theirs).items()):
        there = read_unit(ours, unit)
        if not _is_later(unit, events, there):
            left.append(unit)
        elif there == read_unit(base, unit):
            take.append(unit)
        else:
            refolded.append(unit)
            changes |= _difference(there, fold_unit(unit, events, there, version))
    return Merge(tuple(take), changes, tuple(refolded)), tuple(left)


def _is_later(unit: str, events: Sequence[Event], there: State) -> bool:
    """Whether the events come after everything that led to the unit as it stands."""
    last = last_of(there)
    if last is None:
        # Each event on a key, or on the policies, leaves an entry or a tombstone. A session that ended, a lease
        # given back and a task that was named before it was made leave nothing: absence says nothing of them.
        return not there.documents and (key_of(unit) is not None or unit == POLICY)
    return all(event.id > last for event in events)


def by_unit(events: Iterable[Event]) -> Units:
    """The events that may touch each unit."""
    units: Units = {}
    for event in events:
        for unit in footprint(event):
            units.setdefault(unit, []).append(event)
    return units


def fold_unit(unit: str, events: Iterable[Event], start: State, version: int = FOLD) -> State:
    """The documents of one unit after `events`, of which only what they do to that unit counts."""
    return read_unit(fold(events, start, version), unit)


def _refold(
    unit: str,
    bases: Sequence[tuple[Reader, Units]],
    history: Callable[[], Units],
    start: State,
    version: int,
) -> State:
    for state, since in bases:
        there = read_unit(state, unit)
        if _is_later(unit, since.get(unit, ()), there):
            return fold_unit(unit, since.get(unit, ()), there, version)
    return fold_unit(unit, history().get(unit, ()), read_unit(start, unit), version)


def _difference(old: State, new: State) -> Changes:
    changes: Changes = {path: None for path in old.documents if path not in new.documents}
    changes |= {path: d for path, d in new.documents.items() if not is_same(old.documents.get(path), d)}
    return changes
