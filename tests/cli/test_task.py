"""Tasks at the command line: whole answers, in words and for programs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from tests.cli.conftest import Run

from ledger.testing import Clock

PERSON = "8b281575-ac67-5b66-bbd0-2c5995ce8258"


@pytest.fixture
def codex(ledger: Run) -> Iterator[str]:
    """A session of `codex`, a developer, in a process that stays; its id."""
    with subprocess.Popen(["sleep", "60"]) as process:
        start = ("session", "start", "--agent", "codex", "--key", "run", "--role", "dev", "--pid", str(process.pid))
        yield ledger(*start).out.strip()
        process.kill()


def told(text: str) -> str:
    """What was said, with commits left out."""
    return re.sub(r"^[0-9a-f]{10}", "COMMIT", text, flags=re.MULTILINE)


def test_create_prints_the_name_alone_and_the_event_beside_it(ledger: Run) -> None:
    code, out, err = ledger("task", "create", "Port the login")
    assert (code, out, told(err)) == (0, "port-the-login\n", "COMMIT  task.created port-the-login: Port the login\n")
    assert ledger("task", "create", "port", "Port the rest", "--quiet") == (0, "port\n", "")


def test_every_step_answers_programs_with_the_task_and_its_events(ledger: Run, codex: str) -> None:
    create = ("task", "create", "port", "Port it", "--about", "All.", "--role", "dev", "--to", "me", "--json")
    answer = json.loads(ledger(*create).out)
    assert [event["type"] for event in answer.pop("events")] == ["task.created"]
    assert answer == {
        "task": "port",
        "title": "Port it",
        "status": "open",
        "about": "All.",
        "role": "dev",
        "to": PERSON,
        "agent": "person",
        "session": PERSON,
        "created": "2026-11-22T15:15:04.000000Z",
        "started": None,
        "ended": None,
        "waited": 0.0,
        "took": None,
        "outcome": "",
    }
    assigned = json.loads(ledger("task", "assign", "port", "--to", codex[:8], "--json").out)
    assert (assigned["to"], assigned["agent"]) == (codex, "codex")
    started = json.loads(ledger("task", "start", "port", "--session", codex, "--json").out)
    assert (started["status"], started["waited"]) == ("started", 120.0)
    again = json.loads(ledger("task", "start", "port", "--session", codex, "--json").out)
    assert (again["status"], again["events"]) == ("started", [])
    failed = json.loads(ledger("task", "fail", "port", "--because", "no API", "--session", codex, "--json").out)
    assert (failed["status"], failed["outcome"], failed["took"]) == ("failed", "no API", 120.0)


def test_list_shows_what_is_to_be_done_who_is_at_it_and_since_when(ledger: Run, codex: str) -> None:
    ledger("task", "create", "port", "Port the login", "--role", "dev")
    ledger("task", "create", "docs", "Write it down", "--to", "me")
    ledger("task", "start", "port", "--session", codex)
    ledger("task", "create", "later", "Something else")
    assert ledger("task").out == (
        "started  port   codex/bc91 (dev)  for 2m    Port the login\n"
        "open     docs   person/8b28       waits 3m  Write it down\n"
        "open     later  anyone            waits 1m  Something else\n"
    )
    ledger("task", "complete", "port", "--outcome", "merged", "--session", codex)
    assert [line.split()[1] for line in ledger("task", "list").out.splitlines()] == ["docs", "later"]
    assert [line.split()[1] for line in ledger("task", "list", "--mine").out.splitlines()] == ["docs"]
    assert [line.split()[1] for line in ledger("task", "list", "--open").out.splitlines()] == ["docs", "later"]
    assert ledger("task", "list", "--all").out.splitlines()[0] == (
        "completed  port   codex/bc91 (dev)  4m ago, took 3m  Port the login"
    )


def test_where_there_are_none_list_says_how_to_write_one_down(ledger: Run) -> None:
    words = "No such tasks. To write one down: ledger task create 'Port the login'\n"
    assert ledger("task") == (0, "", words)
    assert ledger("task", "--json") == (0, "[]\n", words)


def test_show_tells_all_that_is_known(ledger: Run, clock: Clock) -> None:
    ledger("task", "create", "port", "Port the login", "--about", "All three\nclients.")
    ledger("task", "start", "port")
    clock.advance(3600)
    ledger("task", "complete", "port", "--outcome", "merged")
    assert ledger("task", "show", "port") == (
        0,
        "port: Port the login\n"
        "  status   completed\n"
        "  for      person/8b28\n"
        "  created  1h ago\n"
        "  started  1h ago, after 1m\n"
        "  ended    1m ago\n"
        "  took     1h\n"
        "  outcome  merged\n"
        "\n"
        "  All three\n"
        "  clients.\n",
        "",
    )


def test_a_task_goes_to_the_least_busy_of_a_role(ledger: Run, codex: str) -> None:
    ledger("task", "create", "port", "Port it")
    ledger("task", "assign", "port", "--least-busy", "--role", "dev")
    (found,) = json.loads(ledger("task", "--json").out)
    assert (found["to"], found["role"]) == (codex, "dev")
    nobody = ledger("task", "assign", "port", "--least-busy", "--role", "ops")
    assert nobody == (
        1,
        "",
        "error: no session of the role 'ops' is present\n"
        "  hint: for whoever comes: ledger task assign TASK --role ROLE\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["start", "prt"], 1, "no task is named 'prt'\n  hint: did you mean: port?"),
        (["show", "a/b"], 1, "no task is named 'a/b'"),
        (["start", "done"], 4, "task 'done' is completed: merged\n  hint: to do it again, open it first"),
        (["complete", "done"], 4, "task 'done' is completed already: merged"),
        (["start", "theirs"], 4, "codex/bc91 is at work on task 'theirs'"),
        (["create", "port", "Again"], 4, "there is a task 'port' already (open): Port it"),
        (["create", "Bad Name", "Again"], 4, "hint: for example: bad-name"),
        (["create", "Port", "the", "login"], 2, "TITLE is one argument"),
        (["create", "x", ""], 4, "data.title"),
        (["create", "x", "a\x1bb"], 4, "control character"),
        (["create", "x", "y", "--to", "nobody"], 1, "no session on the roster is named 'nobody'"),
        (["assign", "port"], 2, "say who is to do it"),
        (["fail", "port"], 2, "missing option '--because'"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_and_leaves_nothing(
    ledger: Run, codex: str, arguments: list[str], code: int, words: str
) -> None:
    ledger("task", "create", "port", "Port it")
    ledger("task", "create", "done", "Done it")
    ledger("task", "complete", "done", "--outcome", "merged")
    ledger("task", "create", "theirs", "Theirs")
    ledger("task", "start", "theirs", "--session", codex)
    before = ledger("log", "--json").out
    result = ledger("task", *arguments)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert ledger("log", "--json").out == before


def test_the_sessions_show_what_each_is_at(ledger: Run, codex: str) -> None:
    ledger("task", "create", "port", "Port it")
    ledger("task", "start", "port", "--session", codex)
    tasks = {one["id"]: one["task"] for one in json.loads(ledger("sessions", "--json").out)}
    assert tasks == {codex: "port", PERSON: ""}
