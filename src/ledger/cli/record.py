"""`ledger record`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.intake import MAX_VALUE_BYTES, bytes_in, value_in
from ledger.cli.write import told
from ledger.errors import InvalidError, Problem

MAX_BYTES = 64 * 1024 * 1024  # of all lines together: they are judged together before any is written

_MAX_PROBLEMS = 100
_PLACE = re.compile(r"line \d+, ")


FromWorktree = Annotated[
    bool, typer.Option("--from-worktree", help="Record what was changed by hand in the files of a clone around here.")
]


def command(context: typer.Context, from_worktree: FromWorktree = False) -> None:
    """Record events of any type, read from standard input: all of them, or none.

    One event as YAML or JSON, or with --jsonl many, one a line: type and data, and if wanted time, origin and prev.
    Without prev, what stands at the key is what was seen. An origin that the session has recorded already is not
    written again.

    With --from-worktree nothing is read: in a clone made by `ledger clone --plain`, each file below context/ that was
    changed, made or removed by hand becomes an event on its main.
    """
    call = Call.of(context)
    if from_worktree:
        _record_edits(call)
        return
    from ledger.actions.record import drafts_of, record

    given = _lines() if call.form == "jsonl" else [("", _document())]
    with call.ledger() as ledger:
        session = call.writer(ledger)
        told(call, session.id, record(ledger.place, session, drafts_of(ledger.place, session.author, given)))


def _record_edits(call: Call) -> None:
    from ledger.actions.hand_edits import record_edits
    from ledger.api import open_plain
    from ledger.storage.plain import check_out, edits, require_plain

    plain = require_plain(Path.cwd())
    with open_plain(plain, accepts_clock=call.accepts_clock, sources=call.sources) as ledger:
        session = call.writer(ledger)
        done = record_edits(ledger.place, session, list(edits(plain)))
        if done.events:
            check_out(plain)
        told(call, session.id, done)


def _document() -> Any:
    return value_in(Path("-"))


def _lines() -> list[tuple[str, Any]]:
    from ledger.core import canonical

    given: list[tuple[str, Any]] = []
    broken: list[Problem] = []
    for number, line in enumerate(bytes_in(Path("-"), MAX_BYTES).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            given.append((f"line {number}", canonical.loads_lenient(line, max_bytes=MAX_VALUE_BYTES)))
        except InvalidError as error:
            broken += [Problem(_PLACE.sub(f"line {number}, ", p.path), p.rule) for p in error.problems]
    if broken:
        raise InvalidError("nothing was recorded:", broken[:_MAX_PROBLEMS], hint="each line is one JSON document")
    return given
