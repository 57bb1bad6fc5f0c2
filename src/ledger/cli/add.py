"""`ledger add`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import json_given, text_given
from ledger.cli.options import Key, Policy, Private
from ledger.cli.write import target_of, write
from ledger.errors import UsageError

Values = Annotated[list[str] | None, typer.Argument(help="Texts to add.", metavar="VALUE...", show_default=False)]
JsonValues = Annotated[
    list[str] | None, typer.Option("--json-value", help="A value to add, as JSON; may be repeated.", metavar="JSON")
]

HAS_USER_SCOPE = True


def command(
    context: typer.Context,
    key: Key,
    values: Values = None,
    json_values: JsonValues = None,
    policy: Policy = None,
    private: Private = False,
) -> None:
    """Add elements to a set, or items to a log.

    A key that is new becomes a set, unless a policy is declared for it or given.
    """
    from ledger.actions.writers import adding

    given = [*(text_given(v, "value") for v in values or ()), *map(json_given, json_values or ())]
    if not given:
        raise UsageError("there is nothing to add", hint="ledger add KEY VALUE...")
    write(Call.of(context), lambda s: adding(target_of(key, s, private=private, policy=policy), given), private=private)
