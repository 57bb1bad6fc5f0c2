"""The report of growth says what is on the disk, and advises what helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.actions.growth import DAYS, Advice, Day, Growth, Room, measure_growth
from ledger.actions.log import list_events
from ledger.api import Ledger, create_ledger, memory_ledger
from ledger.errors import UsageError
from ledger.storage.maintenance import du, gc
from ledger.testing import Clock, fixed

MIB = 1 << 20


def room(free: int = 1 << 50, saved: int = 0, checkpoints: int = 0, **parts: int) -> Room:
    return Room({"ledger.git": 0, "payloads.git": 0} | parts, 0, saved, checkpoints, free)


def growth(of: Room, *a_day: int) -> Growth:
    days = tuple(Day(f"2026-11-{number:02}", events) for number, events in enumerate(a_day, 1))
    return Growth(of, sum(a_day), days)


def written(ledger: Ledger, events: int) -> None:
    me = ledger.person()
    for number in range(events):
        me.set(f"thought/{number}", "x")


def test_gc_gives_back_what_was_said_or_more(tmp_path: Path) -> None:
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        written(ledger, 150)
        before = measure_growth(ledger.place)
        gc(ledger.layout)
        after = measure_growth(ledger.place)
    assert [one.kind for one in before.advice] == ["pack"]
    given_back = before.room.total - after.room.total
    assert given_back / 2 < before.room.saved <= given_back
    assert before.room.loose > 0 == after.room.loose
    assert after.advice == ()
    assert before.events == after.events
    assert before.bytes_an_event > after.bytes_an_event > 0


def test_it_counts_what_lies_on_the_disk_and_each_event_once(tmp_path: Path) -> None:
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        one, two = ledger.session("agent", "one"), ledger.session("agent", "two")
        for each in (one, two):
            each.start()
            each.set("a", "x")
            each.end()
        found = measure_growth(ledger.place)
        assert found.room.parts == du(ledger.layout)
        assert found.events == sum(1 for one in list_events(ledger.place) if one.event.type != "sync.merged")


def test_the_days_go_from_the_first_event_to_today_and_are_at_most_a_week(tmp_path: Path) -> None:
    clock = Clock()
    ledger, _ = create_ledger(tmp_path / "ledger", sources=fixed(clock))
    with ledger:
        first = measure_growth(ledger.place)
        written(ledger, 1)  # the first brings more than itself
        begun = measure_growth(ledger.place).events
        clock.advance(2 * 86_400)
        written(ledger, 3)
        third = measure_growth(ledger.place)
        clock.advance(20 * 86_400)
        later = measure_growth(ledger.place)
        today = datetime.fromtimestamp(ledger.place.now() / 1e6, UTC).date().isoformat()
    assert len(first.days) == 1
    assert [day.events for day in third.days] == [begun, 0, 3]
    assert [day.events for day in later.days] == [0] * DAYS
    assert later.days[-1].date == today
    assert (later.bytes_a_day, later.full_in) == (0, None)


def test_the_disk_is_full_when_its_free_bytes_are_used_up_at_the_rate_of_these_days() -> None:
    found = growth(room(free=100_000, **{"ledger.git": 40_000}), 0, 40)
    assert (found.bytes_an_event, found.bytes_a_day, found.full_in) == (1000, 20_000, 5)
    assert found.advice == (Advice("truncate", 40_000),)


def test_the_code_of_checkpoints_is_not_counted_as_events() -> None:
    found = growth(room(checkpoints=9_000, **{"ledger.git": 1_000, "payloads.git": 10_000}), 2)
    assert found.bytes_an_event == 1_000


@pytest.mark.parametrize("kind", ["archive", "quarantine"])
def test_what_is_kept_aside_is_worth_a_word_only_where_it_takes_much(kind: str) -> None:
    assert growth(room(**{kind: MIB}), 1).advice == (Advice(kind, MIB),)  # type: ignore[arg-type]
    assert growth(room(**{kind: MIB, "ledger.git": 9 * MIB}), 1).advice == ()
    assert growth(room(**{kind: MIB - 1}), 1).advice == ()


def test_what_costs_nothing_is_advised_first_and_what_costs_history_only_once_all_is_packed() -> None:
    found = growth(room(free=1, saved=MIB, checkpoints=MIB, **{"payloads.git": MIB, "ledger.git": MIB}), 1)
    assert [one.kind for one in found.advice] == ["pack", "checkpoints"]
    assert [one.kind for one in replace(found, room=replace(found.room, saved=0)).advice] == ["checkpoints", "truncate"]


def test_a_ledger_in_memory_takes_no_room_on_a_disk() -> None:
    with memory_ledger() as ledger, pytest.raises(UsageError, match="in memory"):
        measure_growth(ledger.place)
