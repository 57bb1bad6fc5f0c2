"""Recover: bring sessions back that have come to harm, and give account of what was replayed, rescued and lost.

In this order: what the journal holds, with damage moved aside; what waits in the spool; then session by session
the replay, and the two events that say so, written at once. What is cut short is done again by the next run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ledger.actions.append import Draft, Writer, append_shared
from ledger.actions.cascade import Evidence, Finding, cascade
from ledger.actions.drain import drain
from ledger.actions.read import reader_at
from ledger.actions.replay import replay
from ledger.actions.restore_journal import Restored, restore_journal
from ledger.actions.roster import all_sessions
from ledger.actions.settle import settle
from ledger.actions.tip import Author, own_tip
from ledger.core.state import Reader, session_path
from ledger.errors import DamageError, NotFoundError, RefusedError
from ledger.storage import live
from ledger.storage.layout import MAIN, Layout, session_ref
from ledger.storage.place import Place
from ledger.storage.store import Oid

Status = Literal["recovered", "cleared", "lost", "left"]

DEADLINE = 60.0  # seconds
_LEASES = "leases/"
_LISTED = 1000  # quarantined files that an event names at most


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done for one session, or for all at once (`session` None)."""

    session: str | None
    reason: str
    status: Status
    checkpoint: str | None = None
    events_replayed: int = 0
    rescued_from_spool: int = 0
    lost: int = 0
    quarantined: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    remedy: str = ""
    seconds: float = 0.0


def recover(
    place: Place, session: str | None = None, *, force: bool = False, restored: Restored | None = None
) -> list[Recovered]:
    """Bring back the session of this id, or every one; a second run finds nothing to do.

    A crashed session stays on the roster, to be gone on with. With `force` one that lives is declared dead: its
    process is fenced, and whatever it still writes is refused. `restored` is what the opening has put right already.
    Raises RefusedError for a session that lives, DamageError where main cannot be read, and what a write raises.
    """
    layout = place.layout
    if layout is None:
        return []
    if session is not None:
        _refuse_living(layout, session, force=force)
    return _Recovery(place, layout, session, restored).run(force=force)


def _refuse_living(layout: Layout, session: str, *, force: bool) -> None:
    found = live.look(layout, session)
    if force or found is None or found.claim is None or not _lives(found):
        return
    raise RefusedError(
        f"session {session} runs in process {found.claim.pid} on {found.claim.host} ({found.verdict}: {found.why})",
        hint="end that process first; with --force it is held for dead, and what it still writes is refused",
    )


def _lives(found: live.Live) -> bool:
    return found.verdict in ("alive", "frozen") or (found.verdict == "unknown" and found.age <= live.STALE)


class _Recovery:
    """One run: what was found before anything was touched, and what was put right for all."""

    def __init__(self, place: Place, layout: Layout, only: str | None, restored: Restored | None) -> None:
        self.place, self.layout, self.only = place, layout, only
        self.found = cascade(place)
        self.tips = {one.session: self._tip(one.session) for one in self.found if one.session is not None}
        self.restored = restored

    def run(self, *, force: bool) -> list[Recovered]:
        whole = self._put_right()
        rescued = drain(self.place)
        settle(self.place)
        done = [self._one(session, findings) for session, findings in self._wanted(force=force).items()]
        if rescued.events and not done and self.only is None:
            whole.append(Recovered(None, "captured payloads waited", "recovered", rescued_from_spool=rescued.events))
        return [*whole, *done]

    def _put_right(self) -> list[Recovered]:
        started = time.perf_counter()
        if any(one.layer == "integrity" for one in self.found):
            self.restored = restore_journal(self.place) or self.restored
            self.place.store.close()  # what it remembers is from before
        done = self.restored
        if done is None or not done.changed:
            return []
        aside = tuple(map(str, done.quarantined))
        seconds = time.perf_counter() - started
        return [
            Recovered(None, "damage", "recovered", lost=len(done.lost), quarantined=aside, seconds=round(seconds, 3))
        ]

    def _wanted(self, *, force: bool) -> dict[str, list[Finding]]:
        """What was found of each session that is to be recovered; by force one of which nothing was found too."""
        wanted: dict[str, list[Finding]] = {}
        for one in self.found:
            if one.session is not None and self.only in (None, one.session):
                wanted.setdefault(one.session, []).append(one)
        if force and self.only is not None and self.only not in wanted:
            evidence: Evidence = {"why": "it was declared dead by force"}
            wanted[self.only] = [Finding(self.only, "process", evidence, "")]
        return wanted

    def _one(self, session: str, findings: Sequence[Finding]) -> Recovered:
        started = time.perf_counter()
        reason = "; ".join(f"{one.layer}: {one.evidence['why']}" for one in findings)
        lives = live.look(self.layout, session)
        if self.only is None and lives is not None and _lives(lives):
            done = self._beside(session, reason, findings)
        else:
            done = self._bring_back(session, reason, findings)
        return replace(done, seconds=round(time.perf_counter() - started, 3))

    def _beside(self, session: str, reason: str, findings: Sequence[Finding]) -> Recovered:
        """A session that lives goes on by itself once the damage is put right."""
        if all(one.layer == "integrity" for one in findings):
            return self._account(session, reason)
        return Recovered(session, reason, "left", remedy=findings[0].remedy)

    def _bring_back(self, session: str, reason: str, findings: Sequence[Finding]) -> Recovered:
        entry = all_sessions(self.place).get(session)
        if entry is None:
            return self._clear(session, reason)
        done = self._account(session, reason)
        author = Author(session, str(entry.get("agent", "agent")))
        evidence: dict[str, Evidence] = {one.layer: one.evidence for one in findings}
        found = live.look(self.layout, session)
        if found is not None and found.verdict != "dead":
            live.fence(self.layout, session)
        append_shared(self.place, author, [_crashed(session, reason, evidence), _recovered(session, done)])
        # Last: who is stopped before this finds the session again, and says so twice rather than never.
        live.leave(self.layout, session)
        return done

    def _account(self, session: str, reason: str) -> Recovered:
        """The replay of a session, and what came of it and what did not."""
        folded = replay(self.place, session)
        if not folded.ok:
            raise DamageError(
                f"what is stored of session {session} is not what its events say", hint=f"ledger replay {session[:8]}"
            )
        damaged = any(one.layer == "integrity" and one.session == session for one in self.found)
        restored = self.restored if damaged else None
        return Recovered(
            session,
            reason,
            "recovered",
            checkpoint=folded.checkpoint,
            events_replayed=folded.events_replayed,
            rescued_from_spool=self._rescued(session),
            lost=self._lost(session),
            quarantined=tuple(map(str, restored.quarantined)) if restored is not None else (),
            leases=tuple(_leases(self.place, session)),
            remedy=f"ledger session resume {session[:8]}",
        )

    def _clear(self, session: str, reason: str) -> Recovered:
        """Nothing is left of a session but its branch or its live file: main gets what it lacks, and they go."""
        tip = own_tip(self.place.store, session)
        if tip is not None:
            agent = self.place.store.commit(tip).author.name
            append_shared(self.place, Author(session, agent), [])
            self._drop_branch(session)
        live.leave(self.layout, session)
        lost = self._lost(session)
        return Recovered(session, reason, "lost" if lost else "cleared", lost=lost)

    def _drop_branch(self, session: str) -> None:
        store = self.place.store
        own, main = store.ref(session_ref(session)), store.ref(MAIN)
        if own is not None and main is not None and store.is_ancestor(own, main):
            store.move_ref(session_ref(session), None, own)

    def _tip(self, session: str) -> Oid | None:
        try:
            return own_tip(self.place.store, session)
        except DamageError:
            return None

    def _lost(self, session: str) -> int:
        """How many events are known to be lost: those of the journal, and the one at the tip that is there no more."""
        damaged = any(one.layer == "integrity" and one.session == session for one in self.found)
        before = self.tips.get(session)
        gone = before is not None and not _is_stored(self.place, before)
        return (len(self.restored.lost) if damaged and self.restored is not None else 0) + int(gone)

    def _rescued(self, session: str) -> int:
        """How many events of the session are there that were not when the run began."""
        before, now = self.tips.get(session), own_tip(self.place.store, session)
        if now is None or before == now:
            return 0
        known = [tip for tip in (before, self.place.store.ref(MAIN)) if tip is not None and _is_stored(self.place, tip)]
        return sum(1 for commit in self.place.store.walk([now], known) if commit.author.email == session)


def _is_stored(place: Place, oid: Oid) -> bool:
    try:
        place.store.commit(oid)
    except (DamageError, NotFoundError):
        return False
    return True


def _crashed(session: str, reason: str, evidence: dict[str, Evidence]) -> Writer:
    def write(reader: Reader) -> Draft | None:
        entry = reader.get(session_path(session))
        if entry is None or "crashed" in entry:
            return None
        return Draft("session.crashed", {"reason": reason[:1024], "evidence": evidence})

    return write


def _recovered(session: str, done: Recovered) -> Writer:
    told = {
        "reason": done.reason[:1024],
        "checkpoint": done.checkpoint,
        "events_replayed": done.events_replayed,
        "rescued_from_spool": done.rescued_from_spool,
        "lost": done.lost,
        "quarantined": list(done.quarantined[:_LISTED]),
    }

    def write(reader: Reader) -> Draft | None:
        return None if reader.get(session_path(session)) is None else Draft("session.recovered", told)

    return write


def _leases(place: Place, session: str) -> list[str]:
    held = reader_at(place).under(_LEASES)
    return [path[len(_LEASES) : -len(".yaml")] for path, lease in held if lease["session"] == session]
