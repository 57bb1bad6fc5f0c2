"""Tasks in a ledger: who does what, which steps make sense, and who is first."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.actions.append import Draft
from ledger.actions.presence import presence
from ledger.actions.session import Session
from ledger.actions.task import assign_task, complete_task, create_task, fail_task, start_task, task_after
from ledger.actions.todo import Task, find_task, list_tasks, open_tasks
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger
from ledger.errors import InvalidError, NotFoundError, RefusedError, UsageError
from ledger.testing import Clock, fixed

MINUTE = 60_000_000


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


@pytest.fixture
def sleepers() -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts processes that do nothing for a while."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def agent(ledger: Ledger, name: str, **roster: str) -> Session:
    return ledger.session("agent", name, **roster)


def task(ledger: Ledger, name: str = "port-auth") -> Task:
    return find_task(ledger.place, name)


# A task's life


def test_a_task_goes_from_open_to_its_outcome_and_its_times_are_kept(ledger: Ledger, clock: Clock) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port the login", name="port-auth", about="All three clients.", role="dev")
    assert (task(ledger).status, task(ledger).role, task(ledger).about) == ("open", "dev", "All three clients.")
    clock.advance(60)
    start_task(ledger.place, one, "port-auth")
    assert (task(ledger).status, task(ledger).to) == ("started", one.id)
    clock.advance(120)
    complete_task(one, "port-auth", "merged")
    clock.advance(600)
    done = task(ledger)
    assert (done.status, done.outcome, done.waited(clock()), done.took(clock())) == (
        "completed",
        "merged",
        MINUTE,
        2 * MINUTE,
    )
    assert verify(ledger.place).ok


def test_until_it_ends_a_task_takes_the_time_since_it_was_begun(ledger: Ledger, clock: Clock) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port the login", name="port-auth")
    clock.advance(60)
    assert (task(ledger).waited(clock()), task(ledger).took(clock())) == (MINUTE, None)
    start_task(ledger.place, one, "port-auth")
    clock.advance(60)
    assert (task(ledger).waited(clock()), task(ledger).took(clock())) == (MINUTE, MINUTE)


def test_a_failed_task_says_why_and_can_be_begun_again(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port the login", name="port-auth")
    fail_task(one, "port-auth", "the API is gone")
    assert (task(ledger).status, task(ledger).outcome) == ("failed", "the API is gone")
    start_task(ledger.place, agent(ledger, "2"), "port-auth")
    assert (task(ledger).status, task(ledger).to, task(ledger).ended) == ("started", agent(ledger, "2").id, None)


def test_open_tasks_are_those_not_done_the_oldest_first(ledger: Ledger, clock: Clock) -> None:
    one = agent(ledger, "1")
    for name in ("c", "b", "a"):
        create_task(ledger.place, one, name.upper(), name=name)
        clock.advance(1)
    complete_task(one, "b")
    assert [found.name for found in open_tasks(ledger.place)] == ["c", "a"]
    assert [found.name for found in list_tasks(ledger.place)] == ["c", "b", "a"]


# Names


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Port the login", "port-the-login"),
        ("Fix src/auth.py: refresh!", "fix-src-auth.py-refresh"),
        ("日本語", "task"),
        (
            "A title that goes on and on until nobody would want it as a name",
            "a-title-that-goes-on-and-on-until-nobody-would",
        ),
        ("x" * 200, "x" * 48),
        ("con", "x-con"),
        ("save a.yaml", "save-a"),
    ],
)
def test_a_task_without_a_name_is_named_by_its_title(ledger: Ledger, title: str, name: str) -> None:
    create_task(ledger.place, agent(ledger, "1"), title)
    assert task(ledger, name).title == title


def test_a_secret_in_a_title_is_not_in_the_name_either(ledger: Ledger) -> None:
    create_task(ledger.place, agent(ledger, "1"), "Rotate ghp_" + "1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R")
    (found,) = list_tasks(ledger.place)
    assert found.title.startswith("Rotate [redacted:")
    assert found.name.startswith("rotate-redacted-")


def test_a_name_that_is_taken_gets_a_number(ledger: Ledger) -> None:
    for _ in range(3):
        create_task(ledger.place, agent(ledger, "1"), "Port it")
    assert [found.name for found in list_tasks(ledger.place)] == ["port-it", "port-it-2", "port-it-3"]


def test_a_name_that_was_given_is_not_changed_but_refused_where_it_is_taken_or_none(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port it", name="port")
    with pytest.raises(RefusedError, match=r"there is a task 'port' already \(open\): Port it"):
        create_task(ledger.place, one, "Another", name="port")
    with pytest.raises(InvalidError, match="one segment"):
        create_task(ledger.place, one, "Another", name="a/b")
    with pytest.raises(InvalidError):
        create_task(ledger.place, one, "Another", name="A B")


def test_an_unknown_task_is_not_found_and_the_nearest_is_named(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port it", name="port-auth")
    for step in (
        lambda: complete_task(one, "port-aut"),
        lambda: fail_task(one, "port-aut", "x"),
        lambda: start_task(ledger.place, one, "port-aut"),
        lambda: assign_task(ledger.place, one, "port-aut", role="dev"),
    ):
        with pytest.raises(NotFoundError) as caught:
            step()
        assert caught.value.hint == "did you mean: port-auth?"


# Steps that make no sense


def test_a_completed_task_is_done_until_it_is_opened_again(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port it", name="port-auth")
    complete_task(one, "port-auth", "merged")
    for step in (
        lambda: start_task(ledger.place, one, "port-auth"),
        lambda: complete_task(one, "port-auth"),
        lambda: fail_task(one, "port-auth", "no"),
    ):
        with pytest.raises(RefusedError, match=r"completed.*: merged") as caught:
            step()
        assert caught.value.hint == "to do it again, open it first: ledger task assign port-auth --to me"
    assign_task(ledger.place, one, "port-auth", to=one.id)
    start_task(ledger.place, one, "port-auth")
    assert (task(ledger).status, task(ledger).outcome) == ("started", "")


def test_what_one_session_has_begun_no_other_begins_or_gives_away(ledger: Ledger) -> None:
    one, two = agent(ledger, "1"), agent(ledger, "2")
    create_task(ledger.place, one, "Port it", name="port-auth")
    start_task(ledger.place, one, "port-auth")
    for step in (
        lambda: start_task(ledger.place, two, "port-auth"),
        lambda: assign_task(ledger.place, two, "port-auth", to=two.id),
    ):
        with pytest.raises(RefusedError, match=f"agent/{one.id[:4]} is at work on task 'port-auth'"):
            step()
    assert start_task(ledger.place, one, "port-auth").events == ()
    assert (task(ledger).status, task(ledger).to) == ("started", one.id)


def test_what_is_for_one_session_another_does_not_begin_before_it_is_given_to_it(ledger: Ledger) -> None:
    one, two = agent(ledger, "1"), agent(ledger, "2")
    two.note("here")
    create_task(ledger.place, one, "Port it", name="port-auth", to=two.id)
    with pytest.raises(RefusedError, match=f"agent/{two.id[:4]} is to do task 'port-auth'"):
        start_task(ledger.place, one, "port-auth")
    assign_task(ledger.place, one, "port-auth", to=one.id)
    start_task(ledger.place, one, "port-auth")


def test_what_a_session_had_begun_that_has_ended_another_takes_over(ledger: Ledger, clock: Clock) -> None:
    one, two = agent(ledger, "1"), agent(ledger, "2")
    create_task(ledger.place, one, "Port it", name="port-auth")
    start_task(ledger.place, one, "port-auth")
    clock.advance(60)
    one.end()
    assert [event.type for event in start_task(ledger.place, two, "port-auth").events] == [
        "task.assigned",
        "task.started",
    ]
    assert (task(ledger).to, task(ledger).started) == (two.id, clock())


def test_a_role_alone_takes_the_task_from_whoever_had_it(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    create_task(ledger.place, one, "Port it", name="port-auth", to=one.id)
    assign_task(ledger.place, one, "port-auth", role="dev")
    assert (task(ledger).to, task(ledger).role) == ("", "dev")


@pytest.mark.parametrize("told", [{}, {"to": "x", "by_load": True}])
def test_an_assignment_says_who(ledger: Ledger, told: dict[str, object]) -> None:
    create_task(ledger.place, agent(ledger, "1"), "Port it", name="port-auth")
    with pytest.raises(UsageError):
        assign_task(ledger.place, agent(ledger, "1"), "port-auth", **told)  # type: ignore[arg-type]


def test_what_a_private_session_has_to_do_only_it_sees(ledger: Ledger) -> None:
    alone = ledger.session("agent", "1", private=True)
    create_task(ledger.place, alone, "Port it", name="port-auth")
    done = start_task(ledger.place, alone, "port-auth")
    assert open_tasks(ledger.place) == []
    assert [found.status for found in open_tasks(ledger.place, alone.id)] == ["started"]
    assert task_after(ledger.place, alone, done, "port-auth").status == "started"
    with pytest.raises(NotFoundError):
        start_task(ledger.place, agent(ledger, "2"), "port-auth")


# Who is present


def test_the_least_busy_of_those_present_gets_it_and_of_a_role_if_one_is_given(
    disk_ledger: Ledger, sleepers: Callable[[], subprocess.Popen[bytes]]
) -> None:
    place = disk_ledger.place
    lead = agent(disk_ledger, "lead")
    lead.note("not there: no process of it is known")
    create_task(disk_ledger.place, lead, "0", name="t0")
    with pytest.raises(NotFoundError, match="no session is present"):
        assign_task(place, lead, "t0", by_load=True)
    team = [agent(disk_ledger, str(n), role="dev" if n < 2 else "docs") for n in range(3)]
    for member in team:
        member.start(pid=sleepers().pid)
    for number in range(4):
        create_task(disk_ledger.place, lead, f"{number}", name=f"n{number}")
        assign_task(place, lead, f"n{number}", by_load=True, role="dev")
    assert sorted(task(disk_ledger, f"n{n}").to for n in range(4)) == sorted([team[0].id, team[1].id] * 2)
    assign_task(place, lead, "t0", by_load=True)
    assert task(disk_ledger, "t0").to == team[2].id
    with pytest.raises(NotFoundError, match="of the role 'ops'"):
        assign_task(place, lead, "t0", by_load=True, role="ops")


def test_of_equally_busy_sessions_the_smallest_id_gets_it_and_the_task_itself_counts_for_nobody(
    disk_ledger: Ledger, sleepers: Callable[[], subprocess.Popen[bytes]]
) -> None:
    team = [agent(disk_ledger, str(n)) for n in range(2)]
    for member in team:
        member.start(pid=sleepers().pid)
    create_task(disk_ledger.place, team[0], "Port it", name="port-auth")
    for _ in range(2):
        assign_task(disk_ledger.place, team[0], "port-auth", by_load=True)
        assert task(disk_ledger).to == min(member.id for member in team)


def test_a_dead_sessions_task_is_taken_over_and_the_roster_shows_who_works_on_what(
    disk_ledger: Ledger, sleepers: Callable[[], subprocess.Popen[bytes]]
) -> None:
    one, two, process = agent(disk_ledger, "1"), agent(disk_ledger, "2"), sleepers()
    one.start(pid=process.pid)
    create_task(disk_ledger.place, one, "Port it", name="port-auth")
    start_task(disk_ledger.place, one, "port-auth")
    assert {p.id: p.task for p in presence(disk_ledger.place)}[one.id] == "port-auth"
    with pytest.raises(RefusedError):
        start_task(disk_ledger.place, two, "port-auth")
    process.kill()
    process.wait()
    start_task(disk_ledger.place, two, "port-auth")
    assert {p.id: p.task for p in presence(disk_ledger.place) if p.task} == {two.id: "port-auth"}


def test_a_task_for_a_name_that_is_no_session_is_free_for_all(ledger: Ledger) -> None:
    one = agent(ledger, "1")
    one.write([Draft("task.created", {"task": "port-auth", "title": "Port it", "to": "the night shift"})])
    start_task(ledger.place, one, "port-auth")
    assert task(ledger).to == one.id


# Many at once


def _race(root: str, name: str, results: object) -> None:
    with open_ledger(root) as ledger:
        try:
            start_task(ledger.place, agent(ledger, name), "port-auth")
        except RefusedError:
            results.put((name, False))  # type: ignore[attr-defined]
        else:
            results.put((name, True))  # type: ignore[attr-defined]


def test_of_sessions_that_begin_a_task_at_once_one_has_it_and_the_others_are_refused(root: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with open_ledger(root) as ledger:
        create_task(ledger.place, agent(ledger, "0"), "Port it", name="port-auth")
    results = spawn.Queue()
    racers = [spawn.Process(target=_race, args=(str(root), str(number), results)) for number in range(4)]
    for racer in racers:
        racer.start()
    found = dict(results.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join(30)
    (winner,) = [name for name, won in found.items() if won]
    with open_ledger(root) as ledger:
        assert task(ledger).to == agent(ledger, winner).id
