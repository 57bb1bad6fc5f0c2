"""Declare how writes to keys combine, and what values look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.intake import value_in
from ledger.cli.output import Output
from ledger.cli.words import columns, one_line
from ledger.cli.write import write
from ledger.core.policies import is_vendored, policy
from ledger.errors import PolicyError, UsageError

Pattern = Annotated[
    str,
    typer.Argument(
        help="A key; * stands for one segment, ** at the end for any.", metavar="PATTERN", show_default=False
    ),
]
Name = Annotated[
    str | None,
    typer.Argument(
        help="lww, counter, set, map, log, text, max, min, or one that an installed package brings, as vendor.name.",
        metavar="[POLICY]",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema", help="What values look like: JSON Schema, as YAML or JSON; - reads stdin.", metavar="FILE"
    ),
]
Remove = Annotated[bool, typer.Option("--remove", help="Take the declaration back.")]
Type = Annotated[
    str, typer.Argument(help="A dotted name, such as review.requested.", metavar="TYPE", show_default=False)
]


def list_policies(context: typer.Context) -> None:
    """List what is declared."""
    call = Call.of(context)
    with call.ledger() as ledger:
        declared = ledger.policy()
    absent = _absent(declared.get("policies", {}))
    parts = {part: declared.get(part, {}) for part in ("policies", "schemas", "types")}
    call.out.answer(parts | {"absent": sorted(absent)}, lambda: _page(call.out, parts))
    for error in absent.values():
        call.out.words(f"{error.message}: {error.hint}")
    if not any(parts.values()):
        call.out.words("Nothing is declared. For example: ledger policy set 'stats/**' counter")


def _absent(declared: Mapping[str, str]) -> dict[str, PolicyError]:
    """The declared policies of other packages that cannot be used here, each with why."""
    found = {}
    for name in filter(is_vendored, declared.values()):
        try:
            policy(name)
        except PolicyError as error:
            found[name] = error
    return found


def set_policy(
    context: typer.Context, pattern: Pattern, name: Name = None, schema: SchemaFile = None, remove: Remove = False
) -> None:
    """Declare the policy of the keys of PATTERN, or with --schema what their values look like.

    It binds later writes; what stands there stays. --remove takes a policy back, with --schema - of null a schema.
    A policy of a package is held to the laws first, over its own examples; what breaks one is refused.
    """
    from ledger.actions.declare import declaring_policy, declaring_schema

    if [name is not None, schema is not None, remove].count(True) != 1:
        raise UsageError("give one of: POLICY, --schema FILE, --remove", hint="ledger policy set 'stats/**' counter")
    if schema is None:
        write(Call.of(context), lambda _: declaring_policy(pattern, name))
        return
    declared = declaring_schema(pattern, value_in(schema))
    write(Call.of(context), lambda _: declared)


def set_type(context: typer.Context, name: Type, schema: SchemaFile = None, remove: Remove = False) -> None:
    """Declare an event type of the ledger's own, with the schema of its data.

    Such events can be recorded like any other; they never change the state.
    """
    from ledger.actions.declare import declaring_type

    if (schema is not None) == remove:
        raise UsageError("give either --schema FILE or --remove", hint="ledger policy type TYPE --schema FILE")
    declared = declaring_type(name, None if schema is None else value_in(schema))
    write(Call.of(context), lambda _: declared)


_ONE = {"policies": "policy", "schemas": "schema", "types": "type"}

PARTS = {"list": list_policies, "set": set_policy, "type": set_type}
DEFAULT = "list"


def _page(out: Output, parts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        (out.paint(name, "title"), _ONE[part], one_line(told))
        for part, told_of in parts.items()
        for name, told in told_of.items()
    ]
    yield from columns(rows)
