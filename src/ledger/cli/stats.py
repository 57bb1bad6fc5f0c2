"""`ledger stats`."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ledger.cli.bars import bar, columns_of
from ledger.cli.call import Call
from ledger.cli.filters import Since, Until, time_of
from ledger.cli.output import Output
from ledger.cli.progress import progress
from ledger.cli.words import columns, counted, cut, size, visible
from ledger.errors import UsageError

Document = dict[str, Any]

By = Annotated[
    str | None, typer.Option("--by", help="Also by agent, session, host, day, model or tool.", metavar="WHAT")
]
Csv = Annotated[bool, typer.Option("--csv", help="As lines of CSV: group, section, row, field, value.")]

_TITLE = 14  # columns of a section's name
_LISTED = 6  # rows of a table
_TYPES = 3
_BAR = 16
_HOURS = range(24)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PERCENT = 100
_SECOND = 1_000_000


def command(
    context: typer.Context, by: By = None, since: Since = None, until: Until = None, as_csv: Csv = False
) -> None:
    """Count what is in the ledger: sessions, tools, tokens and cost, context, conflicts, recovery, productivity.

    Each figure is counted from events; docs/reference/metrics.md says how. Private sessions are not counted. Costs are
    by list prices, whatever is really paid; `prices.toml` in the ledger's folder adds to them.
    """
    from ledger.analytics.engine import GROUPS, Scope
    from ledger.analytics.stats import stats

    call = Call.of(context)
    out = call.out
    if by is not None and by not in GROUPS:
        raise UsageError(f"--by {by!r} is nothing to count by", hint=f"one of: {', '.join(GROUPS)}")
    begins, ends = time_of(call, "since", since, starts_day=True), time_of(call, "until", until)
    scope = Scope(call.now(), zone=time.localtime().tm_gmtoff * _SECOND)
    scope = scope._replace(since=scope.since if begins is None else begins, until=scope.until if ends is None else ends)
    with call.ledger() as ledger, progress("indexing", is_wanted=not out.is_quiet) as show:
        document = stats(ledger.place, scope, by, show)
    if as_csv:
        out.raw(_as_csv(document).rstrip("\n"))
        return
    out.answer(document, lambda: _page(out, document))


# CSV


def _as_csv(document: Document) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("group", "section", "row", "field", "value"))
    lines.writerows(_cells("", document))
    for group in document.get("groups", ()):
        lines.writerows(_cells(_spoken(document["by"], group["group"]), group))
    return text.getvalue()


def _cells(group: str, document: Document) -> Iterator[tuple[str, str, str, str, Any]]:
    for section, told in document.items():
        if section in ("groups", "group", "by", "since", "until"):
            continue
        for field, value in (told if isinstance(told, dict) else {"total": told}).items():
            if isinstance(value, list):
                for row in value:
                    name, *figures = row.items()
                    yield from ((group, section, f"{field}/{name[1]}", inner, figure) for inner, figure in figures)
            elif not isinstance(value, dict):
                yield group, section, "", field, value


# For people


def _page(out: Output, document: Document) -> Iterator[str]:
    yield from _section(out, "Sessions", _sessions(document["sessions"]))
    yield from _section(out, "Events", _events(document))
    yield from _section(out, "Tools", _tools(out, document["tools"]))
    yield from _section(out, "Tokens", _tokens(document["tokens"]))
    yield from _section(out, "Cost", _cost(out, document["cost"], document["tokens"]))
    yield from _section(out, "Context", _context(document["context"]))
    yield from _section(out, "Coordination", _conflicts(document["conflicts"]))
    yield from _section(out, "Recovery", _recovery(document["recovery"]))
    yield from _section(out, "Productivity", _productivity(document["productivity"]))
    yield from _section(out, "Latency", _latency(document["latency"]))
    if "groups" in document:
        yield ""
        yield from _groups(out, document)


def _section(out: Output, title: str, lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        head = out.paint(title.ljust(_TITLE), "title") if number == 0 else " " * _TITLE
        text = line if out.width is None else _fit(line, out.width - _TITLE)
        yield f"{head}{text}".rstrip()


def _fit(line: str, width: int) -> str:
    return cut(line, width)


def _sessions(told: Document) -> Iterator[str]:
    if not told:
        yield "none yet"
        return
    states = [f"{told[name]:,} {name}" for name in ("open", "ended", "crashed") if told[name]]
    yield f"{told['total']:,}: {', '.join(states)}; half of them shorter than {_time(told['length_p50_us'])}"
    yield f"{counted(told['prompts'], 'prompt')}, {counted(told['turns'], 'turn')}"
    agents = told.get("by_agent", [])
    if len(agents) > 1:
        yield ", ".join(f"{visible(row['agent'])} {row['total']:,}" for row in agents[:_LISTED])


def _events(document: Document) -> Iterator[str]:
    kinds = list(document["by_type"].items())
    yield f"{document['events']:,}"
    if kinds:
        more = f", {len(kinds) - _TYPES} more types" if len(kinds) > _TYPES else ""
        yield ", ".join(f"{visible(name)} {count:,}" for name, count in kinds[:_TYPES]) + more


def _tools(out: Output, told: Document) -> Iterator[str]:
    if not told:
        yield "no calls"
        return
    yield f"{counted(told['calls'], 'call')}, {told['failed']:,} failed ({_share(told['failure_rate'])})"
    if told["timed"]:
        yield (
            f"{told['timed']:,} of them timed: half under {_time(told['p50_us'])}, 95 % under {_time(told['p95_us'])}"
        )
    rows, most = told.get("by_tool", []), max((row["calls"] for row in told.get("by_tool", [])), default=0)
    yield from columns(
        [
            (
                visible(row["tool"] or "(no name)"),
                f"{row['calls']:,}".rjust(7),
                f"{_share(row['failure_rate'])} failed".rjust(13) if row["failed"] else " " * 13,
                bar(row["calls"], most, _BAR),
            )
            for row in rows[:_LISTED]
        ]
    )
    if len(rows) > _LISTED:
        yield out.paint(f"{len(rows) - _LISTED} more; all of them: --json", "time")


def _tokens(told: Document) -> Iterator[str]:
    if not told:
        yield "none reported"
        return
    yield f"{told['input']:,} read, {told['output']:,} written, in {counted(told['messages'], 'message')}"
    yield f"{told['cache_read']:,} read from caches, {told['cache_write']:,} written to them"


def _cost(out: Output, told: Document, tokens: Document) -> Iterator[str]:
    if not tokens:
        yield "none reported"
        return
    yield f"{_dollars(told['usd'])} by the list prices of {told['prices']['as_of']}"
    rows = [row for row in tokens.get("by_model", []) if row["usd"] is not None]
    most = max((row["usd"] for row in rows), default=0)
    yield from columns(
        [(visible(row["model"]), _dollars(row["usd"]).rjust(9), bar(row["usd"], most, _BAR)) for row in rows[:_LISTED]]
    )
    unpriced = [visible(row["model"] or "(no name)") for row in tokens.get("by_model", []) if row["usd"] is None]
    if unpriced:
        yield out.paint(f"not in it: {told['unpriced']:,} tokens of {', '.join(unpriced)}, which have no price", "time")
    if told["told_usd"] is not None:
        yield f"{_dollars(told['told_usd'])} by what agents say"


def _context(told: Document) -> Iterator[str]:
    if not told.get("writes"):
        yield "nothing shared yet: ledger set KEY VALUE"
        return
    yield f"{counted(told['keys'], 'key')} of {size(told['bytes'])}, from {counted(told['writes'], 'write')}"
    yield f"{_share(told['reuse_rate'])} used by another session (aim over 60 %)"
    if told.get("handed"):
        yield f"{_share(told['efficiency'])} of what agents were handed was new to them (aim over 80 %)"
    idle = [f"{told[name]:,} {name}" for name in ("stale", "duplicates") if told[name]]
    yield f"health {_share(told['health'])}" + (f": {', '.join(idle)}" if idle else "")


def _conflicts(told: Document) -> Iterator[str]:
    if not told:
        yield "nothing yet"
        return
    beaten = counted(told["unseen"], "write")
    yield f"{beaten} beaten unseen, {told['settled']:,} settled; {counted(told['merges'], 'merge')}"
    if told["leases"]:
        held = f", half held under {_time(told['held_us'])}" if told["held_us"] is not None else ""
        yield f"{counted(told['leases'], 'lease')}, {told['taken']:,} taken over{held}"


def _recovery(told: Document) -> Iterator[str]:
    if not told:
        yield "no crashes"
        return
    rate = "" if told["success_rate"] is None else f" ({_share(told['success_rate'])})"
    crashes = "1 crash" if told["crashes"] == 1 else f"{told['crashes']:,} crashes"
    yield f"{crashes}, {told['recovered']:,} recovered{rate}; {counted(told['lost'], 'event')} lost"


def _productivity(told: Document) -> Iterator[str]:
    if not told:
        yield "nothing yet"
        return
    hours = told["active_us"] // (3600 * _SECOND)
    yield (
        f"{counted(told['commits'], 'commit')}, {counted(told['files'], 'file')} touched, "
        f"{counted(told['tasks_completed'], 'task')} done in {counted(hours, 'hour')} with work in them"
    )
    by_hour = {row["hour"]: row["events"] for row in told.get("by_hour", [])}
    by_day = {row["weekday"]: row["events"] for row in told.get("by_weekday", [])}
    yield f"0h {columns_of([by_hour.get(hour, 0) for hour in _HOURS])} 24h"
    week = columns_of([by_day.get(number, 0) for number in range(len(_DAYS))])
    yield " ".join(f"{name} {column}" for name, column in zip(_DAYS, week, strict=True))


def _latency(told: Document) -> Iterator[str]:
    if not told:
        yield "nothing came by hooks"
        return
    half, most = _time(told["p50_us"]), _time(told["p95_us"])
    yield f"{counted(told['events'], 'event')} by hooks: half in the ledger within {half}, 95 % within {most}"


def _groups(out: Output, document: Document) -> Iterator[str]:
    rows = [("", "events", "calls", "failed", "tokens read", "written", "cost")]
    for group in document["groups"]:
        tools, tokens, cost = group["tools"], group["tokens"], group["cost"]
        rows.append(
            (
                visible(_spoken(document["by"], group["group"])),
                f"{group['events']:,}",
                f"{tools.get('calls', 0):,}",
                f"{tools.get('failed', 0):,}",
                f"{tokens.get('input', 0) + tokens.get('cache_read', 0) + tokens.get('cache_write', 0):,}",
                f"{tokens.get('output', 0):,}",
                _dollars(cost.get("usd")),
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        line = "  ".join(cells)
        yield out.paint(line, "title") if number == 0 else line


def _spoken(by: str, group: Any) -> str:
    if by == "day":
        return time.strftime("%Y-%m-%d", time.gmtime(int(group) * 86_400))
    return str(group) or "(none)"


def _share(value: float | None) -> str:
    return "0 %" if value is None else f"{value * _PERCENT:.1f} %".replace(".0 %", " %")


def _dollars(value: float | None) -> str:
    return "-" if value is None else f"${value:,.2f}"


def _time(micros: int | None) -> str:
    """How long something took, to two figures or so: `12 ms`, `1.4 s`, `3 min`, `2.5 h`."""
    seconds = (micros or 0) / _SECOND
    for limit, unit, name in ((1, 0.001, "ms"), (60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            figure = seconds / unit
            return f"{figure:.0f} {name}" if figure >= 10 or name == "ms" else f"{figure:.1f} {name}"
    return f"{seconds / 86_400:.0f} days"
