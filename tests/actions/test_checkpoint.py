"""Checkpoints: verified, durable points of a session, with the code's working tree."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.planted import body

from ledger.actions.checkpoint import Checkpoint, checkpoint, checkpoint_if_changed, find_checkpoint, list_checkpoints
from ledger.actions.health import health
from ledger.actions.replay import replay
from ledger.actions.roster import all_sessions
from ledger.actions.session import Session
from ledger.actions.working_tree import NO_ROOM, NO_TREE, OFF, keep, load
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import DamageError, NotFoundError, RefusedError
from ledger.storage.git import GitStore
from ledger.storage.layout import checkpoint_ref
from ledger.storage.locks import Lock
from ledger.storage.maintenance import gc
from ledger.storage.place import Place
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, Switch, turn_off


def git(folder: Path, *arguments: str | Path) -> str:
    command = ["git", "-C", str(folder), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one commit and a ledger of its own."""
    folder = tmp_path / "project"
    git(tmp_path, "init", "-q", "-b", "main", folder)
    (folder / "a.py").write_text("a = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def here(project: Path) -> Iterator[Ledger]:
    """The ledger of the project."""
    create_ledger(project / ".git" / "ledger")[0].close()
    with open_ledger(project / ".git" / "ledger") as opened:
        yield opened


def payloads(place: Place) -> GitStore:
    assert place.payloads is not None
    return place.payloads.store


def file_in(place: Place, tree: Oid | None, path: str) -> bytes | None:
    assert tree is not None
    return payloads(place).read_file(tree, f"files/{path}")


def session(ledger: Ledger, key: str = "abc") -> Session:
    made = ledger.session("claude-code", key)
    made.start()
    return made


def test_a_checkpoint_pins_the_state_that_it_was_written_on(ledger: Ledger) -> None:
    me = session(ledger)
    me.set("a", 1)
    made = checkpoint(ledger.place, me.author, "by hand", title="it works")
    assert (made.reason, made.title, made.worktree) == ("by hand", "it works", None)
    assert find_checkpoint(ledger.place, made.event) == made
    me.set("b", 2)
    found = replay(ledger.place, me.id)
    assert (found.ok, found.checkpoint, found.events_replayed) == (True, made.event, 1)


def test_with_the_working_tree_it_holds_the_code_as_it_lies_there(here: Ledger, project: Path) -> None:
    me = session(here)
    (project / "new.py").write_text("new\n")
    made = checkpoint(here.place, me.author, "turn", project)
    assert (made.path, made.files, made.skipped, made.missing) == (str(project), 2, 0, "")
    assert made.head == git(project, "rev-parse", "HEAD").strip()
    assert file_in(here.place, made.worktree, "new.py") == b"new\n"


def test_a_running_session_makes_one_too_and_enters_the_roster_with_it(here: Ledger, project: Path) -> None:
    with here.run("claude-code", "running") as me:
        made = me.checkpoint("it works", worktree=project)
    assert (made.reason, made.title, made.files) == ("by hand", "it works", 1)
    person = here.person()
    assert person.checkpoint().session == person.id
    assert person.id in all_sessions(here.place)


def test_the_second_one_reads_only_what_changed(here: Ledger, project: Path) -> None:
    me = session(here)
    time.sleep(0.03)
    first = checkpoint(here.place, me.author, "turn", project)
    (project / "b.py").write_text("b\n")
    second = checkpoint(here.place, me.author, "turn", project)
    third = checkpoint(here.place, me.author, "turn", project)
    assert (first.bytes, second.bytes) == (6, 2)
    assert third.worktree == second.worktree
    assert git(payloads(here.place).path, "rev-list", "--count", checkpoint_ref(me.id)).strip() == "2"


def test_two_sessions_in_one_worktree_each_keep_it(here: Ledger, project: Path) -> None:
    one, two = session(here, "one"), session(here, "two")
    time.sleep(0.03)
    first = checkpoint(here.place, one.author, "turn", project)
    second = checkpoint(here.place, two.author, "turn", project)
    assert (first.worktree, second.bytes) == (second.worktree, 0)
    store = payloads(here.place)
    store.move_ref(checkpoint_ref(one.id), None, store.ref(checkpoint_ref(one.id)))
    git(store.path, "-c", "gc.pruneExpire=now", "gc", "-q", "--prune=now")
    assert file_in(here.place, second.worktree, "a.py") == b"a = 1\n"


def test_what_nothing_keeps_any_more_is_written_again(here: Ledger, project: Path) -> None:
    me = session(here)
    time.sleep(0.03)
    made = checkpoint(here.place, me.author, "turn", project)
    store = payloads(here.place)
    store.move_ref(checkpoint_ref(me.id), None, store.ref(checkpoint_ref(me.id)))
    store.close()
    git(store.path, "prune", "--expire=now")
    again = checkpoint(here.place, me.author, "turn", project)
    assert again.worktree == made.worktree
    assert file_in(here.place, again.worktree, "a.py") == b"a = 1\n"


def test_what_was_remembered_of_a_branch_that_began_anew_is_not_trusted(
    here: Ledger, project: Path, tmp_path: Path
) -> None:
    me, linked = session(here), tmp_path / "linked"
    git(project, "worktree", "add", "-q", linked)
    checkpoint(here.place, me.author, "turn", project)
    store = payloads(here.place)
    store.move_ref(checkpoint_ref(me.id), None, store.ref(checkpoint_ref(me.id)))
    store.close()
    git(store.path, "prune", "--expire=now")
    (linked / "b.py").write_text("b\n")
    checkpoint(here.place, me.author, "turn", linked)
    made = checkpoint(here.place, me.author, "turn", project)
    assert file_in(here.place, made.worktree, "a.py") == b"a = 1\n"


def test_a_tree_that_was_never_captured_is_told_as_damage(here: Ledger, project: Path) -> None:
    tree = payloads(here.place).edit_tree(None, {"files": b"none"})
    with pytest.raises(DamageError, match="is no captured working tree"):
        load(here.place, tree)


def test_a_secret_in_a_title_reaches_no_object(here: Ledger, project: Path) -> None:
    secret = "ghp_" + body(36)
    made = checkpoint(here.place, session(here).author, "by hand", project, title=f"it works with {secret}")
    assert made.title == "it works with [redacted:github-token]"
    assert secret not in git(payloads(here.place).path, "log", checkpoint_ref(made.session))


def test_an_unchanged_working_tree_makes_none_where_only_a_change_counts(here: Ledger, project: Path) -> None:
    me = session(here)
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is not None
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is None
    (project / "a.py").chmod(0o755)
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is not None


def test_a_captured_tree_that_no_event_names_is_none_that_counts(here: Ledger, project: Path) -> None:
    """A kill, or a refusal, between the two steps."""
    me = session(here)
    assert keep(here.place, me.id, project, "turn").is_new
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is not None
    (project / "a.py").write_text("a = 2\n")
    assert keep(here.place, me.id, project, "turn").is_new
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is not None
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is None


def test_what_is_here_already_takes_no_more_room(here: Ledger, project: Path) -> None:
    me = session(here)
    (project / "noise").write_bytes(os.urandom(40_000))
    checkpoint(here.place, me.author, "turn", project)
    here.layout.config.write_text("[checkpoints]\nmax_bytes = 60000\n")
    here.layout.stats_of(project).unlink()
    assert checkpoint(here.place, me.author, "turn", project).missing == ""


def test_outside_of_git_there_is_a_checkpoint_without_a_working_tree(here: Ledger, tmp_path: Path) -> None:
    made = checkpoint(here.place, session(here).author, "turn", tmp_path)
    assert (made.worktree, made.missing) == (None, NO_TREE)


def test_where_git_cannot_read_the_project_that_is_said_in_its_own_words(here: Ledger, project: Path) -> None:
    (project / ".git" / "index").write_bytes(b"no index")
    made = checkpoint(here.place, session(here).author, "turn", project)
    assert made.worktree is None
    assert "index" in made.missing


def test_over_the_budget_ended_sessions_make_room_and_else_no_tree_is_kept(here: Ledger, project: Path) -> None:
    assert here.place.layout is not None
    here.place.layout.config.write_text("[checkpoints]\nmax_bytes = 60000\n")
    old, new = session(here, "old"), session(here, "new")
    (project / "noise").write_bytes(os.urandom(40_000))
    first = checkpoint(here.place, old.author, "turn", project)
    (project / "noise").write_bytes(os.urandom(40_000))
    assert checkpoint(here.place, new.author, "turn", project).missing == NO_ROOM
    old.end()
    second = checkpoint(here.place, new.author, "turn", project)
    assert second.missing == ""
    assert payloads(here.place).refs("refs/heads/checkpoint/").keys() == {checkpoint_ref(new.id)}
    assert find_checkpoint(here.place, first.event) == first


def test_with_no_room_at_all_nothing_is_looked_at(here: Ledger, project: Path) -> None:
    here.layout.config.write_text("[checkpoints]\nmax_bytes = 0\n")
    me = session(here)
    assert checkpoint(here.place, me.author, "turn", project).missing == OFF
    assert checkpoint_if_changed(here.place, me.author, "turn", project) is None
    assert not here.layout.stats_of(project).exists()


def test_when_the_room_is_nearly_used_up_the_status_says_so(here: Ledger, project: Path) -> None:
    (project / "noise").write_bytes(os.urandom(40_000))
    assert here.layout.config.write_text("[checkpoints]\nmax_bytes = 60000\n")
    checkpoint(here.place, session(here).author, "turn", project)
    assert not any("checkpoints.max_bytes" in one for one in health(here.place, []))
    here.layout.config.write_text("[checkpoints]\nmax_bytes = 45000\n")
    (said,) = [one for one in health(here.place, []) if "checkpoints.max_bytes" in one]
    assert said.startswith("the working trees of checkpoints take 40,006 bytes of 45,000: ")


def test_writers_at_the_same_time_and_a_gc_take_nothing_from_one_another(here: Ledger, project: Path) -> None:
    def work(key: str) -> list[Checkpoint]:
        made = []
        with open_ledger(here.layout.root) as own:
            me = session(own, key)
            for turn in range(6):
                (project / f"{key}.py").write_text(f"{key}, turn {turn}\n")
                made.append(checkpoint(own.place, me.author, "turn", project))
        return made

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(work, key) for key in ("one", "two")]
        while not all(future.done() for future in futures):
            gc(here.layout)
    for key, future in zip(("one", "two"), futures, strict=True):
        for turn, made in enumerate(future.result()):
            assert file_in(here.place, made.worktree, f"{key}.py") == f"{key}, turn {turn}\n".encode()
    git(payloads(here.place).path, "fsck", "--strict")


def test_a_damaged_history_is_not_pinned(here: Ledger) -> None:
    me = session(here)
    me.set("a", 1)
    store = here.place.store
    tip = store.commit(store.ref("refs/heads/main") or "")
    raw = store.commit_raw(tip.oid).replace(tip.tree.encode(), store.edit_tree(tip.tree, {"x": b"x"}).encode())
    store.move_ref("refs/heads/main", store.write_commit(raw), tip.oid)
    with pytest.raises(DamageError, match="not what the events say"):
        checkpoint(here.place, me.author, "by hand")
    assert list(list_checkpoints(here.place)) == []


def test_without_a_working_tree_nobody_who_captures_one_is_waited_for(here: Ledger) -> None:
    me = session(here)
    with Lock(here.layout.checkpoint_lock).hold(0):
        began = time.monotonic()
        checkpoint(here.place, me.author, "shutdown")
        assert time.monotonic() - began < 5


def test_while_writing_is_turned_off_nothing_is_captured(here: Ledger, project: Path) -> None:
    me = session(here)
    turn_off(here.layout, Switch(ALL))
    with pytest.raises(RefusedError):
        checkpoint(here.place, me.author, "by hand", project)
    assert payloads(here.place).refs("refs/heads/checkpoint/") == {}


def test_they_are_listed_the_newest_first_of_one_session_or_of_all(ledger: Ledger) -> None:
    one, two = session(ledger, "one"), session(ledger, "two")
    made = [checkpoint(ledger.place, author, "by hand") for author in (one.author, two.author, one.author)]
    assert list(list_checkpoints(ledger.place)) == made[::-1]
    assert list(list_checkpoints(ledger.place, one.id)) == [made[2], made[0]]


def test_another_event_is_no_checkpoint(ledger: Ledger) -> None:
    done = session(ledger).note("hello")
    with pytest.raises(NotFoundError, match=r"is no checkpoint, but note\.added"):
        find_checkpoint(ledger.place, done.events[0].id)
