"""Presence: which sessions there are, and what each is doing now; judged when it is asked, never recorded.

The roster says who is expected, live files who runs (storage/live.py). `crashed` needs proof of death: a session
without a live file (imported, or recorded by processes that ended at once) is `idle`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ledger.actions.read import reader_at
from ledger.actions.roster import Past, all_sessions
from ledger.actions.tip import event_id, own_tip
from ledger.core.clock import stamp
from ledger.core.ids import EventId
from ledger.core.state import Document
from ledger.errors import DamageError, NotFoundError
from ledger.storage import live
from ledger.storage.place import Place

IDLE = 600.0  # seconds without anything recorded or said, after which a session is idle

_TOLD = ("branch", "host", "key", "role", "title", "worktree")

State = Literal["working", "waiting", "idle", "crashed", "ended"]


@dataclass(frozen=True, slots=True)
class Present:
    """One session as it is now.

    `last_seen` and `started` are times in UTC; `quiet`, the seconds since it last did something, as far as is known;
    `task`, the name of the one it has begun. `verdict` is that on its live file ("none" without one), and `why`
    says in words what speaks for it. `pid` and `host` are those of its process where that is known.
    """

    id: str
    agent: str
    state: State
    pid: int | None
    last_seen: str
    started: str
    key: str = ""
    role: str = ""
    title: str = ""
    host: str = ""
    worktree: str = ""
    branch: str = ""
    task: str = ""
    private: bool = False
    verdict: live.Verdict | Literal["none"] = "none"
    why: str = ""
    quiet: float = 0.0


def presence(place: Place) -> list[Present]:
    """Every session on the roster as it is now, the one seen last first."""
    found = {} if place.layout is None else live.look_at_all(place.layout)
    tasks = _tasks(place)
    present = [_present(place, s, entry, found.get(s), tasks.get(s, "")) for s, entry in all_sessions(place).items()]
    return sorted(present, key=lambda one: (one.last_seen, one.id), reverse=True)


def absent(past: Past) -> Present:
    """A session that has ended, in the form of those that are there."""
    agent, ended = past.author.agent, past.ended
    lived = _Lived("ended", ended, past.started or ended, why=past.reason)
    return _told(past.author.session, agent, past.told, lived)


class _Lived(NamedTuple):
    state: State
    last_seen: str
    started: str
    quiet: float = 0.0
    why: str = ""
    task: str = ""


def _present(place: Place, session: str, entry: Document, found: live.Live | None, task: str) -> Present:
    now = place.now()
    event_age = max(0.0, (now - _last_event(place, session, entry)) / 1_000_000)
    written = [event_age, *_journal_age(place, session)]
    quiet = min(written if found is None else [*written, found.quiet])
    seen_ago = quiet if found is None else min(quiet, found.age)
    lived = _Lived(
        _state(entry, found, quiet),
        stamp(now - round(seen_ago * 1_000_000)),
        str(entry["started"]),
        quiet,
        "" if found is None else found.why,
        task,
    )
    return _told(session, str(entry.get("agent", "")), entry, lived, found)


def _told(session: str, agent: str, told: Document, lived: _Lived, found: live.Live | None = None) -> Present:
    claim = None if found is None else found.claim
    state, last_seen, started, quiet, why, task = lived
    branch, host, key, role, title, worktree = (str(told.get(name, "")) for name in _TOLD)
    return Present(
        id=session,
        agent=agent,
        state=state,
        pid=None if claim is None else claim.pid,
        last_seen=last_seen,
        started=started,
        key=key,
        role=role,
        title=title,
        host=host,
        worktree=worktree,
        branch=branch,
        task=task,
        private=told.get("private") is True,
        verdict="none" if found is None else found.verdict,
        why=why,
        quiet=quiet,
    )


def _state(entry: Document, found: live.Live | None, quiet: float) -> State:
    verdict = None if found is None else found.verdict
    if verdict == "dead" or ("crashed" in entry and verdict != "alive"):
        return "crashed"
    if found is None or found.claim is None or verdict == "frozen":
        return "idle"
    if verdict == "unknown" and found.age > IDLE:
        return "idle"
    # Who waits for somebody may wait for days; who works and does nothing is idle.
    return "idle" if found.claim.doing == "working" and quiet > IDLE else found.claim.doing


def _last_event(place: Place, session: str, entry: Document) -> int:
    """When the session's last event was written that can be found without a search, in microseconds since 1970."""
    known = [EventId(str(entry["last"])).millis]
    own = own_tip(place.store, session)
    if own is not None:
        with suppress(DamageError, NotFoundError):  # `health` tells of a branch that ends in no event
            known.append(event_id(place.store.commit(own)).millis)
    return max(known) * 1000


def _journal_age(place: Place, session: str) -> list[float]:
    """How long ago the session wrote on this machine, in seconds; nothing where its journal was cut."""
    if place.layout is None:
        return []
    try:
        status = place.layout.journal_of(session).stat()
    except FileNotFoundError:
        return []
    return [max(0.0, live.file_clock(place.layout) - status.st_mtime)] if status.st_size else []


def _tasks(place: Place) -> dict[str, str]:
    """The task that each session has begun, the one begun last where there are several."""
    begun = ((path, t) for path, t in reader_at(place).under("tasks/") if t["status"] == "started" and "to" in t)
    by_start = sorted(begun, key=lambda one: str(one[1].get("started", "")))
    return {str(task["to"]): path[len("tasks/") : -len(".yaml")] for path, task in by_start}
