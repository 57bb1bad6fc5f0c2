"""Share: what a session has of its own is copied to everybody, as it chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ledger.actions.append import Appended, Draft, Writer
from ledger.actions.read import Found, read_key
from ledger.actions.session import Session
from ledger.actions.tip import is_private
from ledger.actions.writers import Target, policy_name, setting
from ledger.core.clock import micros
from ledger.core.entry import Entry, entry_of
from ledger.core.key import check_key
from ledger.core.policies.policy import text_of
from ledger.core.state import Reader, context_path
from ledger.errors import NotFoundError, UsageError
from ledger.storage.place import Place


class Shared(NamedTuple):
    """What was copied: the keys, in the order asked for, and the session in whose name it was written."""

    session: str
    done: Appended


def share(place: Place, source: Session, person: Session, keys: Sequence[str], to: str | None = None) -> Shared:
    """Copy what stands at `keys` in the session's own context to shared context, all or nothing; `to` renames one key.

    Each is a write under the shared key's policy, whose origin names the event that it was copied from. A session
    writes it itself; for a private one `person` does, so that nothing of the private line reaches main. What stands
    there already is not written again. Raises NotFoundError with every key at which nothing of the session's own
    stands, UsageError where `to` is given for several keys.
    """
    wanted = list(dict.fromkeys(check_key(key) for key in keys))
    if to is not None and len(wanted) != 1:
        raise UsageError("several keys cannot go by one name", hint="share them one by one, each with its --as")
    found = _own(place, source.id, wanted)
    author = person if is_private(place.store, source.id) else source
    names = [check_key(to)] if to is not None else wanted
    done = author.write([_copying(place, one, name) for one, name in zip(found, names, strict=True)])
    return Shared(author.id, done)


def _own(place: Place, session: str, keys: Sequence[str]) -> list[Found]:
    found = {key: one for key in keys if (one := _find(place, session, key)) is not None}
    missing = [key for key in keys if key not in found]
    if missing:
        raise NotFoundError(
            f"nothing of the session's own stands at {', '.join(map(repr, missing))}",
            hint="`ledger keys --session ID` lists what it has; what is shared already needs no sharing",
        )
    return [found[key] for key in keys]


def _find(place: Place, session: str, key: str) -> Found | None:
    try:
        found = read_key(place, key, session=session)
    except NotFoundError:
        return None
    is_own = found.scope == "session" or (found.entry.session == session and is_private(place.store, session))
    return found if is_own else None


def _copying(place: Place, found: Found, name: str) -> Writer:
    entry = found.entry

    def write(reader: Reader) -> Draft | None:
        target = Target(name, ttl=_ttl_left(entry, place.now()))
        target = target._replace(policy=policy_name(target, reader, entry.policy))
        there = entry_of(reader.get(context_path(name)))
        if there is not None and not there.deleted and text_of(there.cell.value) == text_of(entry.cell.value):
            return None
        draft = setting(target, entry.cell.value)(reader)
        return None if draft is None else replace(draft, origin=_origin(entry, name))

    return write


def _ttl_left(entry: Entry, now: int) -> int | None:
    # A copy lives no longer than what it was copied from.
    return None if entry.ttl is None else max(1, entry.ttl - (now - micros(entry.time)) // 1_000_000)


def _origin(entry: Entry, name: str) -> dict[str, str]:
    return {"source": "call", "ref": f"share:{entry.session}:{entry.event}:{name}"}
