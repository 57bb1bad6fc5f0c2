"""Switch: turn a part of the ledger off or on, whatever state the ledger is in.

A switch is what is left when something has gone wrong: what is recorded of it must never keep it from working.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ledger.actions.append import Appended, Draft, publish
from ledger.actions.tip import Author
from ledger.errors import LedgerError
from ledger.storage import switches
from ledger.storage.layout import SESSIONS, Layout, session_of
from ledger.storage.place import Place
from ledger.storage.switches import SYNC, Switch

PATIENCE = 0.8  # seconds that recording may take before the switch takes effect all the same


class Recorded(NamedTuple):
    """The event that a switch wrote, and who wrote it."""

    author: Author
    done: Appended


Record = Callable[[], Recorded]


class Switched(NamedTuple):
    """What was done: whether the switch stood otherwise before, its event, or why there is none."""

    changed: bool
    recorded: Recorded | None = None
    unrecorded: LedgerError | None = None


class Brought(NamedTuple):
    """The sessions whose lines were brought to main, and those that could not be, each with the reason."""

    sessions: tuple[str, ...] = ()
    left: tuple[tuple[str, LedgerError], ...] = ()


def turn_off(layout: Layout, switch: Switch, record: Record) -> Switched:
    """Record that a switch goes off, then turn it off; where that takes long or fails, turn it off all the same.

    Raises StorageError where not even the switch's own file can be written.
    """
    if any(one.name == switch.name for one in switches.switches(layout)):
        return Switched(False)
    late = threading.Timer(PATIENCE, _turn_off_meanwhile, (layout, switch))
    late.daemon = True
    late.start()
    told = switch
    try:
        done = _recorded(record)
        if done.recorded is not None:
            told = _as_recorded(switch, done.recorded)
    finally:
        # Whoever loses patience and interrupts wants it off more than ever.
        late.cancel()
        switches.turn_off(layout, told)
    return done


def turn_on(layout: Layout, name: str, record: Record) -> Switched:
    """Turn a switch on, then record it. Raises StorageError where its file cannot be removed."""
    return _recorded(record) if switches.turn_on(layout, name) else Switched(False)


def switch_draft(name: str, *, on: bool, because: str | None) -> Draft:
    """The event that records a switch."""
    return Draft("switch.set", {"switch": name, "on": on} | ({"because": because} if because else {}))


def bring_lines(place: Place) -> Brought:
    """Bring to main what sessions kept to themselves while sync was off; private ones keep it still."""
    if switches.is_off(place.layout, SYNC):
        return Brought()
    sessions, left = [], []
    for author in _authors(place):
        try:
            if publish(place, author) is not None:
                sessions.append(author.session)
        except LedgerError as error:
            left.append((author.session, error))
    return Brought(tuple(sessions), tuple(left))


def _authors(place: Place) -> Iterator[Author]:
    for ref, oid in place.store.refs(SESSIONS).items():
        session = session_of(ref)
        if session is not None:
            yield Author(session, place.store.commit(oid).author.name)


def _recorded(record: Record) -> Switched:
    try:
        return Switched(True, record())
    except LedgerError as error:
        return Switched(True, unrecorded=error)


def _as_recorded(switch: Switch, recorded: Recorded) -> Switch:
    # The event's own words: no secret is left in them.
    (event,) = recorded.done.events
    because = str(event.data.get("because", ""))
    return Switch(switch.name, event.time, recorded.author.session, recorded.author.agent, because)


def _turn_off_meanwhile(layout: Layout, switch: Switch) -> None:
    with suppress(LedgerError):  # tried again, and told, once recording is over
        switches.turn_off(layout, switch)
