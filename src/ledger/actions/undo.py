"""Undo: take back a session's last change of context. It is written as a new event; nothing leaves the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.actions.append import Draft
from ledger.actions.log import Logged, list_events
from ledger.actions.read import reader_at
from ledger.actions.rollback import Restored, batches, standing
from ledger.actions.tip import Author
from ledger.core.event import Event
from ledger.core.fold import footprint
from ledger.core.state import State, key_of
from ledger.errors import NotFoundError
from ledger.storage.place import Place
from ledger.storage.tree import TreeReader

_UNDOES = "undo:"
_ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class Undo:
    """What an undo would do: the event it takes back, its keys, and the later writes of others there."""

    target: Logged
    restored: list[Restored]
    later: dict[str, Event] = field(default_factory=dict)


def plan_undo(place: Place, author: Author) -> Undo:
    """Find the newest change of shared context by this session that it has not taken back yet.

    Raises NotFoundError where there is none.
    """
    undone: set[str] = set()
    later: dict[str, Event] = {}
    for logged in list_events(place, "main"):
        event = logged.event
        taken_back = _undone_by(event) if event.session == author.session else None
        if taken_back is not None:
            undone.add(taken_back)
        elif event.session == author.session and event.id not in undone:
            keys = list(_keys_of(event))
            if keys:
                return Undo(logged, _restored(place, logged, keys), {k: later[k] for k in keys if k in later})
        elif event.session != author.session:
            later = dict.fromkeys(_keys_of(event), event) | later
    raise NotFoundError("this session has no change of context to take back", hint="`ledger log` shows who did what")


def undo_drafts(planned: Undo) -> Iterator[Draft]:
    """What gives the keys the values that they had before the event that is taken back."""
    target = planned.target.event.id
    for number, items in enumerate(batches(planned.restored), start=1):
        # An origin names one fact: of several events that take back one, each has its own.
        ref = f"{_UNDOES}{target}" if number == 1 else f"{_UNDOES}{target}.{number}"
        yield Draft("context.restored", {"entries": items, "to": target}, origin={"source": "call", "ref": ref})


def _undone_by(event: Event) -> str | None:
    ref = str((event.origin or {}).get("ref", ""))
    is_undo = event.type == "context.restored" and ref.startswith(_UNDOES)
    return ref.removeprefix(_UNDOES)[:_ID_LENGTH] if is_undo else None


def _keys_of(event: Event) -> Iterator[str]:
    for unit in footprint(event):
        key = key_of(unit)
        if key is not None:
            yield key


def _restored(place: Place, logged: Logged, keys: list[str]) -> list[Restored]:
    parents = logged.commit.parents
    before = TreeReader(place.store, place.store.commit(parents[0]).tree) if parents else State()
    now, moment = reader_at(place), place.now()
    return [Restored(key, standing(now, key, moment), standing(before, key, moment)) for key in keys]
