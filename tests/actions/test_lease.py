"""Leases in a ledger: who gets them, who waits, and what becomes of those whose owner is gone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.actions.append import Draft
from ledger.actions.holding import live_leases, moment_at
from ledger.actions.lease import HeldError, acquire, leased, release, renew, renew_if_due
from ledger.actions.read import reader_at
from ledger.actions.session import Session
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger
from ledger.core.leases import do_exclude, leases_in
from ledger.errors import AmbiguousError, BusyError, InvalidError, NotFoundError, RefusedError, UsageError
from ledger.storage.switches import Switch, turn_off, turn_on
from ledger.testing import Clock, fixed

DAY = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "git"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """A new ledger whose clock the test moves."""
    sources = replace(fixed(clock), random62=lambda: int.from_bytes(os.urandom(7)))
    made = memory_ledger(sources=sources)
    if request.param == "git":
        made = create_ledger(tmp_path / "ledger", sources=sources)[0]
    with made:
        yield made


def at(ledger: Ledger, offset: float) -> Ledger:
    """The same ledger as seen by a machine whose clock is off by so many seconds."""
    clock = ledger.place.now
    return Ledger(replace(ledger.place, now=lambda: clock() + round(offset * 1_000_000)))


def agent(ledger: Ledger, name: str) -> Session:
    return ledger.session("agent", name)


def take(ledger: Ledger, name: str, *on: str, **how: object) -> str:
    return acquire(ledger.place, agent(ledger, name), on, **how).lease.id  # type: ignore[arg-type]


def held(ledger: Ledger) -> dict[str, bool]:
    """The names of all live leases, and whether they hold."""
    return {", ".join(one.lease.on): one.holds for one in live_leases(ledger.place)}


def types(ledger: Ledger, count: int) -> list[str]:
    tip = ledger.place.store.ref("refs/heads/main")
    assert tip is not None
    commits = list(ledger.place.store.walk([tip], order="newest"))[:count]
    return [c.message.split(b" ")[0].strip().decode() for c in reversed(commits)]


# Taking and giving back


def test_what_one_session_holds_is_refused_to_another_who_learns_by_whom_since_and_until_when(
    ledger: Ledger, clock: Clock
) -> None:
    mine = take(ledger, "1", "src/", because="rewrite")
    clock.advance(60)
    with pytest.raises(HeldError) as caught:
        take(ledger, "2", "src/a.py")
    assert caught.value.exit_code == 4
    assert [lease.id for lease in caught.value.holders] == [mine]
    who = f"agent/{agent(ledger, '1').id[:4]}"
    assert caught.value.message == (
        f"src is leased by {who}:\n"
        f"  src, exclusive, by {who} since 2026-11-22T15:13:04Z until 2026-11-22T15:23:04Z at least: rewrite"
    )
    assert "--wait" in str(caught.value.hint)


def test_what_is_refused_leaves_no_trace(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    tip = ledger.place.store.ref("refs/heads/main")
    with pytest.raises(HeldError):
        take(ledger, "2", "src")
    assert ledger.place.store.ref("refs/heads/main") == tip


def test_what_is_given_back_is_free(ledger: Ledger) -> None:
    take(ledger, "1", "src", "docs")
    assert [lease.on for lease in release(ledger.place, agent(ledger, "1"), ["docs/"])] == [("src", "docs")]
    take(ledger, "2", "src")
    assert held(ledger) == {"src": True}


def test_a_lease_holds_until_its_time_is_over(ledger: Ledger, clock: Clock) -> None:
    take(ledger, "1", "src", ttl=600)
    clock.advance(599)
    with pytest.raises(HeldError):
        take(ledger, "2", "src")
    clock.advance(2)
    take(ledger, "2", "src")
    assert held(ledger) == {"src": True}


def test_shared_leases_stand_together_and_keep_an_exclusive_one_out(ledger: Ledger) -> None:
    take(ledger, "1", "src", shared=True)
    take(ledger, "2", "src", shared=True)
    with pytest.raises(HeldError) as caught:
        take(ledger, "3", "src")
    assert len(caught.value.holders) == 2


def test_what_a_session_takes_again_is_renewed_and_what_it_takes_within_its_own_is_a_lease_beside(
    ledger: Ledger, clock: Clock
) -> None:
    first = take(ledger, "1", "src")
    clock.advance(500)
    assert take(ledger, "1", "./src/", ttl=60) == first
    (one,) = live_leases(ledger.place)
    assert one.ends == ledger.place.now() // 1000 * 1000 + 60_000_000
    assert take(ledger, "1", "src/a.py") != first


def test_the_end_of_a_session_frees_what_it_held(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    agent(ledger, "1").end()
    take(ledger, "2", "src")


def test_a_lease_of_a_session_that_ended_elsewhere_and_did_not_list_it_is_over_and_taken_away(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    agent(ledger, "1").record([Draft("session.ended", {})])
    agent(ledger, "1").publish()
    assert held(ledger) == {}
    take(ledger, "2", "src")
    assert types(ledger, 3) == ["session.started", "lease.released", "lease.acquired"]


def test_every_name_that_cannot_be_leased_is_refused_at_once(ledger: Ledger) -> None:
    with pytest.raises(InvalidError) as caught:
        take(ledger, "1", "src/*.py", "../x", "fine")
    assert [problem.path for problem in caught.value.problems] == ["src/*.py", "../x"]


def test_a_private_session_holds_no_lease_as_nobody_would_see_it(ledger: Ledger) -> None:
    with pytest.raises(RefusedError, match="private"):
        ledger.session("agent", "1", private=True).acquire("src")
    assert held(ledger) == {}


def test_while_sync_is_off_no_lease_is_given_and_what_is_given_back_is_free_once_it_is_on(root: Path) -> None:
    with open_ledger(root) as ledger:
        session, layout = agent(ledger, "1"), ledger.layout
        session.acquire("src")
        turn_off(layout, Switch("sync", because="a bad merge"))
        for refused in (lambda: session.acquire("docs"), session.renew):
            with pytest.raises(RefusedError, match="a bad merge"):
                refused()
        assert [lease.on for lease in session.release("src")] == [("src",)]
        assert session.release() == []
        assert held(ledger) == {"src": True}
        turn_on(layout, "sync")
        session.publish()
        assert held(ledger) == {}


# Renewing


def test_an_owner_renews_and_nobody_else_can(ledger: Ledger, clock: Clock) -> None:
    mine = take(ledger, "1", "src")
    clock.advance(500)
    (renewed,) = renew(ledger.place, agent(ledger, "1"))
    assert renewed.ends == ledger.place.now() // 1000 * 1000 + 600_000_000
    with pytest.raises(RefusedError, match="only its owner renews it"):
        renew(ledger.place, agent(ledger, "2"), ["src"])
    agent(ledger, "2").write([Draft("lease.renewed", {"lease": mine, "ttl": 9999})])
    assert live_leases(ledger.place)[0].ends == renewed.ends
    assert verify(ledger.place).ok


def test_it_is_renewed_when_half_of_its_time_is_over(ledger: Ledger, clock: Clock) -> None:
    session = agent(ledger, "1")
    lease = acquire(ledger.place, session, ["src"]).lease
    clock.advance(299)
    assert not renew_if_due(ledger.place, session, lease)
    clock.advance(1)
    assert renew_if_due(ledger.place, session, lease)
    assert not renew_if_due(ledger.place, session, lease)


def test_what_ran_out_is_renewed_if_nobody_has_taken_it_and_refused_if_somebody_has(
    ledger: Ledger, clock: Clock
) -> None:
    take(ledger, "1", "src")
    clock.advance(601)
    renew(ledger.place, agent(ledger, "1"), ["src"])
    clock.advance(601)
    take(ledger, "2", "src")
    with pytest.raises(HeldError):
        renew(ledger.place, agent(ledger, "1"), ["src"])
    assert renew(ledger.place, agent(ledger, "1")) == []
    assert held(ledger) == {"src": True}


def test_a_lease_that_was_taken_away_cannot_be_renewed(ledger: Ledger) -> None:
    session = agent(ledger, "1")
    lease = acquire(ledger.place, session, ["src"]).lease
    release(ledger.place, agent(ledger, "2"), ["src"], force=True, because="it hangs")
    with pytest.raises(NotFoundError):
        renew_if_due(ledger.place, session, lease)


# Releasing what belongs to others


def test_the_lease_of_a_session_that_may_live_is_taken_by_force_alone_and_with_a_reason(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    other = agent(ledger, "2")
    with pytest.raises(RefusedError, match="not known to be dead"):
        release(ledger.place, other, ["src"])
    with pytest.raises(UsageError):
        release(ledger.place, other, ["src"], force=True)
    release(ledger.place, other, ["src"], force=True, because="its agent hangs")
    assert held(ledger) == {}
    assert types(ledger, 1) == ["lease.released"]


def test_a_release_without_a_reason_by_another_session_changes_nothing(ledger: Ledger) -> None:
    mine = take(ledger, "1", "src")
    agent(ledger, "2").write([Draft("lease.released", {"lease": mine})])
    assert held(ledger) == {"src": True}


def test_a_name_means_the_sessions_own_lease_before_those_of_others(ledger: Ledger) -> None:
    for name in ("1", "2", "3"):
        take(ledger, name, "src", shared=True)
    assert release(ledger.place, agent(ledger, "2"), ["src"])[0].session == agent(ledger, "2").id
    with pytest.raises(AmbiguousError):
        release(ledger.place, agent(ledger, "2"), ["src"])
    with pytest.raises(NotFoundError):
        release(ledger.place, agent(ledger, "2"), ["nothing"])


def test_a_lease_is_found_by_its_id_and_all_of_a_session_go_without_a_name(ledger: Ledger) -> None:
    first = take(ledger, "1", "src")
    take(ledger, "1", "docs")
    take(ledger, "1", "tests")
    assert [lease.id for lease in release(ledger.place, agent(ledger, "1"), [first])] == [first]
    assert len(release(ledger.place, agent(ledger, "1"))) == 2
    assert release(ledger.place, agent(ledger, "1")) == []


# Clocks that are wrong


def test_a_clock_two_days_ahead_does_not_take_for_ever_what_others_hold(ledger: Ledger, clock: Clock) -> None:
    """It may believe the lease over and take one beside it; the first still holds, and at its renewal both know."""
    ahead = at(ledger, 2 * DAY)
    mine = take(ledger, "1", "src")
    take(ahead, "2", "src/a.py")
    assert held(ledger) == {"src": True, "src/a.py": False}
    clock.advance(300)
    renew(ledger.place, agent(ledger, "1"), [mine])
    assert held(ledger) == {"src": True, "src/a.py": False}
    assert held(ahead) == {"src": True, "src/a.py": False}


def test_a_clock_two_days_behind_takes_nothing_and_its_own_lease_has_its_full_time(
    ledger: Ledger, clock: Clock
) -> None:
    behind = at(ledger, -2 * DAY)
    take(ledger, "1", "src")
    with pytest.raises(HeldError):
        take(behind, "2", "src")
    take(behind, "2", "docs")
    clock.advance(590)
    with pytest.raises(HeldError):
        take(ledger, "1", "docs")
    clock.advance(11)
    take(ledger, "1", "docs")


def test_what_a_clock_two_days_ahead_has_taken_is_freed_by_force_or_by_time(ledger: Ledger, clock: Clock) -> None:
    take(at(ledger, 2 * DAY), "2", "src")
    with pytest.raises(HeldError):
        take(ledger, "1", "src")
    clock.advance(2 * DAY + 601)
    take(ledger, "1", "src")


def test_leases_that_nobody_can_believe_in_are_cleared_away_by_the_next(ledger: Ledger, clock: Clock) -> None:
    take(ledger, "1", "src")
    clock.advance(8 * DAY)
    agent(ledger, "2").note("the ledger's own time goes on too")
    take(ledger, "2", "docs")
    assert [lease.on for lease in leases_in(reader_at(ledger.place))] == [("docs",)]
    assert types(ledger, 2) == ["lease.released", "lease.acquired"]


# Waiting


def test_who_waits_gets_it_when_it_is_given_back(root: Path) -> None:
    with open_ledger(root) as one, open_ledger(root) as two:
        take(one, "1", "src")
        timer = threading.Timer(0.3, lambda: _release_elsewhere(root))
        timer.start()
        assert acquire(two.place, agent(two, "2"), ["src"], wait=20).holds
        timer.join()


def _release_elsewhere(root: Path) -> None:
    with open_ledger(root) as ledger:
        release(ledger.place, agent(ledger, "1"))


def test_who_waits_gets_what_a_session_held_that_dies_meanwhile(
    disk_ledger: Ledger, sleeper: subprocess.Popen[bytes]
) -> None:
    agent(disk_ledger, "1").start(pid=sleeper.pid)
    take(disk_ledger, "1", "src")

    def kill() -> None:
        sleeper.kill()
        sleeper.wait()

    timer = threading.Timer(0.3, kill)
    timer.start()
    assert acquire(disk_ledger.place, agent(disk_ledger, "2"), ["src"], wait=20).holds
    timer.join()


def test_who_has_waited_in_vain_learns_for_whom(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    started = time.monotonic()
    with pytest.raises(BusyError, match=r"src is leased by agent/.*\n.*\n  still so after 0\.3 s") as caught:
        take(ledger, "2", "src", wait=0.3)
    assert time.monotonic() - started >= 0.3
    assert caught.value.exit_code == 5


# Owners that are dead, stopped, or reborn


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_what_a_dead_session_held_is_taken_over_and_the_log_says_why(
    disk_ledger: Ledger, sleeper: subprocess.Popen[bytes]
) -> None:
    agent(disk_ledger, "1").start(pid=sleeper.pid)
    take(disk_ledger, "1", "src")
    with pytest.raises(HeldError):
        take(disk_ledger, "2", "src")
    sleeper.kill()
    sleeper.wait()
    take(disk_ledger, "2", "src")
    assert held(disk_ledger) == {"src": True}
    tip = disk_ledger.place.store.ref("refs/heads/main")
    commits = disk_ledger.place.store.walk([str(tip)])
    freed = next(c for c in commits if c.message.startswith(b"lease.released"))
    assert f"its owner is dead: process {sleeper.pid} is gone" in freed.message.decode()


def test_a_session_that_is_stopped_holds_until_its_time_is_over(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], clock: Clock
) -> None:
    with create_ledger(tmp_path / "ledger", sources=fixed(clock))[0] as ledger:
        agent(ledger, "1").start(pid=sleeper.pid)
        take(ledger, "1", "src", ttl=5)
        sleeper.send_signal(signal.SIGSTOP)
        with pytest.raises(HeldError):
            take(ledger, "2", "src")
        clock.advance(86_400)
        take(ledger, "2", "src")


def _hold_and_come_back(root: str, pipe: Connection) -> None:
    """Take a lease as a process that stays; when asked, try to renew it, and say how that went."""
    with open_ledger(root) as ledger:
        session = agent(ledger, "1")
        session.start()
        pipe.send(session.acquire("src", ttl=2).lease.id)
        pipe.recv()
        try:
            session.renew("src")
        except HeldError as error:
            pipe.send([lease.session for lease in error.holders])
        pipe.recv()


@pytest.fixture
def worker(root: Path) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    """A process that holds a lease for 2 seconds, and what one can ask it by."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_hold_and_come_back, args=(str(root), there))
    process.start()
    assert here.poll(60)
    assert here.recv()
    yield process, here
    process.kill()
    process.join(30)


def test_a_process_that_slept_through_its_lease_learns_on_waking_that_another_has_it(
    root: Path, worker: tuple[multiprocessing.process.BaseProcess, Connection]
) -> None:
    process, pipe = worker
    os.kill(process.pid or 0, signal.SIGSTOP)
    with open_ledger(root) as ledger:
        assert acquire(ledger.place, agent(ledger, "2"), ["src"], wait=20).holds
        os.kill(process.pid or 0, signal.SIGCONT)
        pipe.send("renew")
        assert pipe.poll(30)
        assert pipe.recv() == [agent(ledger, "2").id]
        assert held(ledger) == {"src": True}


def test_what_a_process_that_stays_held_is_free_the_moment_it_is_killed(
    root: Path, worker: tuple[multiprocessing.process.BaseProcess, Connection]
) -> None:
    process, _ = worker
    process.kill()
    process.join(30)
    with open_ledger(root) as ledger:
        take(ledger, "2", "src")
        assert [one.lease.session for one in live_leases(ledger.place)] == [agent(ledger, "2").id]


def test_a_session_whose_process_id_belongs_to_another_process_by_now_is_dead(
    disk_ledger: Ledger, sleeper: subprocess.Popen[bytes]
) -> None:
    session = agent(disk_ledger, "1")
    session.start(pid=sleeper.pid)
    take(disk_ledger, "1", "src")
    path = disk_ledger.layout.live / session.id
    started = path.read_text().split('"started": "')[1].split('"')[0]
    path.write_text(path.read_text().replace(f'"started": "{started}"', f'"started": "{"1" * len(started)}"'))
    take(disk_ledger, "2", "src")
    assert [one.lease.session for one in live_leases(disk_ledger.place)] == [agent(disk_ledger, "2").id]


def test_a_session_that_was_recorded_as_crashed_loses_what_it_held_to_who_asks(ledger: Ledger) -> None:
    take(ledger, "1", "src")
    agent(ledger, "1").write([Draft("session.crashed", {"reason": "its window is gone"})])
    take(ledger, "2", "src")


# Two that did not see each other


def test_of_two_leases_that_a_merge_brings_together_the_smaller_id_holds_and_the_other_waits(
    ledger: Ledger, clock: Clock
) -> None:
    one, two = agent(ledger, "1"), agent(ledger, "2")
    claim = Draft("lease.acquired", {"on": ["src"], "mode": "exclusive", "ttl": 600})
    for session in (one, two):
        session.record([claim])
        clock.advance(1)
    for session in (two, one):
        session.publish()
    assert [(found.lease.session, found.holds) for found in live_leases(ledger.place)] == [
        (one.id, True),
        (two.id, False),
    ]
    (waiting,) = two.renew()
    assert [lease.session for lease in waiting.waits_for] == [one.id]
    one.release()
    assert [(found.lease.session, found.holds) for found in live_leases(ledger.place)] == [(two.id, True)]
    assert verify(ledger.place).ok


# Many at once


def _race(root: str, name: str, results: object) -> None:
    with open_ledger(root) as ledger:
        try:
            take(ledger, name, "src")
        except HeldError:
            results.put((name, False))  # type: ignore[attr-defined]
        else:
            results.put((name, True))  # type: ignore[attr-defined]


def test_of_sessions_that_want_the_same_at_once_exactly_one_gets_it(root: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    racers = [spawn.Process(target=_race, args=(str(root), str(number), results)) for number in range(4)]
    for racer in racers:
        racer.start()
    found = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(30)
    assert sum(won for _, won in found) == 1
    with open_ledger(root) as ledger:
        assert held(ledger) == {"src": True}
        assert verify(ledger.place).ok


STEPS = st.tuples(
    st.sampled_from(["acquire", "release", "renew", "end", "later"]),
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(["src", "src/a", "src/b", "docs"]),
    st.booleans(),
)


@settings(max_examples=25)
@given(st.lists(STEPS, max_size=25))
def test_whatever_sessions_do_no_two_hold_what_excludes_the_other(steps: list[tuple[str, str, str, bool]]) -> None:
    clock = Clock()
    with memory_ledger(sources=fixed(clock)) as ledger:
        for verb, name, path, is_shared in steps:
            session = agent(ledger, name)
            clock.advance(400 if verb == "later" else 1)
            with contextlib.suppress(HeldError, NotFoundError, RefusedError):
                if verb == "acquire":
                    assert session.acquire(path, shared=is_shared).holds
                elif verb == "release":
                    session.release(path)
                elif verb == "renew":
                    session.renew()
                elif verb == "end":
                    session.end()
            holding = [one.lease for one in live_leases(ledger.place) if one.holds]
            assert not any(do_exclude(a, b) for a in holding for b in holding)
        assert verify(ledger.place).ok


# From a program


def test_a_block_holds_a_lease_and_gives_it_back_whatever_happens(ledger: Ledger) -> None:
    seen: list[dict[str, bool]] = []

    def work() -> None:
        with leased(ledger.place, agent(ledger, "1"), ["src"]):
            seen.append(held(ledger))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert seen == [{"src": True}]
    assert held(ledger) == {}


def test_a_block_keeps_what_was_held_before_it(ledger: Ledger) -> None:
    session = agent(ledger, "1")
    with session.lease("src"):
        with session.lease("src"):
            pass
        assert held(ledger) == {"src": True}
    assert held(ledger) == {}


def test_the_moment_of_judgement_is_the_clock_and_the_newest_event(ledger: Ledger, clock: Clock) -> None:
    take(ledger, "1", "src")
    clock.advance(-60)
    found = moment_at(ledger.place)
    assert found.clock == clock()
    assert found.newest == clock() + 60_000_000


def test_a_session_takes_renews_and_gives_back(ledger: Ledger, clock: Clock) -> None:
    session = agent(ledger, "1")
    assert session.acquire("src", "docs", because="rewrite").holds
    clock.advance(300)
    assert [one.lease.on for one in session.renew(only_due=True)] == [("src", "docs")]
    assert session.renew(only_due=True) == []
    assert [lease.because for lease in session.release("src")] == ["rewrite"]
    with session.lease("src", shared=True) as lease:
        assert lease.is_shared
        assert held(ledger) == {"src": True}
    assert held(ledger) == {}
