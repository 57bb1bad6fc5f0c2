"""`ledger unpause`."""

from __future__ import annotations

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.off import Because, answer, layout_of, record
from ledger.storage.switches import ALL, HOOKS, switches


def command(context: typer.Context, because: Because = None) -> None:
    """Go on recording; the log says where the gap ends."""
    from ledger.actions.append import Draft
    from ledger.actions.switch import turn_on

    call, layout = Call.of(context), layout_of(context, HOOKS)
    because = text_given(because, "reason") if because else None
    draft = Draft("recording.resumed", {"because": because} if because else {})
    done = turn_on(layout, HOOKS, lambda: record(call, draft))
    answer(call, HOOKS, done, on=True)
    call.out.words("Recording again." if done.changed else "Recording was not paused.")
    if any(one.name == ALL for one in switches(layout)):
        call.out.words("Every write is turned off still: ledger on all")
