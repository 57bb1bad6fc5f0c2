"""`ledger get`."""

from __future__ import annotations

import typer

from ledger.cli import documents
from ledger.cli.call import Call
from ledger.cli.options import At, Key
from ledger.cli.words import as_yaml

HAS_USER_SCOPE = True


def command(context: typer.Context, key: Key, at: At = None) -> None:
    """Print what stands at a key: a text as it is, anything else as YAML.

    Exit code 1 says that nothing stands there.
    """
    call = Call.of(context)
    with call.ledger(only_reads=True) as ledger:
        found = ledger.get(key, at=at, session=call.reader(ledger))
    if call.form == "human":
        call.out.raw(as_yaml(found.entry.cell.value))
        if found.losers:
            call.out.words(f"a conflict stands here: ledger conflicts {key}")
        return
    call.out.answer(documents.entry(found), list)
