"""Briefing: what an agent is given to read, in words, fenced as data, within a number of characters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ledger.actions.holding import Standing
from ledger.actions.news import Last, News, Start, Written
from ledger.actions.presence import Present
from ledger.actions.todo import Task
from ledger.cli.words import ago, cut, one_line, span, visible
from ledger.core.clock import micros
from ledger.recording.payloads.fence import fenced, plain

AT_START = 8_000  # characters; Claude Code spills what is longer than 10,000 into a file
AT_PROMPT = 1_500

_VALUE = 300
_LINES = 8
_WORDS = 600


class Briefing(NamedTuple):
    """A text for an agent, and the keys whose values are in it."""

    text: str
    keys: tuple[str, ...] = ()


class _Line(NamedTuple):
    text: str
    key: str = ""


def start(told: Start, now: int) -> Briefing:
    """Where things stand; an empty text where there is nothing to tell. `now` in microseconds since 1970."""
    return _briefing(list(_start_lines(told, now)), AT_START, told.unnamed)


def news(told: News, now: int, limit: int = AT_PROMPT) -> Briefing:
    """What others changed; an empty text where nothing did."""
    return _briefing(list(_news_lines(told, now)), limit)


def leased(held: Sequence[Standing], now: int) -> str:
    """That a file is leased by others, for an agent that is about to edit it."""
    return fenced([_lease(one, now) for one in held])


def _start_lines(told: Start, now: int) -> Iterator[_Line]:
    yield from _section("The last session in this worktree:", _left(told.last, now))
    yield from _section("Open tasks:", (_Line(_task(task, now)) for task in told.tasks))
    yield from _section("Other sessions at work:", (_Line(_session(one, now)) for one in told.sessions))
    yield from _section("Leased by others:", (_Line(_lease(one, now)) for one in told.leases))
    yield from _section("What stands at the keys, the newest first:", (_write(one, now) for one in told.written))


def _news_lines(told: News, now: int) -> Iterator[_Line]:
    yield from _section("Changed by other sessions:", (_write(one, now) for one in told.written))
    yield from _section("Tasks:", (_Line(_task(task, now)) for task in told.tasks))
    yield from _section("Leased by others:", (_Line(_lease(one, now)) for one in told.leases))


def _section(title: str, lines: Iterable[_Line]) -> Iterator[_Line]:
    found = list(lines)
    if found:
        yield _Line(title)
        yield from found


def _left(last: Last | None, now: int) -> Iterator[_Line]:
    if last is None:
        return
    yield _Line(f"- {last.agent} {last.session[:8]}, {ago(micros(last.time), now)}")
    if last.asked:
        yield _Line(f"  was asked: {_words(last.asked, _WORDS)}")
    if last.answered:
        yield _Line(f"  answered: {_words(last.answered, _WORDS)}")
    for section in last.more:
        yield _Line(f"  {section.title.lower()}:")
        yield from (_Line(f"    {_words(line, _VALUE)}") for line in section.lines[:_LINES])
    yield _Line(f"  all of it: ledger handoff {last.session[:8]}")


def _task(task: Task, now: int) -> str:
    whose = f" by {task.to[:8]}" if task.to else f" for {task.role}" if task.role else ""
    when = ago(task.ended or task.started or task.created, now)
    outcome = f": {_words(task.outcome, _VALUE)}" if task.outcome else ""
    return f"- {task.name}: {_words(task.title, _VALUE)} ({task.status}{whose}, {when}{outcome})"


def _session(one: Present, now: int) -> str:
    told = [one.state, f"task {one.task}" if one.task else "", f"branch {one.branch}" if one.branch else ""]
    words = ", ".join(_words(part, _VALUE) for part in [*told, one.title] if part)
    return f"- {one.agent} {one.id[:8]}: {words}, seen {ago(micros(one.last_seen), now)}"


def _lease(one: Standing, now: int) -> str:
    because = f": {_words(one.lease.because, _VALUE)}" if one.lease.because else ""
    names = ", ".join(_words(name, _VALUE) for name in one.lease.on)
    return f"- {names} by {one.agent} {one.lease.session[:8]}, for {span(one.ends - now)} more{because}"


def _write(one: Written, now: int) -> _Line:
    what = "deleted" if one.deleted else _words(_told(one.value), _VALUE)
    beaten = f"; it beat a write of {', '.join(s[:8] for s in one.beaten)}" if one.beaten else ""
    return _Line(f"- {one.key}: {what} ({one.agent} {one.session[:8]}, {ago(micros(one.time), now)}{beaten})", one.key)


def _told(value: Any) -> str:
    """A value in words; a decision with its reason."""
    if isinstance(value, dict) and isinstance(value.get("decision"), str):
        decision, because = value["decision"].rstrip(), value.get("because")
        end = "" if decision.endswith((".", "!", "?")) else "."
        return f"{decision}{end} Because: {because}" if isinstance(because, str) else decision
    return one_line(value)


def _words(text: str, width: int) -> str:
    return plain(cut(" ".join(visible(text).split()), width))


def _briefing(lines: Sequence[_Line], limit: int, unnamed: int = 0) -> Briefing:
    if not lines:
        return Briefing("")
    kept = _fitting(lines, limit)
    left = sum(1 for line in lines[len(kept) :] if line.text.startswith("- ")) + unnamed
    more = [f"… and {left} more: `ledger status`, `ledger keys`, `ledger get KEY`."] if left else []
    text = fenced([*(line.text for line in kept), *more])
    return Briefing(text, tuple(dict.fromkeys(line.key for line in kept if line.key)))


def _fitting(lines: Sequence[_Line], limit: int) -> Sequence[_Line]:
    """As many lines as fit, with room for the fence and a last word."""
    room = limit - len(fenced([])) - 80
    for position, line in enumerate(lines):
        room -= len(line.text) + 1
        if room < 0:
            return lines[:position]
    return lines
