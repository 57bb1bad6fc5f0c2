"""`ledger validate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.intake import bytes_in
from ledger.cli.output import Output
from ledger.cli.words import visible
from ledger.errors import NotALedgerError

if TYPE_CHECKING:
    from ledger.actions.check_file import Checked

Files = Annotated[
    list[Path], typer.Argument(help="Files to check; - reads stdin.", metavar="FILE...", show_default=False)
]
Schema = Annotated[
    str | None, typer.Option("--schema", help="What they should be; see `ledger schema`.", metavar="NAME")
]


def command(context: typer.Context, files: Files, name: Schema = None) -> int:
    """Check files against the schemas, without writing anything.

    Events, JSON Schemas, policy.yaml, config.toml and the files of a ledger's tree are known by form, name or folder.
    In a ledger, its own event types count too.
    Exit code 1 says that a file is not valid.
    """
    from ledger.actions.check_file import check_file, schema_name

    wanted = None if name is None else schema_name(name)
    call = Call.of(context)
    policy = _policy(call)
    checked = [(file, check_file(str(file), bytes_in(file), wanted, policy)) for file in files]
    call.out.answer([_document(file, one) for file, one in checked], lambda: _page(call.out, checked))
    return 1 if any(one.problems for _, one in checked) else 0


def _policy(call: Call) -> Mapping[str, Any]:
    try:
        with call.ledger() as ledger:
            return ledger.policy()
    except NotALedgerError:
        if call.folder is not None:
            raise
        return {}


def _document(file: Path, one: Checked) -> dict[str, Any]:
    problems = [{"path": p.path, "rule": p.rule} for p in one.problems]
    return {"file": str(file), "ok": not problems, "schema": one.schema, "problems": problems}


def _page(out: Output, checked: Sequence[tuple[Path, Checked]]) -> Iterator[str]:
    for file, one in checked:
        verdict = out.paint("invalid", "removed") if one.problems else out.paint("valid", "added")
        yield f"{visible(str(file))}: {verdict}{f' ({one.schema})' if one.schema else ''}"
        for problem in one.problems:
            yield f"  {visible(str(problem))}"
