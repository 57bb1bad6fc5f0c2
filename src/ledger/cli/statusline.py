"""`ledger statusline`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ledger.cli.call import Call
from ledger.cli.words import counted
from ledger.errors import LedgerError
from ledger.storage import opening
from ledger.storage.switches import HOOKS, is_off

_LONGEST = 1 << 20


def command(context: typer.Context) -> None:
    """Print one short line for the foot of an agent's window: who else is here, and what is in conflict.

    The agent's payload on standard input says in which folder it works. Without a ledger there the line is empty; an
    agent is never told of a failure.
    """
    call = Call.of(context)
    try:
        answer = _answer(call)
    except (LedgerError, OSError):  # an agent shows what it is given; it is told nothing of our troubles
        answer = {}
    call.out.answer(answer, lambda: [_line(answer)] if answer else [])


def _answer(call: Call) -> dict[str, Any]:
    from ledger.actions.presence import presence
    from ledger.api import open_ledger

    folder = call.folder or opening.find(_folder_told())
    if folder is None:
        return {}
    with open_ledger(folder, accepts_clock=call.accepts_clock, sources=call.sources) as ledger:
        return {
            "sessions": len(presence(ledger.place)),
            "conflicts": sum(1 for _ in ledger.conflicts()),
            "paused": is_off(ledger.layout, HOOKS),
        }


def _line(answer: Mapping[str, Any]) -> str:
    parts = [counted(answer["sessions"], "session")]
    parts += [counted(answer["conflicts"], "conflict")] if answer["conflicts"] else []
    parts += ["paused"] if answer["paused"] else []
    return f"ledger: {', '.join(parts)}"


def _folder_told() -> Path:
    """The folder in which the agent works, as its payload says, else this process's own."""
    if sys.stdin is None or sys.stdin.isatty():
        return Path.cwd()
    try:
        payload = json.loads(sys.stdin.read(_LONGEST))
        told = payload.get("workspace", {}).get("current_dir") or payload.get("cwd")
        return Path(told) if told else Path.cwd()
    except (ValueError, AttributeError, TypeError):
        return Path.cwd()
