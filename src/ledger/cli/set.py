"""`ledger set`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.intake import value_given
from ledger.cli.options import JsonValue, Key, Policy, Private, Saw, TextFile, ValueFile
from ledger.cli.write import target_of, write

if TYPE_CHECKING:
    from ledger.actions.append import Writer
    from ledger.actions.session import Session

Value = Annotated[
    str | None, typer.Argument(help="The value, as a text exactly.", metavar="[VALUE]", show_default=False)
]
Ttl = Annotated[
    int | None, typer.Option(help="Seconds after which readers no longer count it.", min=1, metavar="SECONDS")
]


def command(
    context: typer.Context,
    key: Key,
    value: Value = None,
    json_value: JsonValue = None,
    file: ValueFile = None,
    text_file: TextFile = None,
    policy: Policy = None,
    ttl: Ttl = None,
    private: Private = False,
    saw: Saw = None,
) -> None:
    """Give a key a value.

    VALUE is a text, exactly as given; under the policies counter, max and min a number is taken as one.
    Other values come as JSON, or from a file.
    """
    from ledger.actions.set_text import setting_text
    from ledger.actions.writers import setting
    from ledger.core.key import check_key

    check_key(key)
    given = value_given(value, json_value, file, text_file)

    def make(session: Session) -> Writer:
        target = target_of(key, session, private=private, policy=policy, ttl=ttl, saw=saw)
        return setting(target, given) if value is None else setting_text(target, given)

    write(Call.of(context), make, private=private)
