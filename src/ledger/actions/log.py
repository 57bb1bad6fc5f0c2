"""Log: the events of a ledger, the newest first, each with the commit that carries it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ledger.actions.find import find_commit, main_tip, open_tips, walk
from ledger.actions.tip import event_of
from ledger.core.event import Event
from ledger.errors import DamageError
from ledger.storage.place import Place
from ledger.storage.store import Commit


class Logged(NamedTuple):
    """An event, and the commit that carries it."""

    event: Event
    commit: Commit


def list_events(
    place: Place,
    at: str | None = None,
    keep_commit: Callable[[Commit], bool] | None = None,
    pass_over: Callable[[Commit], None] | None = None,
    session: str | None = None,
) -> Iterator[Logged]:
    """Every event that the commit of a REV can reach, or, without one, that main or a session's own line can.

    The newest first, as a stream; those of a private session only where it is `session`. `keep_commit` passes commits
    over before their event is read. `pass_over` is given each commit that carries no event; without it the first one
    raises DamageError.
    """
    heads = (open_tips(place, session) or [main_tip(place)]) if at is None else [find_commit(place, at)]
    for commit in walk(place, heads):
        if keep_commit is not None and not keep_commit(commit):
            continue
        try:
            event = event_of(commit)
        except DamageError:
            if pass_over is None:
                raise
            pass_over(commit)
            continue
        yield Logged(event, commit)


def show_event(place: Place, rev: str) -> Logged:
    """The event that a REV names; raises NotFoundError, AmbiguousError, UsageError."""
    commit = place.store.commit(find_commit(place, rev))
    return Logged(event_of(commit), commit)
