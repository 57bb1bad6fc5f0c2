"""Alerts: what somebody should look at now; each is told once when it begins, and once when it is over.

Whether a process lives, and how long ago something happened, changes no file: who wants to know has to look again
from time to time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ledger.actions.find import main_tip
from ledger.actions.health import hindrances
from ledger.actions.presence import Present, presence
from ledger.storage.layout import session_ref
from ledger.storage.place import Place
from ledger.storage.refs import left_locks

Kind = Literal["dead-session", "sync-failure", "silent-hook"]

_LOCK_LEFT = 60.0  # seconds; a ref is locked for milliseconds


@dataclass(frozen=True, slots=True)
class Limits:
    """How long something may last before it is an alert, in seconds."""

    silent: float = 600.0
    unpublished: float = 600.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to look at: of what kind, with which session (none where it is the ledger itself), and why."""

    kind: Kind
    session: str | None
    agent: str | None
    text: str
    hint: str
    is_over: bool = False


class Alerts:
    """What stands, so far as it was looked at; `look` says what has changed since."""

    def __init__(self, place: Place, limits: Limits) -> None:
        self._place, self._limits = place, limits
        self._standing: dict[tuple[Kind, str | None], Alert] = {}

    def look(self) -> list[Alert]:
        """The alerts that are new, then those that are over."""
        found: dict[tuple[Kind, str | None], Alert] = {}
        for one in standing(self._place, self._limits):
            found.setdefault((one.kind, one.session), one)
        new = [one for about, one in found.items() if about not in self._standing]
        over = [replace(one, is_over=True) for about, one in self._standing.items() if about not in found]
        self._standing = found
        return [*new, *over]


def standing(place: Place, limits: Limits) -> Iterator[Alert]:
    """Everything that is an alert at this moment."""
    for one in presence(place):
        if one.state == "crashed":
            why = one.why or "it was found crashed"
            yield _about(one, "dead-session", why, f"ledger session resume {one.id}")
        elif one.verdict == "alive":
            yield from _silent(one, limits)
            yield from _unpublished(place, one, limits)
    yield from _unwritable(place)


def _silent(one: Present, limits: Limits) -> Iterator[Alert]:
    # One that lives and is idle is at work too: nothing was heard of it for so long that it is called idle.
    if one.state in ("working", "idle") and one.quiet > limits.silent:
        why = f"it is at work, and nothing was recorded for {one.quiet / 60:.0f} minutes"
        yield _about(one, "silent-hook", why, f"ledger log --mine --session {one.id}")


def _unpublished(place: Place, one: Present, limits: Limits) -> Iterator[Alert]:
    own = None if one.private else place.store.ref(session_ref(one.id))
    first = None if own is None else next(place.store.walk([own], [main_tip(place)], order="oldest"), None)
    age = 0.0 if first is None else place.now() / 1_000_000 - first.committer.time
    if age > limits.unpublished:
        why = f"what it wrote is not on main for {age / 60:.0f} minutes"
        yield _about(one, "sync-failure", why, "ledger status")


def _unwritable(place: Place) -> Iterator[Alert]:
    """Why main cannot be written, as one alert."""
    reasons = hindrances(place)
    if place.layout is not None:
        reasons += [f"a lock was left: {path}" for path in left_locks(place.layout.git_dir, older_than=_LOCK_LEFT)]
    if reasons:
        text = f"main cannot be written: {'; '.join(' '.join(reason.split()) for reason in reasons)}"
        yield Alert("sync-failure", None, None, text, "ledger status")


def _about(one: Present, kind: Kind, text: str, hint: str) -> Alert:
    return Alert(kind, one.id, one.agent, text, hint)
