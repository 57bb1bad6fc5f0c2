"""`ledger schema`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import columns

Name = Annotated[str | None, typer.Argument(help="A schema's name; an event type means its newest.", metavar="[NAME]")]


def command(context: typer.Context, name: Name = None) -> None:
    """List the schemas, or print one (JSON Schema 2020-12)."""
    from ledger.actions.check_file import schema_name
    from ledger.core import schema

    call = Call.of(context)
    if name is not None:
        rules = schema.schema(schema_name(name))
        call.out.answer(rules, lambda: [_as_written(rules)])
        return
    listed = [{"name": n, "description": str(schema.schema(n).get("description", ""))} for n in schema.names()]
    call.out.answer(listed, lambda: _page(call.out, listed))


def _page(out: Output, listed: list[dict[str, str]]) -> Iterator[str]:
    yield from columns([(out.paint(one["name"], "title"), one["description"]) for one in listed])


def _as_written(rules: dict[str, object]) -> str:
    import yaml

    text: str = yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, width=110)
    return text.rstrip("\n")
