"""`ledger remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import json_given, text_given
from ledger.cli.options import Key, Private
from ledger.cli.write import target_of, write
from ledger.errors import UsageError

Values = Annotated[
    list[str] | None,
    typer.Argument(help="Texts to take out of a set, or names of fields.", metavar="VALUE...", show_default=False),
]
JsonValues = Annotated[
    list[str] | None, typer.Option("--json-value", help="An element, as JSON; may be repeated.", metavar="JSON")
]

HAS_USER_SCOPE = True


def command(
    context: typer.Context,
    key: Key,
    values: Values = None,
    json_values: JsonValues = None,
    private: Private = False,
) -> None:
    """Take elements from a set, or fields from a map."""
    from ledger.actions.writers import removing

    given = [*(text_given(v, "value") for v in values or ()), *map(json_given, json_values or ())]
    if not given:
        raise UsageError("there is nothing to remove", hint="ledger remove KEY VALUE...")
    write(Call.of(context), lambda s: removing(target_of(key, s, private=private), given), private=private)
