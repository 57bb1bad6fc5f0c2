"""Liveness: the process whose hook a payload came from is the session's, and shows that it lives."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ledger.errors import BusyError, NotFoundError, StorageError
from ledger.storage import live
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.adapt import Said

_SLACK = 2.0  # seconds: the system counts the starts of processes in hundredths, and files by another clock


def show_life(layout: Layout, session: str, saids: Sequence[Said]) -> None:
    """Claim a session for the process behind its last payload, and say what it does; or leave it, where it ended.

    A process that is gone by now, or that began after the payload was captured, claims nothing.
    """
    if not saids:
        return
    # What is recorded is safe by now: a claim that fails costs the others a sign of life, and no fact.
    with suppress(BusyError, NotFoundError, StorageError):
        if saids[-1].heard.doing == "ended":
            live.leave(layout, session)
            return
        if has_run_since(saids[-1].captured.pid, saids[-1].captured.time):
            _claim(layout, session, saids)


def has_run_since(pid: int, captured: int) -> bool:
    """Whether process `pid` runs, and ran already when something was captured (microseconds since 1970)."""
    from ledger.storage.process import find_process

    found = find_process(pid)
    if found is None:
        return False
    began = _began(found.started)
    return began is None or began <= captured / 1_000_000 + _SLACK


def _claim(layout: Layout, session: str, saids: Sequence[Said]) -> None:
    doing, pid, found = _doing(saids), saids[-1].captured.pid, live.look(layout, session)
    claim = None if found is None or found.verdict == "dead" else found.claim
    if claim is None or claim.pid != pid:
        live.claim(layout, session, pid=pid, doing=doing or "working")
    elif doing not in (None, claim.doing):
        live.tell(layout, session, doing)
    else:
        live.touch(layout, session)


def _doing(saids: Sequence[Said]) -> live.Doing | None:
    """What the session does by what was heard last; one that has only begun waits to be asked something."""
    for said in reversed(saids):
        if said.heard.doing in ("working", "waiting"):
            return said.heard.doing
        if any(fact.type in ("session.started", "session.resumed") for fact in said.heard.drafts):
            return "waiting"
    return None


def _began(started: str) -> float | None:
    """When a process began, in seconds since 1970, from what the system says of it; None where that is no number."""
    if not sys.platform.startswith("linux") or not started.isdigit():
        return None
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - (up - int(started) / os.sysconf("SC_CLK_TCK"))
