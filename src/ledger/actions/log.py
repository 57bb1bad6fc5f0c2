"""Log: the events of a ledger, the newest first, each with the commit that carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ledger.actions.find import find_commit, tips
from ledger.actions.tip import event_of
from ledger.core.event import Event
from ledger.storage.place import Place
from ledger.storage.store import Commit


class Logged(NamedTuple):
    """An event, and the commit that carries it."""

    event: Event
    commit: Commit


def list_events(
    place: Place, at: str | None = None, keep_commit: Callable[[Commit], bool] | None = None
) -> Iterator[Logged]:
    """Every event that the commit of a REV can reach, or, without one, that main or a session's own line can.

    The newest first, as a stream. `keep_commit` passes commits over before their event is read.
    """
    heads = tips(place) if at is None else [find_commit(place, at)]
    for commit in place.store.walk(heads, order="newest"):
        if keep_commit is None or keep_commit(commit):
            yield Logged(event_of(commit), commit)


def show_event(place: Place, rev: str) -> Logged:
    """The event that a REV names; raises NotFoundError, AmbiguousError, UsageError."""
    commit = place.store.commit(find_commit(place, rev))
    return Logged(event_of(commit), commit)
