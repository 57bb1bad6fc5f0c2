"""Exchange: by itself a ledger meets its remotes often enough, never too often, and not while they are out of reach."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.machines import bare

from ledger.actions.exchange import (
    GIVES_AFTER,
    LOOKS_AFTER,
    due_remotes,
    exchange,
    has_ungiven,
    is_anybody_there,
    is_due,
)
from ledger.actions.exchanging import has_remote, start_if_needed
from ledger.api import Ledger, create_ledger
from ledger.core.breaker import Breaker
from ledger.storage.exchanged import Exchanged, exchanged
from ledger.storage.layout import MAIN
from ledger.storage.remotes import Remote, add_remote, remove_remote
from ledger.storage.switches import REMOTE, Switch, turn_off

HEAD, OTHER = "a" * 40, "b" * 40
NOW = 1_000_000_000_000


@pytest.fixture
def server(tmp_path: Path) -> Path:
    return bare(tmp_path / "server.git")


@pytest.fixture
def ledger(tmp_path: Path, server: Path) -> Iterator[Ledger]:
    made, _ = create_ledger(tmp_path / "ledger")
    with made:
        add_remote(made.layout.git_dir, Remote("origin", str(server)))
        yield made


def test_a_remote_never_met_is_due_and_one_just_met_is_not() -> None:
    assert is_due(HEAD, Exchanged(), NOW)
    assert not is_due(HEAD, Exchanged(HEAD, NOW, NOW), NOW + 1)


def test_what_is_new_goes_some_seconds_after_the_last_exchange() -> None:
    state = Exchanged(OTHER, NOW, NOW)
    assert not is_due(HEAD, state, NOW + GIVES_AFTER - 1)
    assert is_due(HEAD, state, NOW + GIVES_AFTER)


def test_where_others_were_faster_the_next_push_waits_twice_as_long_and_two_minutes_at_most() -> None:
    state, waits = Exchanged(OTHER, NOW, NOW), []
    for _ in range(5):
        state = state.after(OTHER, NOW, is_crowded=True)
        waits.append(next(wait for wait in range(400) if is_due(HEAD, state, NOW + wait * 1_000_000)))
    assert waits == [30, 60, 120, 120, 120]
    for _ in range(3):
        state = state.after(OTHER, NOW, is_crowded=False)
    assert is_due(HEAD, state, NOW + GIVES_AFTER)


def test_with_nothing_to_give_it_is_looked_at_once_a_minute() -> None:
    state = Exchanged(HEAD, NOW, NOW)
    assert not is_due(HEAD, state, NOW + LOOKS_AFTER - 1)
    assert is_due(HEAD, state, NOW + LOOKS_AFTER)


def test_while_the_breaker_is_open_nothing_is_due_and_then_one_try() -> None:
    state = Exchanged(OTHER, NOW, 0, "down", Breaker(3, NOW))
    assert not is_due(HEAD, state, NOW + 29_000_000)
    assert is_due(HEAD, state, NOW + 30_000_000)


def test_a_clock_that_was_set_back_keeps_nothing_waiting() -> None:
    assert is_due(HEAD, Exchanged(HEAD, NOW, NOW), NOW - 86_400_000_000)


def test_what_is_due_is_met_and_what_goes_wrong_is_told_once(ledger: Ledger, server: Path) -> None:
    assert has_ungiven(ledger.place, ledger.layout)
    assert list(exchange(ledger.place, ledger.layout)) == []
    assert Git(server)("rev-parse", MAIN) == ledger.place.store.ref(MAIN)
    assert not has_ungiven(ledger.place, ledger.layout)
    assert due_remotes(ledger.place, ledger.layout) == []
    add_remote(ledger.layout.git_dir, Remote("gone", str(server.parent / "nothing")))
    assert len(list(exchange(ledger.place, ledger.layout))) == 1
    now = ledger.place.now()
    ledger.place.now = lambda: now + GIVES_AFTER
    assert list(exchange(ledger.place, ledger.layout)) == []
    assert exchanged(ledger.layout, "gone").breaker.failures == 2


def test_while_it_is_turned_off_nothing_is_due(ledger: Ledger) -> None:
    turn_off(ledger.layout, Switch(REMOTE))
    assert due_remotes(ledger.place, ledger.layout) == []


def test_a_running_session_is_in_step_with_the_remote_without_anybody_asking(ledger: Ledger, server: Path) -> None:
    assert not is_anybody_there(ledger.place)
    with ledger.run("agent", "one") as me:
        me.set("plan", "one")
        assert is_anybody_there(ledger.place)
        until = time.monotonic() + 60
        while Git(server)("for-each-ref", "--format=%(objectname)", MAIN) != ledger.place.store.ref(MAIN):
            assert time.monotonic() < until
            time.sleep(0.1)
        holder = ledger.layout.exchanging_lock.read_text()
        start_if_needed(ledger.layout)
        time.sleep(1)
        assert ledger.layout.exchanging_lock.read_text() == holder
    remove_remote(ledger.layout.git_dir, "origin")  # and the process goes
    assert not has_remote(ledger.layout)
