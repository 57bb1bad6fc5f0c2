"""Leases at the command line: whole answers, names as seen from where one stands, and commands run under a lease."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.testing import Clock

LEASE = "01a203d2-4e60-7001-8000-000000000000"
PERSON = "8b281575-ac67-5b66-bbd0-2c5995ce8258"
LEDGER = (sys.executable, "-m", "ledger")
Process = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def codex(ledger: Run) -> Iterator[str]:
    """Another session than the person's own, in a process that stays; its id."""
    with subprocess.Popen(["sleep", "60"]) as process:
        result = ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(process.pid))
        yield result.out.strip()
        process.kill()


def on(run: Run) -> list[list[str]]:
    """What is leased."""
    return [one["on"] for one in json.loads(run("lease", "--json").out)]


def test_acquire_prints_the_id_alone_and_says_until_when_beside_it(ledger: Run) -> None:
    assert ledger("lease", "acquire", "src/", "docs") == (
        0,
        f"{LEASE}\n",
        "Yours until 15:24:04 UTC (in 10m): src, docs\n",
    )
    assert ledger("lease", "acquire", "src", "docs", "--quiet") == (0, f"{LEASE}\n", "")


def test_acquire_answers_programs_with_the_lease(ledger: Run) -> None:
    answer = json.loads(ledger("lease", "acquire", "src", "--shared", "--ttl", "90", "--because", "x", "--json").out)
    assert answer == {
        "lease": LEASE,
        "on": ["src"],
        "session": PERSON,
        "because": "x",
        "agent": "person",
        "mode": "shared",
        "ttl": 90,
        "acquired": "2026-11-22T15:14:04.000000Z",
        "renewed": "2026-11-22T15:14:04.000000Z",
        "ends": "2026-11-22T15:15:34.000000Z",
        "holds": True,
        "waits_for": [],
    }


def test_what_is_held_is_refused_with_who_since_and_until_when_and_what_to_do(ledger: Run, codex: str) -> None:
    ledger("lease", "acquire", "src", "--because", "the rewrite")
    result = ledger("lease", "acquire", "src/a.py", "--session", codex)
    first = json.loads(ledger("lease", "--json").out)[0]["lease"]
    assert result == (
        4,
        "",
        "error: src is leased by person/8b28:\n"
        "  src, exclusive, by person/8b28 since 2026-11-22T15:15:04Z until 2026-11-22T15:25:04Z at least: the rewrite\n"
        "  hint: wait with --wait 10m, or work on something else; where its owner cannot go on: "
        f"ledger lease release {first[:18]} --force --because WHY\n",
    )


def test_who_waits_in_vain_ends_with_the_code_for_busy(ledger: Run, codex: str) -> None:
    ledger("lease", "acquire", "src")
    result = ledger("lease", "acquire", "src", "--wait", "1s", "--session", codex)
    assert (result.code, result.out) == (5, "")
    first = json.loads(ledger("lease", "--json").out)[0]["lease"]
    assert result.err.endswith(
        "  still so after 1 s\n  hint: wait longer, or work on something else; where its owner cannot go on: "
        f"ledger lease release {first[:18]} --force --because WHY\n"
    )


def test_list_shows_what_is_held_in_columns(ledger: Run, codex: str) -> None:
    ledger("lease", "acquire", "src", "--shared", "--because", "reading")
    ledger("lease", "acquire", "src", "--shared", "--ttl", "2h", "--session", codex)
    ids = [one["lease"][:18] for one in json.loads(ledger("lease", "list", "--json").out)]
    assert ledger("lease") == (
        0,
        f"holds  {ids[0]}  shared  person/8b28  7m left  src: reading\n"
        f"holds  {ids[1]}  shared  codex/bc91   2h left  src\n",
        "",
    )


def test_where_there_are_none_list_says_how_to_get_one(ledger: Run) -> None:
    words = "No leases. To claim something: ledger lease acquire src/auth --because 'the rewrite'\n"
    assert ledger("lease") == (0, "", words)
    assert ledger("lease", "list", "--json") == (0, "[]\n", words)


def test_renew_says_until_when(ledger: Run, clock: Clock) -> None:
    ledger("lease", "acquire", "src")
    clock.advance(240)
    assert ledger("lease", "renew") == (0, "", "Yours until 15:29:04 UTC (in 10m): src\n")
    assert ledger("lease", "renew", "src", "--ttl", "1m") == (0, "", "Yours until 15:21:04 UTC (in 1m): src\n")
    assert ledger("lease", "renew", "docs").code == 1
    ledger("lease", "release", "--all")
    assert ledger("lease", "renew") == (0, "", "Nothing to renew.\n")


def test_what_is_not_due_is_not_renewed(ledger: Run, clock: Clock) -> None:
    ledger("lease", "acquire", "src")
    ledger("lease", "acquire", "docs", "--ttl", "1h")
    assert ledger("lease", "renew", "--due") == (0, "", "Nothing to renew.\n")
    clock.advance(180)
    assert ledger("lease", "renew", "--due") == (0, "", "Yours until 15:30:04 UTC (in 10m): src\n")


def test_release_says_what_is_free(ledger: Run) -> None:
    for name in ("src", "docs", "tests"):
        ledger("lease", "acquire", name)
    assert ledger("lease", "release", "docs/") == (0, "", "Free: docs\n")
    assert ledger("lease", "release", "--all") == (0, "", "Free: src\nFree: tests\n")
    assert ledger("lease", "release", "--all") == (0, "", "Nothing to give back.\n")
    assert ledger("lease", "release", "docs").err == (
        "error: no lease is on 'docs', or has that id\n  hint: `ledger lease list` lists them\n"
    )


def test_a_lease_of_somebody_who_may_live_takes_force_and_a_reason(ledger: Run, codex: str) -> None:
    ledger("lease", "acquire", "src")
    refused = ledger("lease", "release", "src", "--session", codex)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("error: src is leased by person/8b28, which is not known to be dead\n")
    assert ledger("lease", "release", "src", "--force", "--session", codex).code == 2
    forced = ledger("lease", "release", "src", "--force", "--because", "it hangs", "--session", codex)
    assert forced == (0, "", "Free: src\n")
    assert "it hangs" in ledger("log", "-n1").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["acquire", "src", "--ttl", "soon"], 2, "--ttl: 'soon' is no length of time"),
        (["acquire", "src/*.py", "/etc/passwd"], 4, "/etc/passwd: begins with a slash"),
        (["acquire", "../up"], 4, "../up: leads upwards"),
        (["acquire", "a\x1bb"], 4, "control character"),
        (["acquire"], 2, "missing argument"),
        (["release"], 2, "name the leases, or give --all"),
        (["release", "src", "--all"], 2, "name the leases, or give --all"),
        (["run", "src"], 2, "missing argument"),
        (["run", "src", "--", "no-such-command"], 127, "no-such-command: No such file or directory"),
        (["run", "src", "--", "/etc"], 126, "/etc: Permission denied"),
        (["acquire", "src", "--ttl", "30d"], 2, "--ttl: 30d is not between 1s and 7d"),
        (
            ["acquire", "src", "--ttl", "0s"],
            2,
            "--ttl: 0s is not between 1s and 7d\n  hint: to give one back: `ledger lease release`",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_lease(
    ledger: Run, arguments: list[str], code: int, words: str
) -> None:
    result = ledger("lease", *arguments)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert on(ledger) == []


def test_names_that_exist_here_are_meant_from_here_and_others_from_the_root(run: Run) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    Path("src/deep").mkdir(parents=True)
    Path("src/a.py").touch()
    Path("src/link").symlink_to("a.py")
    run("init")
    os.chdir("src")
    run("lease", "acquire", "a.py", "link", "deep/", "./new.py", "deploy", "src/b.py", f"{Path.cwd()}/c.py", "..")
    assert on(run) == [["src/a.py", "src/link", "src/deep", "src/new.py", "deploy", "src/b.py", "src/c.py", "."]]


# run


def test_run_holds_the_lease_while_the_command_runs_and_ends_with_its_code(ledger: Run, process: Process) -> None:
    script = f"{shlex.join(LEDGER)} lease --json; exit 7"
    result = process("lease", "run", "src", "--also", "docs", "--", "sh", "-c", script)
    assert result.returncode == 7, result.stderr
    assert [one["on"] for one in json.loads(result.stdout)] == [["src", "docs"]]
    assert json.loads(process("lease", "--json").stdout) == []


def test_run_renews_the_lease_for_as_long_as_the_command_takes(process: Process) -> None:
    process("init")
    result = process("lease", "run", "src", "--ttl", "2", "--", "sleep", "3.5")
    assert result.returncode == 0, result.stderr
    types = [json.loads(line)["type"] for line in process("log", "--jsonl").stdout.splitlines()]
    assert types.count("lease.renewed") >= 1
    assert types[0] == "lease.released"


def test_run_says_that_the_lease_was_taken_and_lets_the_command_go_on(process: Process) -> None:
    process("init")
    script = f"{shlex.join(LEDGER)} lease release src; sleep 2; exit 3"
    result = process("lease", "run", "src", "--ttl", "2", "--", "sh", "-c", script)
    assert result.returncode == 3
    assert b"The lease is lost, the command goes on:" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_and_the_lease_is_given_back(process: Process, number: signal.Signals) -> None:
    process("init")
    with subprocess.Popen([*LEDGER, "lease", "run", "src", "--", "sh", "-c", "touch up; exec sleep 60"]) as running:
        deadline = time.monotonic() + 30
        while not Path("up").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(number)
        assert running.wait(30) == 128 + number
    assert json.loads(process("lease", "--json").stdout) == []


def test_run_starts_nothing_where_the_lease_is_held(ledger: Run, codex: str) -> None:
    ledger("lease", "acquire", "src", "--session", codex)
    result = ledger("lease", "run", "src", "--", "touch", "ran")
    assert result.code == 4
    assert not Path("ran").exists()


# status


def test_status_tells_of_leases_and_tasks_and_is_silent_about_none(ledger: Run) -> None:
    assert not {"leases", "tasks"} & set(ledger("status").out.split())
    ledger("lease", "acquire", "src")
    ledger("task", "create", "port", "Port it")
    ledger("task", "start", "port")
    page = ledger("status").out
    assert page[page.index("tasks") : page.index("sync")] == (
        "tasks     1 started\n"
        "  started  port  person/8b28  for 1m  Port it\n"
        "leases    1 live\n"
        "  holds  01a203d3-38c0-7001  exclusive  person/8b28  7m left  src\n"
    )
    answer = json.loads(ledger("status", "--json").out)
    assert [task["task"] for task in answer["tasks"]] == ["port"]
    assert [lease["on"] for lease in answer["leases"]] == [["src"]]
