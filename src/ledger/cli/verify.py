"""`ledger verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.progress import progress
from ledger.cli.words import counted, visible
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.verify import Report

Full = Annotated[bool, typer.Option("--full", help="From the first event on, and every stored object.")]
Since = Annotated[str | None, typer.Option("--since", help="Only what came after REV.", metavar="REV")]


def command(context: typer.Context, full: Full = False, since: Since = None) -> int:
    """Prove that the state is what the events say.

    Every commit's tree is computed again from its parents and its event, and every ref is compared with where it
    was last seen. Without --full, from where the last run found all in order. Exit code 6 says that there is damage.
    """
    from ledger.actions.verify import verify

    call = Call.of(context)
    with call.ledger() as ledger, progress("verifying", is_wanted=not call.out.is_quiet) as show:
        report = verify(ledger.place, full=full, since=since, progress=show)
    call.out.answer(_document(report), lambda: _page(call.out, report))
    if not report.ok:
        call.out.words("What each kind means, and what to do: docs/reference/problems.md")
    return 0 if report.ok else DamageError.exit_code


def _document(report: Report) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "commits": report.commits,
        "events": report.events,
        "checked": report.checked,
        "problems": [{"kind": p.kind, "commit": p.commit, "path": p.path, "detail": p.detail} for p in report.problems],
        "seconds": round(report.seconds, 6),
        "witnesses": list(report.witnesses),
    }


def _page(out: Output, report: Report) -> Iterator[str]:
    for one in report.problems:
        where = " ".join(filter(None, ((one.commit or "")[:10], visible(one.path or ""))))
        yield f"{out.paint(one.kind, 'removed')}  {where}  {visible(one.detail)}".replace("    ", "  ")
    verdict = "sound" if report.ok else counted(len(report.problems), "problem")
    checked = "all checked" if report.checked == report.commits else f"{report.checked:,} of them new and checked"
    yield (
        f"{out.paint(verdict, 'added' if report.ok else 'removed')}: {counted(report.commits, 'commit')}, "
        f"{counted(report.events, 'event')}, {checked}"
    )
    if "heads" not in report.witnesses:
        yield "No head was remembered to compare with: that a history was rewritten by the rules would not show."
