"""`ledger delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.options import Key, Private, Saw
from ledger.cli.write import target_of, write

Because = Annotated[str | None, typer.Option("--because", help="Why.", metavar="TEXT")]

HAS_USER_SCOPE = True


def command(
    context: typer.Context, key: Key, because: Because = None, private: Private = False, saw: Saw = None
) -> None:
    """Take a key's value away.

    What stood there stays in the log: `ledger history KEY`, `ledger undo`.
    """
    from ledger.actions.writers import deleting

    reason = None if because is None else text_given(because, "reason")
    call = Call.of(context)
    write(call, lambda s: deleting(target_of(key, s, private=private, saw=saw), reason), private=private, saw=saw)
