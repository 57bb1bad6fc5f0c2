"""`ledger gc --report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledger.cli.call import Call
from ledger.cli.du import ABOUT
from ledger.cli.output import Output
from ledger.cli.words import columns, counted, indented, size

if TYPE_CHECKING:
    from ledger.actions.growth import Growth, Kind, Room

_DO: dict[Kind, str] = {
    "pack": "ledger gc",
    "checkpoints": "set `checkpoints.max_bytes` in config.toml",
    "archive": "move the bundles in `archive` to another disk",
    "quarantine": "run `ledger verify`; once it is sound, move the files in `quarantine` away",
    "truncate": "ledger gc --truncate 90d",
}
_WHY: dict[Kind, str] = {
    "pack": "gives back about {}, or much more; then look again",
    "checkpoints": "the code of checkpoints takes {}",
    "archive": "what earlier epochs held takes {}",
    "quarantine": "damaged files take {}",
    "truncate": "the disk is soon full, and the events take {}",
}


def answer(call: Call) -> None:
    """Say what takes room, how fast it grows, and what would help."""
    from ledger.actions.growth import measure_growth

    with call.ledger() as ledger:
        growth = measure_growth(ledger.place)
    call.out.answer(_document(growth), lambda: _page(call.out, growth))


def _document(growth: Growth) -> dict[str, Any]:
    room = growth.room
    return {
        "parts": dict(_largest_first(room)),
        "bytes": room.total,
        "loose": room.loose,
        "checkpoints": room.checkpoints,
        "saved": room.saved,
        "events": growth.events,
        "days": [day._asdict() for day in growth.days],
        "bytes_an_event": growth.bytes_an_event,
        "bytes_a_day": growth.bytes_a_day,
        "free": room.free,
        "full_in": growth.full_in,
        "advice": [one._asdict() | {"do": _DO[one.kind]} for one in growth.advice],
    }


def _largest_first(room: Room) -> list[tuple[str, int]]:
    return sorted(room.parts.items(), key=lambda part: (-part[1], part[0]))


def _page(out: Output, growth: Growth) -> Iterator[str]:
    yield out.paint("What takes room", "title")
    yield from indented(_taken(growth.room))
    yield ""
    yield out.paint("What is added", "title")
    yield from indented(_added(growth))
    yield ""
    yield out.paint("What to do", "title")
    rows = [(_DO[one.kind], _WHY[one.kind].format(size(one.bytes))) for one in growth.advice]
    yield from indented(columns(rows) if rows else ["nothing needs to be done"])


def _taken(room: Room) -> Iterator[str]:
    for name, count in _largest_first(room):
        if count:
            yield f"{size(count):>10}  {name.ljust(14)}{ABOUT.get(name, '')}".rstrip()
    yield f"{size(room.total):>10}  in all; {size(room.loose)} not packed, {size(room.checkpoints)} code of checkpoints"


def _added(growth: Growth) -> Iterator[str]:
    rows = [
        (day.date, counted(day.events, "event").rjust(12), f"about {size(day.events * growth.bytes_an_event)}")
        for day in growth.days
    ]
    yield from columns(rows)
    yield f"{counted(growth.events, 'event')} in all, {size(growth.bytes_an_event)} each; {_rate(growth)}"


def _rate(growth: Growth) -> str:
    free = f"{size(growth.room.free)} free"
    if growth.full_in is None:
        return f"{free}, and nothing is added"
    return f"{size(growth.bytes_a_day)} a day; {free}, full in {_span(growth.full_in)} if all goes on so"


def _span(days: int) -> str:
    return counted(days, "day") if days < 3650 else "more than ten years"
