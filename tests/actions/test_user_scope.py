"""The user's own scope: one ledger across projects, made by the first write, seen where the project has nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.actions.log import list_events
from ledger.actions.read import list_keys
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger, user_folder, user_ledger
from ledger.errors import NotFoundError, UsageError


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The ledger of another project."""
    create_ledger(tmp_path / "other")[0].close()
    return tmp_path / "other"


def test_what_is_written_for_the_user_is_read_in_every_project(disk_ledger: Ledger, other: Path) -> None:
    disk_ledger.session("agent", "1").set("style", "plain", scope="user")
    with open_ledger(other) as elsewhere:
        found = elsewhere.get("style")
        assert (found.entry.cell.value, found.scope) == ("plain", "user")
        assert elsewhere.session("agent", "2").get("style").scope == "user"
        assert [one.key for one in list_keys(elsewhere.place)] == []


def test_it_lies_in_the_data_directory(home: Path, disk_ledger: Ledger) -> None:
    disk_ledger.session("agent", "1").set("style", "plain", scope="user")
    assert user_folder() == home / "data_home/context-ledger/user"
    assert (user_folder() / "ledger.git").is_dir()


def test_the_session_then_the_project_then_the_user_is_asked(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "1")
    seen = []
    for scope in ("user", "shared", "session"):
        me.set("k", scope, scope=scope)
        seen.append(me.get("k").scope)
    assert seen == ["user", "shared", "session"]
    assert disk_ledger.get("k").scope == "shared"


def test_reading_makes_no_ledger(disk_ledger: Ledger) -> None:
    with pytest.raises(NotFoundError):
        disk_ledger.get("k")
    assert not user_folder().exists()


def test_a_moment_of_the_project_says_nothing_of_the_user(disk_ledger: Ledger) -> None:
    disk_ledger.session("agent", "1").set("k", 1, scope="user")
    with pytest.raises(NotFoundError):
        disk_ledger.get("k", at="main")


def test_every_verb_of_context_reaches_it_and_the_person_is_who_writes(disk_ledger: Ledger) -> None:
    me = disk_ledger.session("agent", "1")
    me.add("tags", "a", "b", scope="user")
    me.remove("tags", "a", scope="user")
    me.increment("count", 2, scope="user")
    me.set("gone", 1, scope="user")
    me.delete("gone", scope="user")
    with user_ledger() as mine:
        assert {one.key: one.entry.cell.value for one in list_keys(mine.place)} == {"count": 2, "tags": ["b"]}
        assert {one.event.session for one in list_events(mine.place)} == {mine.person().id}
        assert verify(mine.place, full=True).ok
    assert [one.event.type for one in list_events(disk_ledger.place)] == ["ledger.created"]


def test_a_time_to_live_is_kept(disk_ledger: Ledger) -> None:
    disk_ledger.session("agent", "1").set("k", 1, scope="user", ttl=60)
    assert disk_ledger.get("k").entry.ttl == 60
    with user_ledger() as mine:
        now = mine.place.now
        mine.place.now = lambda: now() + 61_000_000
        with pytest.raises(NotFoundError):
            mine.get("k")


def test_the_users_own_ledger_has_no_other_behind_it() -> None:
    with user_ledger() as mine:
        with pytest.raises(NotFoundError):
            mine.get("k")
        with pytest.raises(UsageError, match="no user scope"):
            mine.person().set("k", 1, scope="user")


def test_a_ledger_in_memory_reaches_nobodys_files(disk_ledger: Ledger) -> None:
    disk_ledger.session("agent", "1").set("k", 1, scope="user")
    with memory_ledger() as ledger:
        with pytest.raises(NotFoundError):
            ledger.get("k")
        with pytest.raises(UsageError, match="no user scope"):
            ledger.session("agent", "1").set("k", 1, scope="user")
