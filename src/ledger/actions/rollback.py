"""Rollback: keys get back the values that they had; what happened in between stays in the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ledger.actions.append import Draft
from ledger.actions.find import find_on_main
from ledger.actions.read import is_expired, reader_at
from ledger.actions.tip import event_id
from ledger.core import canonical
from ledger.core.entry import Entry, entry_of
from ledger.core.key import check_key
from ledger.core.policies.policy import text_of
from ledger.core.state import Reader, context_path, key_of
from ledger.errors import NotFoundError
from ledger.storage.place import Place
from ledger.storage.switches import SYNC, require_on
from ledger.storage.tree import TreeReader

# One event carries them all, unless they are too many or too large for one: then several, written together.
MAX_ENTRIES = 256
MAX_BYTES = 48 * 1024


class Restored(NamedTuple):
    """One key that gets back a value (None: it had none), and the value that it gives up for it."""

    key: str
    now: Entry | None
    then: Entry | None

    @property
    def item(self) -> dict[str, Any]:
        """What the event says of this key."""
        if self.then is None:
            return {"key": self.key, "deleted": True}
        return {"key": self.key, "policy": self.then.policy, "value": self.then.cell.value}


def plan_rollback(place: Place, rev: str, keys: Sequence[str] = ()) -> list[Restored]:
    """What a rollback would do, sorted by key: the shared keys (all, or those named) that differ from REV.

    REV is taken on main's own line, see `find_on_main`. Raises NotFoundError for a named key that never had a value
    now or then, RefusedError for a REV that main does not hold yet, and while sync is off: main stands still then.
    """
    require_on(place.layout, SYNC)
    then = TreeReader(place.store, place.store.commit(find_on_main(place, rev)).tree)
    now = reader_at(place)
    wanted = [check_key(key) for key in keys] or sorted({*_keys(now), *_keys(then)})
    found = [_compared(place, key, now, then) for key in dict.fromkeys(wanted)]
    for key, one in zip(dict.fromkeys(wanted), found, strict=True):
        if keys and one.now is None and one.then is None:
            raise NotFoundError(f"no value stands at {key!r}, now or then", hint="`ledger keys --at REV` lists them")
    return [one for one in found if _differs(one)]


def rollback_drafts(place: Place, rev: str, planned: Sequence[Restored]) -> list[Draft]:
    """What gives the planned keys their values back, to be appended in one step."""
    to = str(event_id(place.store.commit(find_on_main(place, rev))))
    return [Draft("context.restored", {"entries": items, "to": to}) for items in batches(planned)]


def batches(planned: Sequence[Restored]) -> Iterator[list[dict[str, Any]]]:
    """The items of the planned keys, in as many events as they need."""
    batch: list[dict[str, Any]] = []
    taken = 0
    for item in (one.item for one in planned):
        size = len(canonical.dumps(item).encode())
        if batch and (len(batch) == MAX_ENTRIES or taken + size > MAX_BYTES):
            yield batch
            batch, taken = [], 0
        batch.append(item)
        taken += size
    if batch:
        yield batch


def standing(reader: Reader, key: str, now: int) -> Entry | None:
    """The entry that stands at a shared key and counts: neither deleted nor expired."""
    entry = entry_of(reader.get(context_path(key)))
    return None if entry is None or entry.deleted or is_expired(entry, now) else entry


def _keys(reader: Reader) -> Iterator[str]:
    for path, _ in reader.under("context/"):
        key = key_of(path)
        if key is not None:
            yield key


def _compared(place: Place, key: str, now: Reader, then: Reader) -> Restored:
    moment = place.now()
    return Restored(key, standing(now, key, moment), standing(then, key, moment))


def _differs(one: Restored) -> bool:
    if one.now is None or one.then is None:
        return one.now is not one.then
    same_policy = one.now.policy == one.then.policy
    return not same_policy or text_of(one.now.cell.value) != text_of(one.then.cell.value)
