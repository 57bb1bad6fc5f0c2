"""`ledger incr`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.options import Key, Private
from ledger.cli.write import target_of, write

# -1 is a number here, not an option.
SETTINGS = {"ignore_unknown_options": True}

By = Annotated[int, typer.Argument(help="How much; may be negative.", metavar="[BY]")]

HAS_USER_SCOPE = True


def command(context: typer.Context, key: Key, by: By = 1, private: Private = False) -> None:
    """Add to a counter.

    A key that is new starts from 0. Increments of several writers add up, whoever is first.
    """
    from ledger.actions.writers import incrementing

    write(Call.of(context), lambda s: incrementing(target_of(key, s, private=private), by), private=private)
