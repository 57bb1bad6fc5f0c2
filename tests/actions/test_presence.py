"""Who is there, and what each is doing: judged from the roster and from processes, never recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.append import Draft, append_shared
from ledger.actions.presence import IDLE, Present, absent, presence
from ledger.actions.roster import find_past, past_sessions
from ledger.api import Ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.errors import AmbiguousError, BusyError, InvalidError, NotFoundError
from ledger.storage import live
from ledger.storage.layout import session_ref

Sleeper = subprocess.Popen[bytes]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def the_one(ledger: Ledger) -> Present:
    """The session of the agent `a`."""
    (found,) = [one for one in presence(ledger.place) if one.agent == "a"]
    return found


def age(ledger: Ledger, session: str, seconds: float) -> None:
    """Let the last sign of a session, and of what it wrote, be so old."""
    then = time.time() - seconds
    for path in (ledger.layout.live / session, ledger.layout.journal_of(session)):
        os.utime(path, (then, then))


def types(ledger: Ledger) -> list[str]:
    tip = ledger.place.store.ref("refs/heads/main")
    assert tip is not None
    return [c.message.split(b" ")[0].strip().decode() for c in ledger.place.store.walk([tip], order="oldest")]


# States


def test_a_session_that_nobody_claimed_is_idle_not_crashed(ledger: Ledger) -> None:
    ledger.session("a", "1", role="reviewer", branch="main", host="desk").set("k", "v")
    found = the_one(ledger)
    assert (found.state, found.pid, found.verdict) == ("idle", None, "none")
    assert (found.key, found.role, found.branch, found.host) == ("1", "reviewer", "main", "desk")


def test_a_session_that_runs_works_until_it_says_that_it_waits(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    assert (the_one(disk_ledger).state, the_one(disk_ledger).pid) == ("working", sleeper.pid)
    session.tell("waiting")
    assert the_one(disk_ledger).state == "waiting"
    session.tell("working")
    assert the_one(disk_ledger).state == "working"


def test_a_session_that_works_and_does_nothing_for_long_is_idle_until_it_writes(
    disk_ledger: Ledger, sleeper: Sleeper
) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    path = disk_ledger.layout.live / session.id
    path.write_text(json.dumps(json.loads(path.read_text()) | {"since": 0.5}))
    age(disk_ledger, session.id, IDLE + 60)
    found = presence_at(disk_ledger, seconds=IDLE + 60)
    assert (found.state, found.verdict) == ("idle", "alive")
    assert found.quiet > IDLE
    session.set("k", "v")
    assert presence_at(disk_ledger, seconds=IDLE + 60).state == "working"


def presence_at(ledger: Ledger, seconds: float) -> Present:
    """The session as it is seen so much later, as far as events go."""
    now = ledger.place.now
    ledger.place.now = lambda: now() + round(seconds * 1_000_000)
    try:
        return the_one(ledger)
    finally:
        ledger.place.now = now


def test_a_session_that_waits_may_wait_for_days(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=sleeper.pid)
    session.tell("waiting")
    age(disk_ledger, session.id, 5 * 86_400)
    assert presence_at(disk_ledger, 5 * 86_400).state == "waiting"


def test_a_session_is_crashed_once_its_process_is_proven_dead(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    disk_ledger.session("a", "1").start(pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    found = the_one(disk_ledger)
    assert (found.state, found.verdict, found.why) == ("crashed", "dead", f"process {sleeper.pid} is gone")


def test_a_frozen_session_is_idle_and_says_why(disk_ledger: Ledger, sleeper: Sleeper) -> None:
    disk_ledger.session("a", "1").start(pid=sleeper.pid)
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    found = the_one(disk_ledger)
    assert (found.state, found.verdict) == ("idle", "frozen")
    assert "is stopped" in found.why


def test_a_session_elsewhere_is_idle_when_it_is_silent_for_long(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=os.getpid())
    path = disk_ledger.layout.live / session.id
    path.write_text(path.read_text().replace('"pids": "', '"pids": "another '))
    assert (the_one(disk_ledger).state, the_one(disk_ledger).verdict) == ("working", "unknown")
    session.tell("waiting")
    then = time.time() - IDLE - 60
    os.utime(path, (then, then))
    assert the_one(disk_ledger).state == "idle"


def test_a_live_file_that_cannot_be_read_makes_nobody_crashed(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.start(pid=os.getpid())
    (disk_ledger.layout.live / session.id).write_bytes(b"\0")
    assert (the_one(disk_ledger).state, the_one(disk_ledger).verdict) == ("idle", "unreadable")


def test_a_recorded_crash_counts_until_the_session_lives_again(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    session.set("k", "v")
    append_shared(disk_ledger.place, session.author, [Draft("session.crashed", {"reason": "killed"})])
    assert the_one(disk_ledger).state == "crashed"
    session.resume(pid=os.getpid())
    assert the_one(disk_ledger).state == "working"


def test_a_file_without_a_session_on_the_roster_is_nobody(disk_ledger: Ledger) -> None:
    live.claim(disk_ledger.layout, SessionId.of("a", "1"))
    assert presence(disk_ledger.place) == [one for one in presence(disk_ledger.place) if one.agent != "a"]


def test_a_session_with_a_line_of_its_own_is_there(ledger: Ledger) -> None:
    ledger.session("a", "1", private=True).record([Draft("note.added", {"text": "x"})])
    assert (the_one(ledger).private, the_one(ledger).state) == (True, "idle")


def test_a_branch_that_was_left_behind_brings_no_ended_session_back(ledger: Ledger) -> None:
    """A kill between the end of a session and that of its branch leaves a branch that main holds already."""
    session = ledger.session("a", "1")
    session.record([Draft("note.added", {"text": "x"})])
    own = ledger.place.store.ref(session_ref(session.id))
    session.end()
    assert ledger.place.store.move_ref(session_ref(session.id), own, None)
    assert [one for one in presence(ledger.place) if one.agent == "a"] == []
    with pytest.raises(NotFoundError):
        ledger.session_named(session.id)


def test_what_is_no_session_id_in_a_foreign_tree_is_nobody(ledger: Ledger) -> None:
    store = ledger.place.store
    tip = store.ref("refs/heads/main")
    assert tip is not None
    tree = store.commit(tip).tree
    forged = store.edit_tree(tree, {"sessions/x/session.yaml": b"agent: a\n"})
    oid = store.write_commit(store.commit_raw(tip).replace(tree.encode(), forged.encode()))
    assert store.move_ref("refs/heads/main", oid, tip)
    assert store.move_ref("refs/heads/session/y", oid, None)
    assert presence(ledger.place) == []


def test_the_task_of_a_session_is_the_one_that_it_has_begun(ledger: Ledger) -> None:
    session = ledger.session("a", "1")
    session.write([Draft("task.created", {"task": "one", "title": "One"})])
    assert the_one(ledger).task == ""
    session.write([Draft("task.started", {"task": "one"})])
    assert the_one(ledger).task == "one"
    session.write([Draft("task.completed", {"task": "one"})])
    assert the_one(ledger).task == ""


def test_the_session_seen_last_comes_first(disk_ledger: Ledger) -> None:
    for key in ("1", "2", "3"):
        disk_ledger.session("a", key).set("k", key)
    age_of = {"1": 300, "2": 100, "3": 200}
    for key, seconds in age_of.items():
        then = time.time() - seconds
        os.utime(disk_ledger.layout.journal_of(SessionId.of("a", key)), (then, then))
    now = disk_ledger.place.now
    disk_ledger.place.now = lambda: now() + 1_000_000_000
    found = [one.key for one in presence(disk_ledger.place) if one.agent == "a"]
    assert found == ["2", "3", "1"]


# Start, resume, end


def test_the_process_that_starts_a_session_holds_it_until_it_ends_it(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    threads = threading.active_count()
    session.start()
    assert threading.active_count() == threads  # nobody would end it
    found = live.look(disk_ledger.layout, session.id)
    assert found is not None
    assert (found.verdict, found.claim and found.claim.pid) == ("alive", os.getpid())
    session.start()
    assert the_one(disk_ledger).state == "working"
    session.end("done")
    assert live.look(disk_ledger.layout, session.id) is None
    assert [one for one in presence(disk_ledger.place) if one.agent == "a"] == []


def test_a_session_that_another_process_runs_is_refused_with_nothing_written(
    disk_ledger: Ledger, sleeper: Sleeper
) -> None:
    disk_ledger.session("a", "1").start(pid=sleeper.pid)
    before = types(disk_ledger)
    for verb in ("start", "resume"):
        with pytest.raises(BusyError, match=f"process {sleeper.pid} "):
            getattr(disk_ledger.session("a", "1"), verb)()
    assert types(disk_ledger) == before


def test_a_start_that_is_refused_leaves_no_live_file(disk_ledger: Ledger) -> None:
    session = disk_ledger.session("a", "1")
    with pytest.raises(InvalidError):
        session.start(role="x" * 65)
    assert live.look(disk_ledger.layout, session.id) is None
    session.start(role="y")
    session.end()


def test_the_end_of_a_session_frees_its_leases_and_shares_what_it_had(ledger: Ledger) -> None:
    session, other = ledger.session("a", "1"), ledger.session("b", "1")
    mine = session.write([Draft("lease.acquired", {"on": ["src"], "mode": "exclusive", "ttl": 60})]).events[0].id
    session.write([Draft("lease.renewed", {"lease": mine})])
    theirs = other.write([Draft("lease.acquired", {"on": ["doc"], "mode": "exclusive", "ttl": 60})]).events[0].id
    session.record([Draft("note.added", {"text": "mine alone so far"})])
    done = session.end("finished")
    assert done.events[0].data == {"reason": "finished", "leases": [mine]}
    assert "note.added:" in types(ledger)
    assert ledger.place.store.ref(session_ref(session.id)) is None
    (left,) = ledger.place.store.tree_entries(ledger.place.store.commit(done.commits[0]).tree, "leases/")
    assert left.name == f"{theirs}.yaml"


def test_ending_twice_writes_nothing_the_second_time(ledger: Ledger) -> None:
    session = ledger.session("a", "1")
    session.start()
    assert len(session.end().events) == 1
    assert session.end().events == ()
    assert ledger.session("a", "never").end().events == ()


def test_a_session_that_has_ended_can_be_resumed(ledger: Ledger) -> None:
    session = ledger.session("a", "1", role="reviewer")
    session.start()
    session.end("lunch")
    past = find_past(ledger.place, "1")
    assert past is not None
    assert (past.author, past.told["role"], past.reason) == (session.author, "reviewer", "lunch")
    again = ledger.session(past.author.agent, str(past.told["key"]), role="author")
    done = again.resume()
    assert [event.type for event in done.events] == ["session.resumed"]
    assert the_one(ledger).role == "author"
    assert past_sessions(ledger.place) == []
    again.end()


def test_a_session_of_which_nothing_is_known_cannot_be_resumed(ledger: Ledger) -> None:
    session = ledger.session("a", "1")
    session.start()
    named = ledger.session_named("1")
    session.end()
    with pytest.raises(NotFoundError, match="not on the roster"):
        named.resume()


def test_closing_a_ledger_ends_no_session(root: Path) -> None:
    with open_ledger(root) as ledger:
        ledger.session("a", "1").start(pid=os.getpid())
    with open_ledger(root) as again:
        assert the_one(again).state == "working"


# The past


def test_the_past_is_told_from_the_newest_end_as_far_as_is_wanted(ledger: Ledger) -> None:
    for number in range(4):
        session = ledger.session("a", str(number))
        session.start()
        session.end(f"end {number}")
    ledger.session("a", "still here").start(pid=os.getpid())
    assert [one.reason for one in past_sessions(ledger.place)] == ["end 3", "end 2", "end 1", "end 0"]
    assert [one.told["key"] for one in past_sessions(ledger.place, 2)] == ["3", "2"]
    ended = absent(past_sessions(ledger.place, 1)[0])
    assert (ended.state, ended.agent, ended.key, ended.why) == ("ended", "a", "3", "end 3")


def test_a_name_that_fits_several_past_sessions_is_refused_with_all_of_them(ledger: Ledger) -> None:
    for agent in ("a", "b"):
        session = ledger.session(agent, "same")
        session.start()
        session.end()
    with pytest.raises(AmbiguousError) as refused:
        find_past(ledger.place, "same")
    assert len(refused.value.matches) == 2
    assert find_past(ledger.place, "nobody") is None
    found = find_past(ledger.place, SessionId.of("a", "same")[:30])
    assert found is not None
    assert found.author.agent == "a"
