"""History: the writes of one key, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ledger.actions.log import Logged, list_events
from ledger.core.entry import Entry, entry_of
from ledger.core.fold import footprint
from ledger.core.key import check_key
from ledger.core.state import context_path
from ledger.storage.place import Place
from ledger.storage.store import Commit
from ledger.storage.tree import TreeReader


class Written(NamedTuple):
    """One write of a key: the event, its commit, and what stood at the key once it was folded in."""

    logged: Logged
    entry: Entry | None


def list_writes(place: Place, key: str, at: str | None = None) -> Iterator[Written]:
    """Every write of the shared `key`, the newest first; raises InvalidError for what is no key."""
    path, name = context_path(check_key(key)), key.encode()

    def names_the_key(commit: Commit) -> bool:
        return name in commit.message

    for logged in list_events(place, at, names_the_key):
        if path in footprint(logged.event):
            reader = TreeReader(place.store, logged.commit.tree)
            yield Written(logged, entry_of(reader.get(path)))
