"""`ledger doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from ledger.cli import hooks
from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import columns, counted, visible

if TYPE_CHECKING:
    from ledger.actions.doctor import Check


def command(context: typer.Context) -> int:
    """Prove that recording works, part by part; of what does not, say what to do.

    Every installed hook is run as its agent runs it, and its payload looked for; nothing of that stays. Then the store
    is looked at, file by file. Ends with 1 where anything is wrong; each finding names a page that says more.
    """
    from ledger.actions.doctor import examine

    call = Call.of(context)
    with call.ledger() as ledger:
        checks = list(examine(ledger.place, hooks.where_of(call, ledger.layout)))
    wrong = [check for check in checks if not check.ok]
    answer = {"ok": not wrong, "checks": [check._asdict() | {"runbook": _page_of(check)} for check in checks]}
    call.out.answer(answer, lambda: _page(call.out, checks))
    call.out.words(f"{counted(len(wrong), 'thing')} to mend." if wrong else "Recording works, and the store is whole.")
    return 1 if wrong else 0


def _page_of(check: Check) -> str:
    return f"docs/runbooks/{check.runbook}.md"


def _page(out: Output, checks: Sequence[Check]) -> Iterator[str]:
    rows = list(columns([(check.name, visible(check.detail)) for check in checks]))
    for row, check in zip(rows, checks, strict=True):
        yield f"{out.paint('ok', 'added')}  {row}" if check.ok else f"{out.paint('no', 'removed')}  {row}"
        if check.fix:
            yield f"      {visible(check.fix)}"
        if not check.ok:
            yield f"      {_page_of(check)}"
