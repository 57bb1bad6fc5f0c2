"""`ledger status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.sessions import document as session_document
from ledger.cli.sessions import table
from ledger.cli.words import ago, columns, counted, cut, indented, visible
from ledger.core.clock import micros, stamp

if TYPE_CHECKING:
    from ledger.actions.holding import Standing
    from ledger.actions.presence import Present
    from ledger.actions.todo import Task
    from ledger.api import Ledger


class Found(NamedTuple):
    """What one call has to tell about: the ledger, and the sessions, leases and tasks in it, looked at once."""

    ledger: Ledger
    present: Sequence[Present]
    leases: Sequence[Standing]
    tasks: Sequence[Task]
    now: int


class Section(NamedTuple):
    """One part of the answer: `read` gives it as JSON, `lines` puts that into words for people; none, if empty."""

    read: Callable[[Found], Any]
    lines: Callable[[Output, Any, Found], Iterator[str]] | None = None


def command(context: typer.Context) -> None:
    """Say how the ledger is: who works, what waits, and what is wrong.

    `ok` is as far as can be seen in a moment; `ledger verify` looks at everything.
    """
    from ledger.actions.holding import live_leases
    from ledger.actions.presence import presence
    from ledger.actions.todo import open_tasks

    call = Call.of(context)
    with call.ledger(settles=True) as ledger:
        place = ledger.place
        found = Found(ledger, presence(place), live_leases(place), open_tasks(place), call.now())
        answer = {"ledger": str(ledger.path)} | {name: section.read(found) for name, section in SECTIONS.items()}
        call.out.answer(answer, lambda: _page(call.out, answer, found))


def _page(out: Output, answer: dict[str, Any], found: Found) -> Iterator[str]:
    yield f"{out.paint('ledger', 'title'):10}{answer['ledger']}"
    for name, section in SECTIONS.items():
        lines = list(section.lines(replace(out, indent=2), answer[name], found)) if section.lines else []
        if lines:
            yield f"{name.ljust(10)}{lines[0]}"
            yield from indented(lines[1:])


def _health(found: Found) -> str | list[str]:
    from ledger.actions.health import health

    unrestored = found.ledger.unrestored
    wrong = [] if unrestored is None else [f"an unclean stop is not yet put right: {unrestored.message}"]
    return wrong + health(found.ledger.place, found.present) or "ok"


def _health_lines(out: Output, told: str | list[str], found: Found) -> Iterator[str]:  # noqa: ARG001 - a section's form
    if told == "ok":
        yield out.paint("ok", "added")
    else:
        yield out.paint(counted(len(told), "problem"), "removed")
        yield from told


def _sessions(found: Found) -> list[dict[str, Any]]:
    return [session_document(one) for one in found.present]


def _session_lines(out: Output, told: list[dict[str, Any]], found: Found) -> Iterator[str]:
    states = Counter(one["state"] for one in told)
    yield ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    yield from table(out, found.present, found.now)


def _spool(found: Found) -> dict[str, int]:
    from ledger.actions.health import spool

    return spool(found.ledger.place)._asdict()


def _spool_lines(out: Output, told: dict[str, int], found: Found) -> Iterator[str]:  # noqa: ARG001 - a section's form
    if told["waiting"] or told["rejected"]:
        yield f"{told['waiting']} waiting, {told['rejected']} rejected"


def _sync(found: Found) -> dict[str, Any]:
    from ledger.actions.find import main_tip
    from ledger.actions.health import hindrances
    from ledger.actions.read import reader_at
    from ledger.actions.tip import event_id, newest_id

    place = found.ledger.place
    newest = newest_id(reader_at(place), event_id(place.store.commit(main_tip(place)))).millis * 1000
    breaker = "open" if hindrances(place) else "closed"
    return {"breaker": breaker, "last": stamp(newest), "remotes": _remotes(found)}


def _remotes(found: Found) -> list[dict[str, Any]]:
    from ledger.actions.exchanging import has_remote

    layout = found.ledger.place.layout
    if layout is None or not has_remote(layout):
        return []
    from ledger.cli import remote
    from ledger.storage.exchanged import exchanged
    from ledger.storage.remotes import list_remotes

    return [remote.document(one, exchanged(layout, one.name), found.now) for one in list_remotes(layout.git_dir)]


def _sync_lines(out: Output, told: dict[str, Any], found: Found) -> Iterator[str]:
    word = "" if told["breaker"] == "closed" else "stopped; "
    yield f"{word}main moved {ago(micros(told['last']), found.now)}"
    yield from columns([_remote_row(out, one, found.now) for one in told["remotes"]])


def _remote_row(out: Output, told: dict[str, Any], now: int) -> tuple[str, ...]:
    synced = told["synced"]
    when = f"in step {ago(round(synced * 1e6), now)}" if synced else "never in step"
    state = "" if told["breaker"] == "closed" else f"breaker {told['breaker']}"
    trouble = visible(cut(told["error"] or "", 60))
    return (out.paint(told["name"], "title"), when, ", ".join(filter(None, (state, trouble))))


def _leases(found: Found) -> list[dict[str, Any]]:
    from ledger.cli import lease

    return [lease.document(one) for one in found.leases]


def _lease_lines(out: Output, told: list[dict[str, Any]], found: Found) -> Iterator[str]:
    from ledger.cli import lease

    if told:
        yield f"{len(told)} live"
        yield from lease.table(out, found.leases, found.now)


def _tasks(found: Found) -> list[dict[str, Any]]:
    from ledger.cli import task

    return [task.document(one, _agents(found), found.now) for one in found.tasks]


def _task_lines(out: Output, told: list[dict[str, Any]], found: Found) -> Iterator[str]:
    from ledger.cli import task

    if told:
        states = Counter(one["status"] for one in told)
        yield ", ".join(f"{count} {state}" for state, count in states.items())
        yield from task.table(out, found.tasks, _agents(found), found.now)


def _agents(found: Found) -> dict[str, str]:
    return {one.id: one.agent for one in found.present}


def _conflicts(found: Found) -> int:
    return sum(1 for _ in found.ledger.conflicts())


def _conflict_lines(out: Output, told: int, found: Found) -> Iterator[str]:  # noqa: ARG001 - a section's form
    if told:
        yield f"{told} (`ledger conflicts` lists them)"


def _switches(found: Found) -> list[dict[str, Any]]:
    from ledger.storage.switches import switches

    return [one._asdict() | {"words": one.words()} for one in switches(found.ledger.layout)]


def _injected(found: Found) -> dict[str, int]:
    from ledger.storage.told import all_told

    told = [one for _, one in all_told(found.ledger.layout)]
    return {"times": sum(one.times for one in told), "characters": sum(one.characters for one in told)}


def _injected_lines(out: Output, told: dict[str, int], found: Found) -> Iterator[str]:  # noqa: ARG001 - a section's form
    if told["times"]:
        yield f"{counted(told['times'], 'text')}, {counted(told['characters'], 'character')}"


# In the order of the page.
SECTIONS = {
    "health": Section(_health, _health_lines),
    "sessions": Section(_sessions, _session_lines),
    "tasks": Section(_tasks, _task_lines),
    "leases": Section(_leases, _lease_lines),
    "spool": Section(_spool, _spool_lines),
    "sync": Section(_sync, _sync_lines),
    "conflicts": Section(_conflicts, _conflict_lines),
    "injected": Section(_injected, _injected_lines),
    "switches": Section(_switches),  # in words they are what health begins with
}
