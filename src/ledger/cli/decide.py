"""`ledger decide`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import text_given
from ledger.cli.options import Key, Saw
from ledger.cli.write import target_of, write

Decision = Annotated[str, typer.Argument(help="What is decided.", metavar="DECISION", show_default=False)]
Because = Annotated[str | None, typer.Option("--because", help="Why.", metavar="TEXT")]
InsteadOf = Annotated[
    list[str] | None, typer.Option("--instead-of", help="What was turned down; may be repeated.", metavar="TEXT")
]


def command(
    context: typer.Context,
    key: Key,
    decision: Decision,
    because: Because = None,
    instead_of: InsteadOf = None,
    saw: Saw = None,
) -> None:
    """Record a decision at a key, with its reason."""
    from ledger.actions.writers import deciding

    what = text_given(decision, "decision")
    reason = None if because is None else text_given(because, "reason")
    turned_down = [text_given(text, "alternative") for text in instead_of or ()]
    write(Call.of(context), lambda s: deciding(target_of(key, s, saw=saw), what, reason, turned_down), saw=saw)
