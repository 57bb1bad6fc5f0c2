"""The fold: the pure function from events to state, in the order of their ids.

The law: for every commit C, tree(C) = encode(fold(events(C) in id order)), where events(C) is the set of
events reachable from C up to the root of its epoch, and the fold starts at that root's state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ledger.core.event import Event
from ledger.core.events import kind_of
from ledger.core.state import LEDGER, Changes, Reader, State
from ledger.core.upcast import upcast
from ledger.errors import DamageError, NewerFormatError

FOLD = 1  # the version of the fold that this program writes under
FORMAT = 1  # the version of the bytes that this program writes


def _apply_1(reader: Reader, event: Event) -> Changes:
    kind = kind_of(event)
    return {} if kind is None else kind.apply(reader, upcast(event))


# Old folds stay: a commit is folded under the highest version that it can reach.
FOLDS: Mapping[int, Callable[[Reader, Event], Changes]] = {1: _apply_1}


def version_of(reader: Reader) -> tuple[int, int]:
    """The versions of fold and format that a state was written under."""
    document = reader.get(LEDGER) or {}
    return document.get("fold", FOLD), document.get("format", FORMAT)


def refuse_newer(reader: Reader) -> None:
    """Raise NewerFormatError if this program may only read, not write, a ledger in that state."""
    found, form = version_of(reader)
    if form > FORMAT:
        raise NewerFormatError(form, FORMAT)
    if found > FOLD:
        raise NewerFormatError(found, FOLD, "fold")


def footprint(event: Event) -> tuple[str, ...]:
    """The units that an event may read or change; none for a type or version that this program does not know."""
    kind = kind_of(event)
    return () if kind is None else kind.footprint(upcast(event))


def apply(reader: Reader, event: Event, version: int = FOLD) -> Changes:
    """The changes that one event makes to a state; total, and within the event's footprint."""
    if version not in FOLDS:
        raise NewerFormatError(version, FOLD, "fold")
    return FOLDS[version](reader, event)


def fold(events: Iterable[Event], start: State | None = None, version: int = FOLD) -> State:
    """The state after `events`, in whatever order they are given and however often; `start` is not changed."""
    state = State(start.documents if start else None)
    for event in in_order(events):
        state.update(apply(state, event, version))
    return state


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events sorted by id, each once; raises DamageError if one id has two bodies."""
    found: dict[str, Event] = {}
    for event in events:
        known = found.setdefault(event.id, event)
        # By text, as to Python an event with the value 1 equals one with the value true.
        if known is not event and known.body() != event.body():
            raise DamageError(f"event {event.id} has two bodies", hint="`ledger verify` names the commits")
    return [found[i] for i in sorted(found)]
