"""Read: what stands at a key, and which keys there are, now or at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ledger.actions.find import find_commit, main_tip
from ledger.actions.tip import own_tip
from ledger.core.clock import micros
from ledger.core.entry import Entry, entry_of
from ledger.core.key import check_key
from ledger.core.state import Reader, conflicts_path, context_path, key_of, session_folder
from ledger.errors import NotFoundError
from ledger.storage.place import Place
from ledger.storage.tree import TreeReader


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a key: the entry, and the writes that it beat without having seen them."""

    key: str
    entry: Entry
    losers: tuple[dict[str, Any], ...] = ()
    scope: str = "shared"


def read_key(place: Place, key: str, at: str | None = None, session: str | None = None) -> Found:
    """What stands at `key`: in the session's own context if it has it, else in what is shared, else the user's.

    The user's own ledger is looked at only where the project's has nothing, and not for a REV of the past.
    Raises InvalidError for what is no key, NotFoundError where no value stands (deleted or expired too).
    """
    check_key(key)
    found = _standing_at(place, key, at, session)
    users = place.users_own(create=False) if found is None and at is None else None
    if users is not None:
        in_users = _standing_at(users, key, None, None)
        found = None if in_users is None else replace(in_users, scope="user")
    if found is None:
        raise NotFoundError(f"no value stands at {key!r}", hint="`ledger keys` lists what there is")
    return found


def _standing_at(place: Place, key: str, at: str | None, session: str | None) -> Found | None:
    for reader, owner in _readers(place, at, session):
        entry = entry_of(reader.get(context_path(key, owner)))
        if entry is not None and not entry.deleted and not is_expired(entry, place.now()):
            losers = (reader.get(conflicts_path(key, owner)) or {}).get("losers", ())
            return Found(key, entry, tuple(losers), "shared" if owner is None else "session")
    return None


def list_keys(place: Place, prefix: str = "", at: str | None = None, session: str | None = None) -> Iterator[Found]:
    """Everything that stands at keys equal to `prefix` or below it, sorted by key, the session's own included."""
    # A folder's order is not that of keys: "a-b.yaml" comes before "a.yaml".
    return iter(sorted(_standing(place, prefix, at, session), key=lambda found: (found.key, found.scope)))


def list_conflicts(place: Place, at: str | None = None) -> Iterator[Found]:
    """Every shared key at which a write was beaten unseen and nobody has settled it."""
    reader = reader_at(place, at)
    for path, document in reader.under("conflicts/"):
        key = key_of(path) or ""
        entry = entry_of(reader.get(context_path(key)))
        if entry is not None:
            yield Found(key, entry, tuple(document["losers"]))


def reader_at(place: Place, at: str | None = None) -> TreeReader:
    """The state of main, or of the commit that a REV names."""
    oid = main_tip(place) if at is None else find_commit(place, at)
    return TreeReader(place.store, place.store.commit(oid).tree)


def seen_by(place: Place, session: str | None) -> Reader:
    """The state that a session sees: main, with what the session has not brought there; main alone for None."""
    own = None if session is None else own_tip(place.store, session)
    if own is None:
        return reader_at(place)
    # Imported here: most who read have no line of their own, and need nothing that merges.
    from ledger.actions.view import view

    return view(place.store, main_tip(place), own)


def is_expired(entry: Entry, now: int) -> bool:
    """Whether readers no longer count an entry: its time to live is over."""
    return entry.ttl is not None and micros(entry.time) + entry.ttl * 1_000_000 <= now


def _readers(place: Place, at: str | None, session: str | None) -> Iterator[tuple[Reader, str | None]]:
    seen = seen_by(place, session) if at is None else reader_at(place, at)
    if session is not None:
        yield seen, session
    yield seen, None


def _standing(place: Place, prefix: str, at: str | None, session: str | None) -> Iterator[Found]:
    for reader, owner in _readers(place, at, session):
        folder = "context/" if owner is None else f"{session_folder(owner)}context/"
        for path, document in reader.under(folder):
            key = path[len(folder) : -len(".yaml")]
            entry = entry_of(document)
            if entry is None or entry.deleted or is_expired(entry, place.now()) or not _is_below(key, prefix):
                continue
            losers = (reader.get(conflicts_path(key, owner)) or {}).get("losers", ())
            yield Found(key, entry, tuple(losers), "shared" if owner is None else "session")


def _is_below(key: str, prefix: str) -> bool:
    wanted = prefix.rstrip("/")
    return not wanted or key == wanted or key.startswith(f"{wanted}/")
