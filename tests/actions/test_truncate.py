"""Truncating lets old events go and nothing else: the state, what others have of their own, and the law stay."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.actions.epoch import dated, epoch_of, root_of
from ledger.actions.replay import replay
from ledger.actions.tip import Author, event_of
from ledger.actions.truncate import plan_cut, truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger, system_sources
from ledger.core.event import Event
from ledger.errors import NotFoundError, UsageError
from ledger.storage.layout import MAIN
from ledger.storage.tree import TreeReader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        me = ledger.session("agent", "old")
        me.start()
        for number in range(20):
            me.set("auth/decision", f"choice {number}")
            me.increment("tries", 1)
            me.note(f"thought {number}")
        me.end()
    return tmp_path / "ledger"


def state(ledger: Ledger) -> dict[str, object]:
    store = ledger.place.store
    found = dict(TreeReader(store, store.commit(store.ref(MAIN) or "").tree).under(""))
    found["ledger.yaml"] = {**found["ledger.yaml"], "epoch": 0, "last": ""}
    return found


def logged(ledger: Ledger) -> list[Event]:
    """Every event that main reaches, merges aside, in the order of the fold."""
    store = ledger.place.store
    return [event_of(store.commit(one.oid)) for one in dated(store, [store.ref(MAIN) or ""])]


def middle(ledger: Ledger) -> str:
    """The id of an event in the middle of the history."""
    events = logged(ledger)
    return events[len(events) // 2].id


def cut(ledger: Ledger, rev: str | None = None) -> None:
    truncate(ledger.place, Author.person(ledger.place), rev or middle(ledger))


def proved(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        assert ledger.restored is None or not ledger.restored.changed
        report = verify(ledger.place, full=True)
        assert report.ok, report.problems
        assert replay(ledger.place).ok


def test_the_state_stays_and_the_cut_events_go(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        before, events = state(ledger), [one.id for one in logged(ledger)]
        through = middle(ledger)
        done = truncate(ledger.place, Author.person(ledger.place), through, because="enough")
        assert state(ledger) == before
        left = [one.id for one in logged(ledger)]
        assert left[1:] == [event for event in events if event > through]
        assert done.cut.events + done.cut.kept == len(events) - 1  # the first event was the root
        assert (done.epoch, epoch_of(ledger.place.store, ledger.place.store.ref(MAIN) or "")) == (2, 2)
    proved(folder)


def test_the_old_history_lies_in_a_bundle_that_git_reads(folder: Path, tmp_path: Path) -> None:
    with open_ledger(folder) as ledger:
        old = ledger.place.store.ref(MAIN)
        done = truncate(ledger.place, Author.person(ledger.place), middle(ledger))
        assert done.bundle is not None
        with pytest.raises(Exception, match=str(old)):
            ledger.place.store.commit(old or "")
    said = subprocess.run(["git", "bundle", "list-heads", done.bundle], capture_output=True, text=True, check=True)
    assert f"{old} {MAIN}" in said.stdout.splitlines()


def test_writing_goes_on_and_a_second_epoch_follows(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        cut(ledger)
        ledger.session("agent", "new").increment("tries", 5)
        assert ledger.get("tries").entry.cell.value == 25
        cut(ledger)
        store = ledger.place.store
        root = root_of(store, store.ref(MAIN) or "")
        assert root.number == 3
        assert len(root.superseded) >= 2
        ledger.session("agent", "new").increment("tries", 5)
        assert ledger.get("tries").entry.cell.value == 30
    proved(folder)


def test_what_sessions_have_of_their_own_goes_on(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        own = ledger.session("agent", "own")
        own.start()
        own.publish()
        own.set("mine", "alone", scope="session")
        hidden = ledger.session("agent", "hidden", private=True)
        hidden.start()
        hidden.set("secret/plan", "nobody's business", scope="session")
        ledger.person().set("auth/reason", "fast")
        cut(ledger, ledger.place.store.ref(MAIN))
        assert own.publish() is not None
        assert hidden.get("secret/plan").entry.cell.value == "nobody's business"
        hidden.set("secret/plan", "still", scope="session")
        assert "alone" in [one.data.get("value") for one in logged(ledger)]
    proved(folder)


def test_a_moment_that_was_cut_off_is_told_so(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        early = logged(ledger)[5].time
        cut(ledger)
        with pytest.raises(NotFoundError, match="was cut off"):
            ledger.get("tries", at=early)
        assert ledger.get("tries", at="0s").entry.cell.value == 20


def test_with_nothing_before_it_there_is_no_cut(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        cut(ledger, ledger.place.store.ref(MAIN))
        with pytest.raises(UsageError, match="nothing comes before"):
            plan_cut(ledger.place, "main")


def test_who_writes_next_comes_after_what_was_cut_whatever_the_clock_says(folder: Path) -> None:
    told = system_sources()
    with open_ledger(folder) as ledger:
        newest = logged(ledger)[-1].id
        cut(ledger, "main")
    hours = 5 * 3_600_000_000
    with open_ledger(folder, sources=replace(told, now=lambda: told.now() - hours)) as ledger:
        (event,) = ledger.session("agent", "late").increment("tries", 1).events[-1:]
        assert event.id > newest
        ledger.session("agent", "late").delete("tries")
    proved(folder)


def test_an_old_ledger_that_was_cut_as_a_whole_is_written_to_as_before(folder: Path) -> None:
    """The root has an id of the ledger's first day; that is no clock that jumped."""
    told = system_sources()
    years = 3 * 365 * 86_400_000_000
    later = replace(told, now=lambda: told.now() + years)
    with open_ledger(folder, sources=later, accepts_clock=True) as ledger:
        ledger.session("agent", "late").increment("tries", 1)
        cut(ledger, "main")
    with open_ledger(folder, sources=later) as ledger:
        ledger.session("agent", "late").increment("tries", 1)
        assert ledger.get("tries").entry.cell.value == 22
