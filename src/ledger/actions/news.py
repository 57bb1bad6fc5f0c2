"""News: what a session has not seen yet, for an agent that is about to read it.

At its start that is where things stand: the last session in this worktree, open tasks, who else is at work, what
stands at the keys. Later it is what others changed since the session last looked. All of it is read from main, and
from the own line of the last session here: what a private session keeps to itself is told to nobody, and what a
session wrote itself is no news to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from ledger.actions.compare import list_changes
from ledger.actions.find import main_tip, walk
from ledger.actions.handoff import Section, in_brief
from ledger.actions.holding import Standing, live_leases
from ledger.actions.owner import agent_of, why_gone
from ledger.actions.presence import Present, presence
from ledger.actions.read import is_expired, reader_at
from ledger.actions.tip import event_of
from ledger.actions.todo import Task, open_tasks, tasks_in
from ledger.core.entry import entry_of
from ledger.core.event import Event
from ledger.core.leases import do_overlap, plain_name
from ledger.core.state import Reader, conflicts_path, context_path, key_of, lease_path, task_path
from ledger.errors import DamageError
from ledger.storage.layout import session_ref
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid

# A session's start must not take longer than 150 ms in all: so many of the newest events are looked at (60 to 100 µs
# each; as many again for what the last session was asked), and so many keys (0.3 ms each), of which some 80 find room.
_BACK = 100
_KEYS = 80

_WRITES = (b"context.", b"decision.", b"conflict.")


@dataclass(frozen=True, slots=True)
class Written:
    """What stands at a key: the value (None where it was deleted), who wrote it when, and the writes it beat unseen.

    `beaten` are the sessions whose writes lost without the winner's having seen them.
    """

    key: str
    value: Any
    deleted: bool
    session: str
    agent: str
    time: str
    beaten: tuple[str, ...] = ()


class Last(NamedTuple):
    """What a session left: who it was, what it was asked last, what it answered, and the rest of its handoff in brief.

    Times are in UTC; all of it is as far as the newest events tell.
    """

    session: str
    agent: str
    asked: str
    answered: str
    time: str
    more: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where things stand when a session begins."""

    last: Last | None
    tasks: tuple[Task, ...]
    sessions: tuple[Present, ...]
    leases: tuple[Standing, ...]
    written: tuple[Written, ...]
    unnamed: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.last or self.tasks or self.sessions or self.leases or self.written)


@dataclass(frozen=True, slots=True)
class News:
    """What others changed: keys, tasks as they stand now, leases that were not there before."""

    written: tuple[Written, ...]
    tasks: tuple[Task, ...]
    leases: tuple[Standing, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.written or self.tasks or self.leases)


def at_start(place: Place, session: str, last: str | None = None) -> Start:
    """Where things stand, for a session that begins; `last` is the session that was in its worktree before it."""
    reader, newest = reader_at(place), list(_newest_events(place, last))
    written, unnamed = _standing(place, reader, newest)
    return Start(
        last=None if last in (None, session) else _left_by(str(last), newest),
        tasks=tuple(open_tasks(place)),
        sessions=tuple(p for p in presence(place) if p.id != session and p.state in ("working", "waiting")),
        leases=tuple(one for one in live_leases(place) if one.lease.session != session),
        written=written,
        unnamed=unnamed,
    )


def since(place: Place, session: str, seen: Oid) -> News:
    """What others changed on main since the commit `seen`; raises NotFoundError where there is none."""
    tip = main_tip(place)
    reader = reader_at(place)
    paths = [change.path for change in list_changes(place, seen, tip)] if seen != tip else []
    keys = dict.fromkeys(key for path in paths if path.startswith(("context/", "conflicts/")) and (key := key_of(path)))
    written = (_written(reader, key, place.now()) for key in keys)
    fresh = [one for one in written if one is not None and (one.session != session or session in one.beaten)]
    tasks = {path for path in paths if path.startswith("tasks/")}
    leases = {path for path in paths if path.startswith("leases/")}
    return News(
        written=_newest(fresh),
        tasks=tuple(t for t in _tasks(reader, tasks) if t.session != session),
        leases=tuple(_new_leases(place, session, leases) if leases else ()),
    )


def holders(place: Place, session: str, paths: Iterable[str]) -> list[Standing]:
    """The leases that other living sessions hold on one of these paths, seen from the project's root."""
    wanted, reader = [plain_name(path) for path in paths], reader_at(place)
    others = (one for one in live_leases(place) if one.holds and one.lease.session != session)
    held = [one for one in others if do_overlap(one.lease.on, wanted)]
    return [one for one in held if why_gone(place, reader, one.lease.session) is None]


def _newest_events(place: Place, last: str | None) -> Iterator[Commit]:
    """The events that are looked at: `_BACK`, and more until it is known what the last session was asked and said."""
    missing = set() if last is None else {b"prompt.submitted", b"turn.ended"}
    # What a session was at when it crashed is on its own line yet; a private one's lies elsewhere, and is not told.
    own = None if last is None else place.store.ref(session_ref(last))
    tips = [main_tip(place), *([own] if own is not None else [])]
    for count, commit in enumerate(islice(walk(place, tips), 2 * _BACK), 1):
        yield commit
        if commit.author.email == last:
            missing.discard(commit.message.partition(b" ")[0])
        if count >= _BACK and not missing:
            return


def _standing(place: Place, reader: Reader, newest: Iterable[Commit]) -> tuple[tuple[Written, ...], int]:
    """What stands at the keys written last, and how many keys there are besides, as far as was looked."""
    keys = list(dict.fromkeys(_written_keys(newest)))
    if len(keys) < _KEYS:
        rest = (key for path, _ in reader.under("context/") if (key := key_of(path)))
        keys = list(dict.fromkeys([*keys, *islice(rest, _KEYS)]))
    found = (_written(reader, key, place.now()) for key in keys[:_KEYS])
    return _newest(one for one in found if one is not None and not one.deleted), max(0, len(keys) - _KEYS)


def _written_keys(commits: Iterable[Commit]) -> Iterator[str]:
    """The shared keys that these commits wrote to, by their subjects: to read the events takes twice as long."""
    for commit in commits:
        subject = commit.message.partition(b"\n")[0]
        if subject.startswith(_WRITES):
            yield subject.decode("utf-8", "replace").partition(" ")[2].partition(":")[0].strip()


def _written(reader: Reader, key: str, now: int) -> Written | None:
    entry = entry_of(reader.get(context_path(key)))
    if entry is None or is_expired(entry, now):
        return None
    losers = (reader.get(conflicts_path(key)) or {}).get("losers", ())
    return Written(
        key,
        entry.cell.value,
        entry.deleted,
        entry.session,
        agent_of(reader, entry.session),
        entry.time,
        tuple(str(loser["session"]) for loser in losers),
    )


def _newest(written: Iterable[Written]) -> tuple[Written, ...]:
    return tuple(sorted(written, key=lambda one: (one.time, one.key), reverse=True))


def _tasks(reader: Reader, paths: set[str]) -> Iterator[Task]:
    return (task for task in tasks_in(reader) if task_path(task.name) in paths) if paths else iter(())


def _new_leases(place: Place, session: str, paths: set[str]) -> Iterator[Standing]:
    return (s for s in live_leases(place) if s.lease.session != session and lease_path(s.lease.id) in paths)


def _left_by(session: str, newest: Iterable[Commit]) -> Last | None:
    """What a session left, among the newest events."""
    events: list[Event] = []
    agent = ""
    for commit in newest:
        if commit.author.email == session:
            agent = agent or commit.author.name
            with suppress(DamageError):  # `verify` names it; nobody's start waits for it
                events.append(event_of(commit))
    said = {event.type: str(event.data.get("text", "")) for event in reversed(events)}
    if not said.keys() & {"prompt.submitted", "turn.ended"}:
        return None
    asked, answered = said.get("prompt.submitted", ""), said.get("turn.ended", "")
    return Last(session, agent, asked, answered, events[0].time, tuple(in_brief(events[::-1], session)))
