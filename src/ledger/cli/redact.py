"""`ledger redact`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.intake import bytes_in
from ledger.cli.output import Output
from ledger.cli.words import counted, visible
from ledger.errors import NotALedgerError

if TYPE_CHECKING:
    from ledger.core.redaction import Finding, Redactor

MAX_BYTES = 256 * 1024 * 1024  # it is held in memory as a whole: a secret may span lines

File = Annotated[Path, typer.Argument(help="The text; without it, standard input.", metavar="[FILE]")]
Check = Annotated[bool, typer.Option("--check", help="Only say where secrets are, and of which kind.")]


def command(context: typer.Context, file: File = Path("-"), check: Check = False) -> int:
    """Replace the secrets in a text by typed markers, as the ledger does before it writes anything.

    The result goes to standard output. With --check, each finding is named by its place and kind and never shown;
    exit code 1 says that there are some.
    """
    call = Call.of(context)
    raw = bytes_in(file, MAX_BYTES)
    redactor = _redactor(call)
    if not check:
        sys.stdout.flush()
        sys.stdout.buffer.write(redactor.line(raw))
        sys.stdout.buffer.flush()
        return 0
    _, findings = redactor.text_with_findings(raw.decode("utf-8", "surrogateescape"))
    call.out.answer([_document(one) for one in findings], lambda: _page(call.out, file, findings))
    if not findings:
        call.out.words("No secrets found.")
    return 1 if findings else 0


def _redactor(call: Call) -> Redactor:
    from ledger.core.redaction import default_redactor

    try:
        with call.ledger() as ledger:
            return ledger.place.redactor
    except NotALedgerError:
        if call.folder is not None:
            raise
        return default_redactor()


def _document(one: Finding) -> dict[str, Any]:
    return {"rule": one.rule, "line": one.line, "column": one.column, "length": one.end - one.start}


def _page(out: Output, file: Path, findings: Sequence[Finding]) -> Iterator[str]:
    name = "stdin" if file == Path("-") else visible(str(file))
    for one in findings:
        what = out.paint(one.rule, "removed")
        yield f"{name}:{one.line}:{one.column}  {what}  {counted(one.end - one.start, 'character')}"
