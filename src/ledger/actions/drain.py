"""Drain: captured payloads become events, each fact once, whatever is killed meanwhile.

Under the lock of drains and the lock of imports, the oldest first: a payload is adapted, what is recorded already is
left out, what is left of one session is written as one batch, and only then the payload is taken away. A kill in
between repeats the step, and nothing is found to be new. What cannot be adapted is set aside with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ledger.actions.adapt import GIT, OURS, Recognise, Refused, Said, Spoke, adapt, set_aside
from ledger.actions.append import append_private, publish
from ledger.actions.due import COMPACTION, COMPACTS, Due, due_after, roster_entry
from ledger.actions.fence import refusal_of
from ledger.actions.hearing import Hearing
from ledger.actions.import_transcripts import caught_up, remember_events
from ledger.actions.liveness import show_life
from ledger.actions.read import reader_at
from ledger.actions.roster import find_session
from ledger.actions.tail import Tail, read_tail
from ledger.actions.tip import Author
from ledger.core import fold
from ledger.errors import BusyError, DamageError, InvalidError, NotFoundError, StorageError
from ledger.storage import spool
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.numbered import Numbered
from ledger.storage.place import Place
from ledger.storage.pressure import require_room
from ledger.storage.seen import Seen
from ledger.storage.switches import ALL, is_off

BATCH_PAYLOADS = 512
BATCH_BYTES = 16 * 1024 * 1024
LOCK_SECONDS = 60.0
PASSES = 4  # over what came meanwhile: whoever only wants to read must come to an end, however much is captured


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain did.

    `events` were written, of these `sessions`; `rejected` payloads were set aside, `known` ones told nothing new, and
    so many are `waiting` still. `unread` names the transcripts that could not be read to their end, and the payloads
    that the disk does not give back, each with the reason. `ended` are the sessions whose process was found to be gone,
    `due` says which sessions may get a checkpoint now.
    """

    events: int = 0
    sessions: tuple[str, ...] = ()
    rejected: int = 0
    known: int = 0
    waiting: int = 0
    unread: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    due: tuple[Due, ...] = ()


def drain(place: Place, *, wait: float = LOCK_SECONDS, most_tail: int | None = None) -> Drained:
    """Turn every payload that waits into events; while writing is turned off they go on waiting.

    Transcripts that have grown by more than `most_tail` bytes are left to the next drain, with the payloads that name
    them. Raises BusyError while somebody else drains or imports for longer than `wait` seconds; NewerFormatError,
    RefusedError for a clock that jumped, and StorageError, with the payloads safe where they are.
    """
    layout = place.layout
    if layout is None or not spool.waiting(layout):
        return Drained()
    if is_off(layout, ALL):
        return Drained(waiting=len(spool.waiting(layout)))
    require_room(layout)
    fold.refuse_newer(reader_at(place))
    account = _Account()
    left: set[str] = set()
    # What came while the locks were held found a drain at work and began none: it is looked for once more after.
    for _ in range(PASSES):
        if all(one.path.name in left for one in spool.waiting(layout)):
            break
        with Lock(layout.drain_lock).hold(wait), caught_up(place, layout, wait) as seen:
            left = _Drain(place, layout, seen, account, most_tail).run()
    return account.drained(len(spool.waiting(layout)))


@dataclass(slots=True)
class _Account:
    events: int = 0
    sessions: dict[str, None] = field(default_factory=dict)
    rejected: int = 0
    known: int = 0
    unread: dict[str, None] = field(default_factory=dict)
    due: dict[str, Due] = field(default_factory=dict)

    def drained(self, waiting: int) -> Drained:
        return Drained(
            events=self.events,
            sessions=tuple(self.sessions),
            rejected=self.rejected,
            known=self.known,
            waiting=waiting,
            unread=tuple(self.unread),
            due=tuple(self.due.values()),
        )

    def note_due(self, due: Due) -> None:
        before = self.due.get(due.author.session)
        self.due[due.author.session] = due if before is None else before.and_then(due)


class _Drain:
    """One drain under its locks."""

    def __init__(self, place: Place, layout: Layout, seen: Seen, account: _Account, most_tail: int | None) -> None:
        self.place, self.layout, self.seen, self.account = place, layout, seen, account
        self.most_tail = most_tail
        self.hearings: dict[str, Hearing] = {}
        self.tails: dict[tuple[str, str], Tail] = {}
        self.waiting = spool.waiting(layout)
        self.ids = frozenset(one.id for one in self.waiting)
        self.left: set[str] = set()
        self.spoke: Spoke = {}

    def run(self) -> set[str]:
        """Drain what waits now; gives back the names of the payloads that stay."""
        recognise = _recogniser()
        for batch in self._batches(recognise):
            self._take(batch)
        return self.left | self._read_tails()

    def _batches(self, recognise: Recognise) -> Iterator[list[Said | Refused]]:
        """What the payloads say, the oldest first, as much at a time as fits into memory."""
        batch: list[Said | Refused] = []
        for captured in self.waiting:
            try:
                batch.append(adapt(self.place, captured, recognise, self.spoke))
            except (
                BusyError,
                DamageError,
                StorageError,
            ) as error:  # this one stays, and those behind it do not wait for it
                self.left.add(captured.path.name)
                self.account.unread[error.message] = None
            if len(batch) >= BATCH_PAYLOADS or sum(len(one.raw) for one in batch) >= BATCH_BYTES:
                yield batch
                batch = []
        yield batch

    def _take(self, batch: Sequence[Said | Refused]) -> None:
        for refused in batch:
            if isinstance(refused, Refused):
                self._set_aside(refused)
        sessions: dict[str, list[Said]] = {}
        for said in batch:
            if isinstance(said, Said) and (late := refusal_of(self.layout, said.session, said.captured)):
                self._set_aside(Refused(said.captured, said.raw, late))
            elif isinstance(said, Said):
                sessions.setdefault(said.session, []).append(said)
        for session, saids in sessions.items():
            self._record(session, saids)

    def _record(self, session: str, saids: Sequence[Said]) -> None:
        hearing = self._hearing(session, saids)
        if hearing is None:
            for said in saids:
                self._set_aside(Refused(said.captured, said.raw, f"nothing has been heard of a session {session}"))
            return
        taken = self._written(hearing, saids)
        if any(said.captured.event == COMPACTS for said in taken):
            entry = roster_entry(self.place, session)
            self.account.note_due(replace(due_after(hearing.author, entry, ()), reason=COMPACTION))
        if any(said.heard.ends_turn or said.heard.doing == "ended" for said in taken):
            with suppress(BusyError):  # the events are safe on the session's own line, and go with its next turn
                publish(self.place, hearing.author)
        # The process behind a hook of git's is git, which is gone in a moment.
        show_life(self.layout, session, [said for said in taken if said.captured.agent != GIT])
        self._forget(taken)

    def _hearing(self, session: str, saids: Sequence[Said]) -> Hearing | None:
        """What is known of a session; None for one that only the ledger's own hooks speak of."""
        if session not in self.hearings:
            agent = next((said.agent for said in saids if said.agent), "") or _agent_on_roster(self.place, session)
            if not agent and self.seen.origins(session):  # it has ended meanwhile
                agent = next(filter(None, map(_agent_answered, saids)), "")
            if not agent:
                return None
            numbered = Numbered(self.layout, session, self.ids)
            self.hearings[session] = Hearing(self.place, self.seen, session, agent, numbered)
        return self.hearings[session]

    def _written(self, hearing: Hearing, saids: Sequence[Said]) -> list[Said]:
        """Write what is new in them; gives back those that were not refused."""
        try:
            self._write(hearing, saids)
        except InvalidError as error:
            if len(saids) == 1:
                self._set_aside(Refused(saids[0].captured, saids[0].raw, error.message))
                return []
            # One of them is at fault, and nothing was written: one after another then.
            return [said for one in saids for said in self._written(hearing, [one])]
        return list(saids)

    def _write(self, hearing: Hearing, saids: Sequence[Said]) -> None:
        told = hearing.tell(saids)
        if told.writers:
            hearing.numbered.keep()
            entry = roster_entry(self.place, hearing.author.session)  # the end of a session takes it away
            done = append_private(self.place, hearing.author, told.writers)
            remember_events(self.place, self.seen, done)
            self.account.events += len(done.events)
            if done.events:
                self.account.sessions[hearing.author.session] = None
                self.account.note_due(due_after(hearing.author, entry, done.events))
        hearing.remember(told)
        self.account.known += told.known

    def _forget(self, saids: Iterable[Said]) -> None:
        """Take payloads away whose facts are recorded; one that names a transcript stays until that is read."""
        for said in saids:
            if said.heard.transcript is None:
                spool.done(said.captured)
                continue
            tail = self.tails.setdefault(
                (said.session, said.heard.transcript), Tail(said.agent, said.heard.session, said.heard.cwd)
            )
            tail.captured.append(said.captured)
            tail.is_over = said.heard.doing == "ended"

    def _set_aside(self, refused: Refused) -> None:
        set_aside(self.place, refused)
        self.account.rejected += 1

    def _read_tails(self) -> set[str]:
        left: set[str] = set()
        for (session, path), tail in self.tails.items():
            done = read_tail(self.place, self.seen, path, tail, self.most_tail)
            self.account.events += done.events
            if done.problem is not None:
                self.account.unread[f"{path}: {done.problem}"] = None
            if done.events:
                self.account.sessions[session] = None
                self._publish(session, tail)
            if done.is_left:
                left |= {one.path.name for one in tail.captured}
            else:
                for one in tail.captured:
                    spool.done(one)
        return left

    def _publish(self, session: str, tail: Tail) -> None:
        with suppress(BusyError):
            publish(self.place, Author(session, tail.agent))


def _agent_answered(said: Said) -> str:
    """The agent that the ledger's own hook answered."""
    return str(json.loads(said.raw).get("agent", "")) if said.captured.agent == OURS else ""


def _agent_on_roster(place: Place, session: str) -> str:
    with suppress(NotFoundError):
        return find_session(place, session).agent
    return ""


def _recogniser() -> Recognise:
    # Imported here: the dialects of seven agents are of no use to who finds the spool empty.
    from ledger.recording.payloads.dialects import recognise

    return recognise
