"""What the next answer would have to find out is noted behind the agent's back, and only where it is so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.find import main_tip
from ledger.actions.lease import acquire
from ledger.api import Ledger, create_ledger
from ledger.core.ids import SessionId
from ledger.hooks.ahead import look_ahead
from ledger.storage import live, told
from ledger.storage.told import Told

ME = str(SessionId.of("claude-code", "me"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One in which a session of ours was told all that there is."""
    made, _ = create_ledger(tmp_path / ".ledger")
    with made:
        made.session("claude-code", "me").start(pid=os.getpid())
        told.remember(made.layout, ME, Told(main_tip(made.place), 1, 10))
        yield made


def test_where_nobody_holds_a_lease_that_is_noted_for_main_as_it_stands(ledger: Ledger) -> None:
    ledger.session("codex", "other").set("a", 1)
    look_ahead(ledger)
    assert told.without_leases(ledger.layout) == main_tip(ledger.place)


def test_where_somebody_holds_one_nothing_is_noted(ledger: Ledger) -> None:
    acquire(ledger.place, ledger.session("codex", "other"), ["src/auth"])
    look_ahead(ledger)
    assert told.without_leases(ledger.layout) != main_tip(ledger.place)


def test_a_session_need_not_look_for_news_in_what_it_wrote_itself(ledger: Ledger) -> None:
    ledger.session("claude-code", "me").set("a", 1)
    look_ahead(ledger)
    assert told.told_to(ledger.layout, ME) == Told(main_tip(ledger.place), 1, 10)


def test_what_others_wrote_stays_news(ledger: Ledger) -> None:
    before = told.told_to(ledger.layout, ME)
    ledger.session("codex", "other").set("a", 1)
    look_ahead(ledger)
    assert told.told_to(ledger.layout, ME) == before


def test_nothing_is_noted_for_a_session_that_is_not_there(ledger: Ledger) -> None:
    before = told.told_to(ledger.layout, ME)
    live.leave(ledger.layout, ME)
    ledger.session("claude-code", "me").note("later")
    look_ahead(ledger)
    assert told.told_to(ledger.layout, ME) == before


def test_a_commit_that_is_not_there_is_no_hindrance(ledger: Ledger) -> None:
    told.remember(ledger.layout, ME, Told("1" * 40, 1, 10))
    look_ahead(ledger)
    assert told.told_to(ledger.layout, ME).tip == "1" * 40
