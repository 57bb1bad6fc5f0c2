"""`ledger verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.progress import progress
from ledger.cli.words import counted, visible
from ledger.errors import DamageError

if TYPE_CHECKING:
    from ledger.actions.examine import Problem
    from ledger.actions.verify import Report

Full = Annotated[bool, typer.Option("--full", help="From the first event on, and every stored object.")]
Since = Annotated[str | None, typer.Option("--since", help="Only what came after REV.", metavar="REV")]


def command(context: typer.Context, full: Full = False, since: Since = None) -> int:
    """Prove that the state is what the events say.

    Every commit's tree is computed again from its parents and its event, and every ref is compared with where it
    was last seen. Without --full, from where the last run found all in order. Exit code 6 says that there is damage,
    1 that some of it could not be checked here, for want of a policy that another package brings.
    """
    from ledger.actions.examine import UNCHECKED
    from ledger.actions.verify import verify

    call = Call.of(context)
    with call.ledger() as ledger, progress("verifying", is_wanted=not call.out.is_quiet) as show:
        report = verify(ledger.place, full=full, since=since, progress=show)
    named = [one for one in report.problems if one.kind != UNCHECKED]
    unchecked = [one for one in report.problems if one.kind == UNCHECKED]
    call.out.answer(_document(report), lambda: _page(call.out, report, named, unchecked))
    if not report.ok:
        call.out.words("What each kind means, and what to do: docs/reference/problems.md")
    return DamageError.exit_code if named else 1 if unchecked else 0


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


def _page(out: Output, report: Report, named: Sequence[Problem], unchecked: Sequence[Problem]) -> Iterator[str]:
    for one in named:
        where = " ".join(filter(None, ((one.commit or "")[:10], visible(one.path or ""))))
        yield f"{out.paint(one.kind, 'removed')}  {where}  {visible(one.detail)}".replace("    ", "  ")
    # One reason stands behind many of them.
    for detail, count in Counter(one.detail for one in unchecked).items():
        yield f"{out.paint('unchecked', 'removed')}  {counted(count, 'commit')}  {visible(detail)}"
    verdict = counted(len(named), "problem") if named else "not proven" if unchecked else "sound"
    checked = "all checked" if report.checked == report.commits else f"{report.checked:,} of them new and checked"
    if unchecked:
        checked = f"{counted(len({one.commit for one in unchecked}), 'commit')} not checked"
    yield (
        f"{out.paint(verdict, 'added' if report.ok else 'removed')}: {counted(report.commits, 'commit')}, "
        f"{counted(report.events, 'event')}, {checked}"
    )
    if "heads" not in report.witnesses:
        yield "No head was remembered to compare with: that a history was rewritten by the rules would not show."
