"""What git's hooks told becomes events, each once, in the session that ran git."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import TIME, Project

from ledger.actions.git_facts import hear_git
from ledger.actions.log import list_events
from ledger.api import Ledger, open_ledger
from ledger.core.event import Event
from ledger.errors import InvalidError
from ledger.storage import spool


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    made.install()
    return made


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with open_ledger(project.layout.root) as opened:
        yield opened


def recorded(ledger: Ledger) -> list[Event]:
    """What git did, the oldest first, once all payloads are drained."""
    drained = ledger.drain()
    assert (drained.rejected, drained.waiting) == (0, 0)
    events = [logged.event for logged in list_events(ledger.place)]
    return [event for event in reversed(events) if event.type.startswith("git.")]


def became(events: list[Event], commit: str) -> str:
    """What a commit is by now, through every amend and rebase."""
    after = {pair["old"]: pair["new"] for e in events if e.type == "git.rewritten" for pair in e.data["commits"]}
    while commit in after:
        commit = after[commit]
    return commit


def test_a_commit_is_found_through_an_amend_and_two_rebases(project: Project, ledger: Ledger) -> None:
    project.git("switch", "--quiet", "-c", "work")
    first = project.commit("one", name="a")
    project.git("commit", "--quiet", "--amend", "-m", "one, amended")
    second = project.commit("two", name="b")
    for upstream in ("up1", "up2"):
        project.git("switch", "--quiet", "main")
        project.commit(upstream, name=upstream)
        project.git("rebase", "--quiet", "main", "work")
    events = recorded(ledger)
    assert became(events, first) == project.git("rev-parse", "work~1")
    assert became(events, second) == project.git("rev-parse", "work")
    subjects = {event.data["commit"]: event.data["subject"] for event in events if event.type == "git.committed"}
    assert subjects[first] == "one"
    assert subjects[became(events, first)] == "one, amended"


def test_one_commit_is_one_event_however_often_it_is_told(project: Project, ledger: Ledger) -> None:
    project.commit("one")
    (waiting,) = spool.waiting(project.layout)
    raw = spool.read(waiting)
    for _ in range(2):
        spool.put(project.layout, "git", "post-commit", 1, raw)
        assert len(recorded(ledger)) == 1


def test_two_checkouts_of_one_commit_are_two_events(project: Project, ledger: Ledger) -> None:
    for branch in ("a", "b"):
        project.git("switch", "--quiet", "-c", branch)
    project.git("switch", "--quiet", "a")
    assert [event.data["branch"] for event in recorded(ledger)] == ["a", "b", "a"]


def test_what_an_agent_committed_is_in_its_session(project: Project, ledger: Ledger) -> None:
    session = ledger.session("claude-code", "abc")
    session.start(pid=os.getpid())
    project.commit("one")
    (event,) = recorded(ledger)
    assert event.session == session.id
    assert event.origin == {"source": "git", "ref": f"commit:{project.head()}"}


def test_what_a_person_committed_is_in_main_at_once(project: Project, ledger: Ledger) -> None:
    project.commit("one")
    (event,) = recorded(ledger)
    assert event.session == ledger.person().id
    assert event in [logged.event for logged in list_events(ledger.place, "main")]


def test_a_secret_in_a_subject_is_not_recorded(project: Project, ledger: Ledger) -> None:
    project.commit("token ghp_" + "1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R")
    (event,) = recorded(ledger)
    assert event.data["subject"] == "token [redacted:github-token]"


def test_what_the_repository_has_no_more_is_told_as_far_as_the_hook_knew(project: Project, ledger: Ledger) -> None:
    raw = f"git 1\nhook post-commit\nhead {'1' * 40}\nbranch main\n\n".encode()
    (draft,) = hear_git(ledger.place, raw, TIME).heard.drafts
    assert draft.data == {"commit": "1" * 40, "branch": "main"}


def test_the_files_of_a_huge_commit_are_cut_to_what_an_event_holds(project: Project, ledger: Ledger) -> None:
    folder = project.root / ("d" * 200)
    folder.mkdir()
    for n in range(1200):
        (folder / f"{n:04}\n").touch()
    project.git("add", ".")
    project.git("commit", "--quiet", "-m", "many")
    (event,) = recorded(ledger)
    assert event.data["files"][0] == f"{folder.name}/0000\n"
    assert 100 < len(event.data["files"]) < 200


def test_what_is_no_payload_of_git_is_set_aside(project: Project, ledger: Ledger) -> None:
    with pytest.raises(InvalidError):
        hear_git(ledger.place, b"git 1\nhook post-commit\n\n", TIME)
    spool.put(project.layout, "git", "post-commit", 1, b"{}")
    assert ledger.drain().rejected == 1


def test_the_drain_that_a_hook_begins_records_the_commit(project: Project, ledger: Ledger) -> None:
    project.install(python=sys.executable)
    project.commit("one")
    deadline = time.monotonic() + 30
    while spool.waiting(project.layout) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [event.type for event in recorded(ledger)] == ["git.committed"]
