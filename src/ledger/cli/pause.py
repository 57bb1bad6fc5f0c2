"""`ledger pause`."""

from __future__ import annotations

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.off import Because, account, already, answer, layout_of, record
from ledger.storage.switches import HOOKS


def command(context: typer.Context, because: Because = None) -> None:
    """Stop recording for a while: hooks keep nothing and answer nothing, in every agent at once.

    The gap is marked in the log as one. Whatever else writes goes on.
    """
    from ledger.actions.append import Draft
    from ledger.actions.switch import turn_off

    call, layout = Call.of(context), layout_of(context, HOOKS)
    because = text_given(because, "reason") if because else None
    draft = Draft("recording.paused", {"because": because} if because else {})
    done = turn_off(layout, account(call, HOOKS, because or ""), lambda: record(call, draft))
    answer(call, HOOKS, done, on=False)
    call.out.words("Paused: nothing is recorded until: ledger unpause" if done.changed else already(layout, HOOKS))
