"""Cascade: what has befallen the sessions, layer by layer, each with the evidence of its own.

A process that is gone, a heartbeat that has stopped at work, damage on the session's line, a disk that refuses, and
what is left of a session without the rest of it. Silence is nobody's death: who waits may wait for days.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

from ledger.actions.health import refusal
from ledger.actions.roster import all_sessions
from ledger.actions.tip import event_id
from ledger.core.ids import SessionId
from ledger.core.state import Document, session_path
from ledger.errors import DamageError, LedgerError, NotFoundError
from ledger.storage import live, spool
from ledger.storage.layout import MAIN, PRIVATE, SESSIONS, Layout, session_of, session_ref
from ledger.storage.locks import Lock
from ledger.storage.place import Place
from ledger.storage.process import find_process
from ledger.storage.refs import bad_refs
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, is_off
from ledger.storage.tree import TreeReader

Layer = Literal["process", "heartbeat", "integrity", "disk", "orphaned"]
Evidence = dict[str, str | int | float | bool]

STUCK = 600.0  # seconds that a payload may wait while nobody drains, until the spool counts as stuck
_DEEP = 64  # commits of a line that are looked at; `verify` looks at all of them


class Finding(NamedTuple):
    """What is wrong with one session, or with all (`session` None): the layer, the evidence for it, and what to do."""

    session: str | None
    layer: Layer
    evidence: Evidence
    remedy: str


def cascade(place: Place) -> list[Finding]:
    """Everything that has befallen the sessions, in the order of the layers; empty where all is well.

    Nothing is changed by it. A ledger in memory has neither processes nor files, hence nothing to find.
    """
    layout = place.layout
    if layout is None:
        return []
    # Damage first: a roster that cannot be read tells nothing of the sessions, and must not hide their processes.
    damaged = _integrity(place, layout)
    found = live.look_at_all(layout)
    roster = _roster(place)
    return [
        *_gone(found, roster),
        *_silent(found),
        *damaged,
        *_disk(layout),
        *(() if roster is None else _orphaned(place, layout, found, roster)),
    ]


def _roster(place: Place) -> dict[str, Document] | None:
    """The sessions on the roster; None where it cannot be read."""
    try:
        return all_sessions(place)
    except (DamageError, NotFoundError):
        return None


def _gone(found: dict[str, live.Live], roster: dict[str, Document] | None) -> Iterator[Finding]:
    for session, one in found.items():
        if one.verdict == "dead" and one.claim is not None and (roster is None or session in roster):
            evidence: Evidence = {"pid": one.claim.pid, "host": one.claim.host, "why": one.why}
            yield Finding(session, "process", evidence | {"silent": round(one.age, 1)}, _recover(session))
    for session, entry in (roster or {}).items():
        if "crashed" in entry and (session not in found or found[session].verdict == "unreadable"):
            evidence = {"crashed": str(entry["crashed"]), "why": "it was recorded as crashed, and nobody has gone on"}
            yield Finding(session, "process", evidence, _recover(session))


def _silent(found: dict[str, live.Live]) -> Iterator[Finding]:
    for session, one in found.items():
        claim = one.claim
        if claim is None or not claim.lasting or claim.doing != "working" or one.age <= _limit(one):
            continue
        if one.verdict == "frozen":
            process = find_process(claim.pid)
            if process is None or process.is_stopped:  # stopped by somebody, who may let it go on: nothing is wrong
                continue
        evidence: Evidence = {"pid": claim.pid, "host": claim.host, "silent": round(one.age, 1), "limit": _limit(one)}
        words = f"look at process {claim.pid} on {claim.host}; once it has ended: {_recover(session)}"
        yield Finding(session, "heartbeat", evidence | {"why": one.why}, words)


def _limit(one: live.Live) -> float:
    """How long a session may be silent; another machine, or container, may be slow to be seen."""
    return {"frozen": live.SILENT, "unknown": live.STALE}.get(one.verdict, float("inf"))


def _integrity(place: Place, layout: Layout) -> list[Finding]:
    # Refs cannot be listed while one of them names nothing: what they lead to is looked at once they are right.
    return [*_bad_refs(layout)] or [*_damaged_lines(place)]


def _bad_refs(layout: Layout) -> Iterator[Finding]:
    for git_dir in layout.repositories:
        for bad in bad_refs(git_dir):
            ref = str(bad.path.relative_to(git_dir))
            yield Finding(session_of(ref), "integrity", {"ref": ref, "why": bad.reason}, "ledger recover --all")


def _damaged_lines(place: Place) -> Iterator[Finding]:
    told: set[str] = set()
    main = place.store.ref(MAIN)
    lines = {} if main is None else {MAIN: main}
    for ref, tip in (lines | place.store.refs(SESSIONS) | place.store.refs(PRIVATE)).items():
        fault = _fault(place, tip, session_of(ref))
        if fault is not None and fault.message not in told:
            told.add(fault.message)
            session = session_of(ref)
            remedy = "ledger recover --all" if session is None else _recover(session)
            yield Finding(session, "integrity", {"ref": ref, "why": fault.message}, remedy)


def _fault(place: Place, tip: Oid, session: str | None) -> LedgerError | None:
    """What cannot be read at the end of a line: its newest commits, and the state of its session at its tip."""
    try:
        for commit in islice(place.store.walk([tip], order="newest"), _DEEP):
            event_id(commit)
            place.store.tree_entries(commit.tree, "")
        if session is not None:
            TreeReader(place.store, place.store.commit(tip).tree).get(session_path(session))
    except (DamageError, NotFoundError) as error:
        return error
    return None


def _disk(layout: Layout) -> Iterator[Finding]:
    fault = refusal(layout)
    if fault is not None:
        disk = os.statvfs(layout.root)
        evidence: Evidence = {
            "fault": errno.errorcode[fault],
            "why": os.strerror(fault),
            "free_bytes": disk.f_frsize * disk.f_bavail,
            "free_files": disk.f_ffree,
        }
        yield Finding(None, "disk", evidence, f"make room at {layout.root}, and let it be written")
    waiting = [] if is_off(layout, ALL) else spool.waiting(layout)
    oldest = max(0.0, time.time() - waiting[0].time / 1_000_000) if waiting else 0.0
    if oldest > STUCK and not Lock(layout.drain_lock).is_held():
        evidence = {"fault": "spool", "why": "what hooks captured is not recorded", "waiting": len(waiting)}
        yield Finding(None, "disk", evidence | {"oldest": round(oldest, 1)}, "ledger doctor")


def _orphaned(
    place: Place, layout: Layout, found: dict[str, live.Live], roster: dict[str, Document]
) -> Iterator[Finding]:
    for session in sorted(live.claimed(layout) & roster.keys() - found.keys()):
        why = "a process had claimed it, and its live file is gone without having been given back"
        yield Finding(session, "orphaned", {"left": "roster", "why": why}, _recover(session))
    for session, one in found.items():
        # One that lives has claimed its session, and is about to write its first event.
        if session not in roster and one.verdict == "dead":
            why = "it names a process that is gone, and a session that is not on the roster"
            yield Finding(session, "orphaned", {"left": "live file", "why": why}, _recover(session))
    for ref, tip in place.store.refs(SESSIONS).items():
        session = session_of(ref) or ""
        if session not in roster and SessionId.form.fullmatch(session) and _is_left(place, layout, session, tip):
            why = "the branch is there, and its session is on no roster"
            yield Finding(session, "orphaned", {"left": "branch", "tip": tip, "why": why}, _recover(session))


def _is_left(place: Place, layout: Layout, session: str, tip: Oid) -> bool:
    """Whether a branch without a session stays; while its writer is at it, or damaged, it is nothing left behind."""
    if Lock(layout.session_lock(session)).is_held() or place.store.ref(session_ref(session)) != tip:
        return False
    return _fault(place, tip, None) is None


def _recover(session: str) -> str:
    return f"ledger recover {session[:8]}"
