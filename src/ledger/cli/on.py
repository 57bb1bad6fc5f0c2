"""`ledger on`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.off import Because, Name, answer, layout_of, record
from ledger.cli.words import counted
from ledger.storage.switches import ALL, STOPPED, SYNC

if TYPE_CHECKING:
    from ledger.actions.switch import Brought


def command(context: typer.Context, name: Name, because: Because = None) -> None:
    """Turn a part of the ledger on again.

    With sync, what sessions kept to themselves meanwhile is brought to main; nothing of it is lost.
    """
    from ledger.actions.switch import Brought, switch_draft, turn_on

    call, layout = Call.of(context), layout_of(context, name)
    because = text_given(because, "reason") if because else None
    draft = switch_draft(name, on=True, because=because)
    done = turn_on(layout, name, lambda: record(call, draft))
    brought = _bring(call) if done.recorded is not None and name in (SYNC, ALL) else Brought()
    more = {"brought": list(brought.sessions), "left": [session for session, _ in brought.left]}
    answer(call, name, done, on=True, more=more)
    call.out.words(f"On: {STOPPED[name]}." if done.changed else "On already.")
    for words in _told(brought):
        call.out.words(words)


def _bring(call: Call) -> Brought:
    from ledger.actions.switch import bring_lines

    with call.ledger() as ledger:
        return bring_lines(ledger.place)


def _told(brought: Brought) -> list[str]:
    lines = [f"Brought to main: the lines of {counted(len(brought.sessions), 'session')}."] if brought.sessions else []
    return lines + [
        f"Not yet brought to main: session {session[:8]}: {error.message}" for session, error in brought.left
    ]
