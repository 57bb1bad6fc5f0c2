"""`ledger sessions`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output, Style
from ledger.cli.words import ago, cells, counted, cut, visible
from ledger.core.clock import micros

if TYPE_CHECKING:
    from ledger.actions.cascade import Finding
    from ledger.actions.presence import Present

All = Annotated[bool, typer.Option("--all", help="Those that have ended too, the last ones first.")]
Number = Annotated[
    int, typer.Option("-n", "--number", help="At most so many of those that have ended.", metavar="N", min=0)
]
Check = Annotated[bool, typer.Option("--check", help="What has befallen them instead, each with the evidence.")]

SHORT = 8  # characters of a session's id
_HEAD = ("state", "session", "agent", "last seen", "role", "task", "branch")  # a narrow terminal cuts the last ones
_STYLES: dict[str, Style] = {"working": "added", "crashed": "removed", "ended": "time"}


def command(context: typer.Context, with_ended: All = False, number: Number = 50, check: Check = False) -> int:
    """List the sessions, with what each is doing.

    A session is working, or waiting for somebody; idle when nothing came from it for 10 minutes, or nobody has said
    which process it lives in; crashed when that process is proven dead; and ended when it has said so. With --check
    the exit code is 1 where anything is wrong.
    """
    call = Call.of(context)
    if check:
        return _check(call)
    _list(call, number if with_ended else None)
    return 0


def _list(call: Call, ended_at_most: int | None) -> None:
    from ledger.actions.presence import absent, presence
    from ledger.actions.roster import past_sessions

    with call.ledger(settles=True) as ledger:
        found = presence(ledger.place)
        past = [] if ended_at_most is None else past_sessions(ledger.place, ended_at_most)
    ended = [absent(one) for one in past]
    call.out.answer([document(one) for one in (*found, *ended)], lambda: table(call.out, (*found, *ended), call.now()))
    if not found and not ended:
        call.out.words("No sessions yet. To start one: export LEDGER_SESSION=$(ledger session start)")
    if len(ended) == ended_at_most:
        call.out.words(f"There may be more than {counted(len(ended), 'session')} that have ended; -n takes more.")


def _check(call: Call) -> int:
    from ledger.actions.cascade import cascade

    with call.ledger(settles=True) as ledger:
        found = cascade(ledger.place)
    call.out.answer([one._asdict() for one in found], lambda: _findings(call.out, found))
    call.out.words(f"{counted(len(found), 'thing')} to look after." if found else "Nothing has befallen any session.")
    return 1 if found else 0


def _findings(out: Output, found: Sequence[Finding]) -> Iterator[str]:
    for one in found:
        name = "the ledger" if one.session is None else one.session[:SHORT]
        yield f"{out.paint(one.layer, 'removed')}  {name}  {visible(str(one.evidence['why']))}"
        yield f"    {', '.join(f'{key} {visible(str(value))}' for key, value in one.evidence.items() if key != 'why')}"
        yield f"    {visible(one.remedy)}"


def document(one: Present) -> dict[str, Any]:
    """A session as JSON."""
    return {
        "id": one.id,
        "agent": one.agent,
        "state": one.state,
        "pid": one.pid,
        "last_seen": one.last_seen,
        "branch": one.branch,
        "task": one.task,
        "key": one.key,
        "role": one.role,
        "title": one.title,
        "host": one.host,
        "worktree": one.worktree,
        "started": one.started,
        "private": one.private,
        "verdict": one.verdict,
        "why": one.why,
    }


def table(out: Output, found: Sequence[Present], now: int) -> Iterator[str]:
    """The sessions in columns, those that nobody fills left out."""
    if not found:
        return
    rows = [_row(one, now) for one in found]
    filled = [column for column in range(len(_HEAD)) if any(row[column] for row in rows)]
    shown = (_HEAD, *rows)
    widths = {column: max(cells(row[column]) for row in shown) for column in filled}
    head, *lines = [_line(row, widths) if out.width is None else cut(_line(row, widths), out.width) for row in shown]
    yield out.paint(head, "time")
    for line, (state, *_) in zip(lines, rows, strict=True):
        yield out.paint(state, _STYLES[state]) + line[len(state) :] if state in _STYLES else line


def _row(one: Present, now: int) -> tuple[str, ...]:
    agent = f"{one.agent} (private)" if one.private else one.agent
    told = (visible(text) for text in (one.role, one.task, one.branch))
    return (one.state, one.id[:SHORT], visible(agent), ago(micros(one.last_seen), now), *told)


def _line(row: Sequence[str], widths: dict[int, int]) -> str:
    return "  ".join(row[column] + " " * (width - cells(row[column])) for column, width in widths.items()).rstrip()
