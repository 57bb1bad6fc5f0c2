"""When a session gets a checkpoint that nobody asked for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, types

from ledger.actions.append import Draft
from ledger.actions.checkpoint import Checkpoint, list_checkpoints
from ledger.actions.drain import drain
from ledger.actions.due import LONGEST, MOST_EVENTS, Due, checkpoint_if_due
from ledger.api import Ledger


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one file."""
    folder = tmp_path / "project"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "a.py").write_text("a = 1\n")
    return folder


@pytest.fixture
def claude(disk_ledger: Ledger, project: Path) -> Claude:
    """A session that works there, and has begun."""
    made = Claude(disk_ledger.layout, cwd=str(project))
    made.start()
    made.ask()
    drain(disk_ledger.place)
    return made


def made_after(ledger: Ledger) -> list[Checkpoint]:
    """The checkpoints that are made when what was captured is drained."""
    found = [checkpoint_if_due(ledger.place, due) for due in drain(ledger.place).due]
    return [one for one in found if one is not None]


def test_a_turn_that_changed_the_code_ends_with_a_checkpoint_of_it(disk_ledger: Ledger, claude: Claude) -> None:
    claude.use()
    assert made_after(disk_ledger) == []
    claude.stop()
    (made,) = made_after(disk_ledger)
    assert (made.reason, made.session, made.path, made.files) == ("turn", claude.session, claude.cwd, 1)


def test_a_turn_that_changed_nothing_makes_none(disk_ledger: Ledger, claude: Claude, project: Path) -> None:
    claude.stop("first")
    assert len(made_after(disk_ledger)) == 1
    claude.stop("second")
    assert made_after(disk_ledger) == []
    (project / "a.py").write_text("a = 2\n")
    claude.stop("third")
    assert len(made_after(disk_ledger)) == 1


def test_before_a_compaction_there_is_always_one(disk_ledger: Ledger, claude: Claude) -> None:
    claude.stop()
    made_after(disk_ledger)
    claude.fire("PreCompact", trigger="auto", custom_instructions="")
    assert [made.reason for made in made_after(disk_ledger)] == ["compaction"]


def test_the_end_of_a_session_keeps_what_no_turn_did(disk_ledger: Ledger, claude: Claude, project: Path) -> None:
    claude.stop()
    made_after(disk_ledger)
    (project / "b.py").write_text("b\n")
    claude.end()
    (made,) = made_after(disk_ledger)
    assert (made.reason, made.files) == ("end", 2)
    assert types(disk_ledger, claude.session)[-2:] == ["session.ended", "checkpoint.created"]


def test_a_whole_session_drained_at_once_has_one(disk_ledger: Ledger, project: Path) -> None:
    claude = Claude(disk_ledger.layout, cwd=str(project))
    claude.work()
    assert [(made.reason, made.path) for made in made_after(disk_ledger)] == [("end", str(project))]


def test_outside_of_git_neither_turn_nor_end_makes_one(disk_ledger: Ledger, tmp_path: Path) -> None:
    Claude(disk_ledger.layout, cwd=str(tmp_path)).work()
    assert made_after(disk_ledger) == []


def test_after_so_many_events_there_is_one(disk_ledger: Ledger, claude: Claude) -> None:
    session = disk_ledger.session_named(claude.session)
    due = Due(session.author, "", Path(claude.cwd))
    session.record([Draft("note.added", {"text": "x"})] * (MOST_EVENTS - 3))
    assert checkpoint_if_due(disk_ledger.place, due) is None
    session.record([Draft("note.added", {"text": "x"})])
    made = checkpoint_if_due(disk_ledger.place, due)
    assert made is not None
    assert (made.reason, made.files) == ("events", 1)
    assert checkpoint_if_due(disk_ledger.place, due) is None


def test_after_so_long_there_is_one_with_the_next_event(disk_ledger: Ledger, claude: Claude) -> None:
    session = disk_ledger.session_named(claude.session)
    due = Due(session.author, "", None)
    later = replace(disk_ledger.place, now=lambda: disk_ledger.place.now() + LONGEST * 1_000_000)
    assert checkpoint_if_due(disk_ledger.place, due) is None
    made = checkpoint_if_due(later, due)
    assert made is not None
    assert (made.reason, made.worktree) == ("time", None)
    assert checkpoint_if_due(later, due) is None
    assert list(list_checkpoints(disk_ledger.place)) == [made]
