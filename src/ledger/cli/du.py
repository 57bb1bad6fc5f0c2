"""`ledger du`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import size
from ledger.errors import DamageError

ABOUT = {
    "ledger.git": "the events",
    "payloads.git": "attachments, and the code of checkpoints",
    "spool": "what waits to be recorded",
    "journal": "the write-ahead log",
    "index": "what can be rebuilt",
    "quarantine": "damaged files, moved aside",
    "heads": "where each ref was last seen",
    "archive": "what earlier epochs held",
    "live": "which sessions run",
    "locks": "who may write",
    "logs": "the program's own logs",
    "boot": "the start of the machine since which all is known to be sound",
    "heads.lock": "who may write heads",
    "config.toml": "the settings",
}


def command(context: typer.Context) -> None:
    """Say what takes how much room, the largest first."""
    from ledger.actions.find import main_tip
    from ledger.storage.maintenance import du

    call = Call.of(context)
    with call.ledger() as ledger:
        with suppress(DamageError):  # how much room it takes can be said all the same
            main_tip(ledger.place)
        parts = dict(sorted(du(ledger.layout).items(), key=lambda part: (-part[1], part[0])))
    total = sum(parts.values())
    call.out.answer({"parts": parts, "bytes": total}, lambda: _page(call.out, parts, total))


def _page(out: Output, parts: dict[str, int], total: int) -> Iterator[str]:
    for name, count in parts.items():
        if count:
            yield f"{size(count):>10}  {name.ljust(14)}{out.paint(ABOUT.get(name, ''), 'time')}".rstrip()
    yield f"{size(total):>10}  {out.paint('in all', 'title')}"
