"""What commands answer as JSON; docs/reference/json.md lists every field. Fields are added, never renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger.core.events import subject_of

if TYPE_CHECKING:
    from ledger.actions.append import Appended
    from ledger.actions.log import Logged
    from ledger.actions.read import Found

Document = dict[str, Any]


def entry(found: Found) -> Document:
    """What stands at a key."""
    return {
        "key": found.key,
        "value": found.entry.cell.value,
        "event": found.entry.event,
        "session": found.entry.session,
        "time": found.entry.time,
        "policy": found.entry.policy,
        "scope": found.scope,
        "conflict": bool(found.losers),
    }


def logged(one: Logged) -> Document:
    """An event as it lies in the log: the envelope, and the commit that carries it."""
    return one.event.document() | {
        "commit": one.commit.oid,
        "parents": list(one.commit.parents),
        "subject": subject_of(one.event),
    }


def written(session: str, done: Appended) -> Document:
    """What a write added."""
    pairs = zip(done.events, done.commits, strict=True)
    events = [{"id": e.id, "type": e.type, "commit": c, "subject": subject_of(e)} for e, c in pairs]
    return {"session": session, "events": events}


def winner(found: Found) -> Document:
    """The write that stands at a key."""
    shown = {"event": found.entry.event, "session": found.entry.session, "time": found.entry.time}
    value = {"deleted": True} if found.entry.deleted else {"value": found.entry.cell.value}
    return shown | {"policy": found.entry.policy} | value


def conflict(found: Found) -> Document:
    """A key with the write that stands there, and the writes that it beat unseen."""
    return {"key": found.key, "winner": winner(found), "losers": list(found.losers)}
