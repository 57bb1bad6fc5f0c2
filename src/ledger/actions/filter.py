"""Filter: of all events those that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice

from ledger.actions.indexing import ask, entry_of
from ledger.actions.log import Logged, list_events
from ledger.actions.tip import event_of, is_private
from ledger.core.wanted import Wanted
from ledger.errors import BusyError, StorageError
from ledger.storage.event_index import EventIndex
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid

_SOME = 500  # events whose words are looked at together


def list_wanted(
    place: Place, wanted: Wanted, at: str | None = None, session: str | None = None, limit: int | None = None
) -> Iterator[Logged]:
    """The events that somebody asks for, the newest first, at most `limit`, at the cost of these alone.

    The index of the events finds them, and is brought up to date before; where it cannot, and for the commit of a REV
    and private sessions, all events are read. A commit that carries no event is passed over.
    """
    found = None if at is not None or _sees_private(place, session) else _found_by_index(place, wanted, limit)
    if found is None:
        passed_over = list[Commit]()
        walked = list_events(place, at, pass_over=passed_over.append, session=session)
        yield from islice(with_words((one for one in walked if holds(wanted, one)), wanted.words), limit)
        return
    for oid in found:
        commit = place.store.commit(oid)
        yield Logged(event_of(commit), commit)


def holds(wanted: Wanted, one: Logged) -> bool:
    """Whether an event fulfils all conditions but that on its words."""
    return wanted.holds(one.event, one.commit.author.name, one.commit.committer.email)


def with_words(logged: Iterable[Logged], words: str | None) -> Iterator[Logged]:
    """Those that hold the words, in their order; as the index of the events would find them."""
    if words is None:
        yield from logged
        return
    query, rest = Wanted(words=words), iter(logged)
    while some := list(islice(rest, _SOME)):
        with closing(EventIndex.in_memory()) as index:
            index.add([entry_of(one.event, one.commit) for one in some], ())
            found = set(index.find(query))
        yield from (one for one in some if one.commit.oid in found)


def _found_by_index(place: Place, wanted: Wanted, limit: int | None) -> list[Oid] | None:
    try:
        return ask(place, lambda index: list(index.find(wanted, limit)))
    except (BusyError, StorageError):  # it is never needed: what it would have found is found without it
        return None


def _sees_private(place: Place, session: str | None) -> bool:
    return session is not None and is_private(place.store, session)
