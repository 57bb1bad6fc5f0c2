"""Fence: a process that was declared dead writes no more for its session; what it wanted to write is kept aside."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.errors import FencedError
from ledger.storage import live, spool
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.append import Draft
    from ledger.storage.place import Place
    from ledger.storage.spool import Captured

_LONGEST_AGENT = 40


def require_let_in(layout: Layout, session: str) -> None:
    """Raise FencedError where this process, or one that started it, was declared dead as that of the session."""
    for made in live.fenced(layout, session):
        if live.is_fenced(made, os.getpid()):
            raise FencedError(
                f"session {session} was taken from process {made.pid} when that was declared dead",
                hint=f"what was to be written is kept in {layout.spool / 'rejected'}; "
                f"to go on with the session here: ledger session resume {session[:8]}",
            )


def refusal_of(layout: Layout, session: str, captured: Captured) -> str:
    """Why a payload came too late, where its process had been declared dead by then; else an empty text."""
    if any(live.is_late(made, captured.pid, captured.time / 1_000_000) for made in live.fenced(layout, session)):
        return f"session {session} was taken from process {captured.pid}, which was declared dead before this came"
    return ""


def keep_aside(place: Place, layout: Layout, agent: str, drafts: Sequence[Draft], reason: str) -> None:
    """Keep what a fenced process wanted to write, free of secrets, with the reason, among what was rejected."""
    told = place.redactor.values([{"type": draft.type, "data": draft.data} for draft in drafts])
    name = "".join(letter if spool.WORD.fullmatch(letter) else "-" for letter in agent)[:_LONGEST_AGENT]
    raw = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
    spool.reject(layout, spool.put(layout, name, "fenced", os.getpid(), raw), raw, reason)
