"""Sessions at the command line: whole answers, and real shells and processes behind them."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.core.ids import SessionId
from ledger.storage import live, told
from ledger.storage.layout import Layout
from ledger.storage.process import shell_around

AGENT = str(SessionId.of("codex", "run"))
Process = Callable[..., subprocess.CompletedProcess[bytes]]
Sleeper = subprocess.Popen[bytes]

LEDGER = f"{shlex.quote(sys.executable)} -m ledger"


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """A process that does nothing for a while."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def codex(ledger: Run, sleeper: Sleeper) -> str:
    """A session of `codex` that the sleeper lives in; its id."""
    result = ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid))
    assert result.code == 0
    return result.out.strip()


def kill(process: Sleeper) -> None:
    process.kill()
    process.wait()


def sessions(run: Run) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("sessions", "--json").out)
    return [{name: one[name] for name in ("agent", "state", "verdict")} for one in found]


# start


def test_start_prints_the_id_alone_and_says_the_rest_beside_it(ledger: Run, sleeper: Sleeper) -> None:
    arguments = ["session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid)]
    words = f"codex, for as long as process {sleeper.pid} runs.\n"
    assert ledger(*arguments) == (0, f"{AGENT}\n", f"Started: {words}")
    assert ledger(*arguments) == (0, f"{AGENT}\n", f"On the roster already: {words}")
    assert ledger(*arguments, "--quiet") == (0, f"{AGENT}\n", "")


def test_start_answers_programs_with_the_session_and_its_event(ledger: Run, sleeper: Sleeper) -> None:
    result = ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid), "--json")
    answer = json.loads(result.out)
    (event,) = answer.pop("events")
    assert answer == {"session": AGENT, "agent": "codex", "pid": sleeper.pid}
    assert (event["type"], event["subject"]) == ("session.started", "session.started codex")


def test_start_tells_what_is_around_and_what_it_was_told(run: Run) -> None:
    subprocess.run(["git", "init", "-q", "-b", "feature/x", "."], check=True)
    run("init")
    Path("deep").mkdir()
    os.chdir("deep")
    run("session", "start", "--agent", "codex", "--role", "reviewer", "--title", "The login", "--private")
    (found,) = json.loads(run("sessions", "--json").out)
    told = {name: found[name] for name in ("branch", "host", "role", "title", "worktree", "private", "pid")}
    assert told == {
        "branch": "feature/x",
        "host": "desk",
        "role": "reviewer",
        "title": "The login",
        "worktree": str(Path.cwd().parent),
        "private": True,
        "pid": shell_around(os.getppid()),
    }


def test_branch_and_worktree_can_be_given(ledger: Run) -> None:
    ledger("session", "start", "--agent", "codex", "--branch", "b", "--worktree", "/w")
    (found,) = json.loads(ledger("sessions", "--json").out)
    assert (found["branch"], found["worktree"]) == ("b", "/w")


def test_each_start_without_a_key_is_a_session_of_its_own(ledger: Run) -> None:
    assert ledger("session", "start").out != ledger("session", "start").out


def test_a_session_that_another_process_runs_is_busy(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    for verb in (["start", "--agent", "codex", "--key", "run"], ["resume", "run"]):
        result = ledger("session", *verb)
        assert (result.code, result.out) == (5, "")
        assert f"session {codex} runs in process {sleeper.pid}" in result.err
        assert f"  hint: end it there, or here with `ledger session end --session {codex[:8]}`" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--pid", "4194303"], 1, "no process 4194303 runs here"),
        (["--pid", "0"], 2, "0 is less than 1"),
        (["--role", "x" * 65], 4, "data.role"),
        (["--key", "x" * 300], 4, "data.key"),
        (["--agent", ""], 2, "--agent is empty"),
        (["--title", "a\x1b[2J"], 4, "control character"),
    ],
)
def test_what_cannot_be_started_is_refused_and_leaves_nothing(
    ledger: Run, arguments: list[str], code: int, words: str
) -> None:
    result = ledger("session", "start", *arguments)
    assert result.code == code
    assert words in result.err
    if code:
        assert ledger("sessions").out == ""
        assert [path.name for path in Path(".ledger/live").iterdir() if not path.name.startswith(".")] == []


# end


def test_end_says_what_it_wrote_and_the_second_time_that_there_is_nothing_to_write(ledger: Run, codex: str) -> None:
    ended = ledger("session", "end", "--session", codex[:8], "--reason", "done")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.endswith("  session.ended: done\n")
    again = ledger("session", "end", codex)
    assert again == (0, "", "Nothing to write: it has ended already (1m ago).\n")
    assert json.loads(ledger("session", "end", codex, "--json").out) == {"session": codex, "events": []}
    assert ledger("sessions").out == ""


def test_an_unknown_session_is_not_found(ledger: Run) -> None:
    for name in ("nobody", "../../x", "/etc/passwd", "x" * 300):
        for verb in ("end", "resume"):
            result = ledger("session", verb, name)
            assert (result.code, result.out) == (1, "")
            assert result.err.startswith(f"error: no session on the roster is named '{name[:80]}")


READING = [
    *(["status"], ["sessions"], ["conflicts"], ["lease", "list"], ["lease"], ["task", "list"], ["watch"]),
    *(["watch", "--alerts"], ["keys"], ["log"], ["history", "a"], ["diff", "main"], ["show", "main"]),
    *(["policy", "list"], ["inject"], ["inject", "--show"], ["get", "a"], ["replay"]),
]
WITHOUT_SESSIONS = [["du"], ["gc"], ["verify"], ["export", "json"], ["hooks", "status"]]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_session_that_never_was_is_refused_by_whatever_reads(
    ledger: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    ledger("set", "a", "x")
    words = "error: no session on the roster is named 'nobody': it has ended, or never was here\n"
    named = ledger(*command, "--session", "nobody")
    assert (named.code, named.out) == (1, "")
    assert named.err.startswith(words)
    monkeypatch.setenv("LEDGER_SESSION", "nobody")
    assert ledger(*command) == named


@pytest.mark.parametrize("command", READING[:6], ids=" ".join)
def test_a_session_that_has_ended_is_still_one_that_may_ask(ledger: Run, codex: str, command: list[str]) -> None:
    ledger("session", "end", "--session", codex)
    for name in (codex, codex[:8], "run"):
        found = ledger(*command, "--session", name)
        assert (found.code, "error" in found.err) == ((1, True) if command[0] == "task" else (0, False)), found.err


@pytest.mark.parametrize("command", WITHOUT_SESSIONS, ids=" ".join)
def test_what_depends_on_no_session_ignores_the_shells_and_refuses_an_option(
    ledger: Run, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    assert ledger(*command, "--session", "nobody").code == 1
    monkeypatch.setenv("LEDGER_SESSION", "nobody")
    assert ledger(*command).code == 0


def test_a_session_begins_and_goes_on_in_a_shell_whose_session_is_not_known(
    ledger: Run, codex: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger("session", "end", "--session", codex)
    monkeypatch.setenv("LEDGER_SESSION", "nobody")
    assert ledger("session", "start", "--agent", "x").code == ledger("session", "resume", "run").code == 0


def test_end_wants_to_know_which(ledger: Run) -> None:
    assert ledger("session", "end") == (
        2,
        "",
        "error: which session?\n  hint: `ledger session end ID`; `ledger sessions` lists them\n",
    )


def test_a_session_that_runs_elsewhere_is_not_ended_by_its_id_alone(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    result = ledger("session", "end", "run")
    assert (result.code, result.out) == (4, "")
    assert result.err == (
        f"error: session {codex} runs in process {sleeper.pid} on {os.uname().nodename} "
        f"(alive: process {sleeper.pid} runs)\n"
        f"  hint: end it there; to end it from here all the same: ledger session end --session {codex[:8]}\n"
    )
    assert ledger("session", "end", "run", "--session", "nobody").code == 4
    assert ledger("session", "end", "--session", codex[:8]).code == 0


def test_a_dead_session_can_be_ended_by_whoever_cares(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    kill(sleeper)
    assert ledger("session", "end", "run").code == 0
    assert not (Path(".ledger/live") / codex).exists()


def test_no_event_of_any_type_ends_a_session(ledger: Run, codex: str) -> None:
    result = ledger("record", "--session", codex, stdin=b"{type: session.ended, data: {}}")
    assert result.code == 4
    assert "session.ended is written by the ledger alone, by `ledger session end`" in result.err


# resume


def test_resume_takes_over_from_the_dead(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    kill(sleeper)
    assert sessions(ledger) == [{"agent": "codex", "state": "crashed", "verdict": "dead"}]
    result = ledger("session", "resume", "run")
    assert result == (0, f"{codex}\n", f"Resumed: codex, for as long as process {shell_around(os.getppid())} runs.\n")
    assert sessions(ledger) == [{"agent": "codex", "state": "working", "verdict": "alive"}]


def test_resume_goes_on_with_what_has_ended(ledger: Run, codex: str) -> None:
    ledger("session", "end", "--session", codex)
    assert ledger("session", "resume", codex[:8]).out == f"{codex}\n"
    (found,) = json.loads(ledger("sessions", "--json").out)
    assert (found["id"], found["key"], found["state"]) == (codex, "run", "working")


# sessions


def test_sessions_are_a_table_of_the_columns_that_say_something(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    ledger("session", "start", "--agent", "claude-code", "--key", "1", "--role", "reviewer", "--branch", "main")
    kill(sleeper)
    found = ledger("sessions")
    lines = [re.sub(r"\b(now|\d+\w ago) *", "", line).rstrip() for line in found.out.splitlines()]
    one = SessionId.of("claude-code", "1")[:8]
    assert sorted(lines) == sorted(
        [
            "state    session   agent        last seen  role      branch",
            f"working  {one}  claude-code  reviewer  main",
            f"crashed  {codex[:8]}  codex",
        ]
    )
    assert (found.code, found.err) == (0, "")


def test_a_ledger_without_sessions_says_how_to_start_one(ledger: Run) -> None:
    words = "No sessions yet. To start one: export LEDGER_SESSION=$(ledger session start)\n"
    assert ledger("sessions") == (0, "", words)
    assert ledger("sessions", "--json").out == "[]\n"


def test_ended_sessions_are_told_when_they_are_asked_for(ledger: Run, codex: str) -> None:
    for key in ("1", "2", "3"):
        ledger("session", "start", "--agent", "old", "--key", key)
        ledger("session", "end", SessionId.of("old", key), "--reason", f"end {key}")
    assert len(json.loads(ledger("sessions", "--json").out)) == 1
    found = json.loads(ledger("sessions", "--all", "--json").out)
    assert [(one["state"], one["key"], one["why"]) for one in found[1:]] == [
        ("ended", "3", "end 3"),
        ("ended", "2", "end 2"),
        ("ended", "1", "end 1"),
    ]
    some = ledger("sessions", "--all", "-n", "2")
    assert some.out.count("ended") == 2
    assert some.err == "There may be more than 2 sessions that have ended; -n takes more.\n"


def test_a_name_that_would_steer_the_terminal_is_spelled_out(ledger: Run) -> None:
    ledger("session", "start", "--agent", "a\u202eb", "--key", "1")
    assert "a\\u202eb" in ledger("sessions").out


# status


def test_status_of_a_new_ledger(ledger: Run) -> None:
    folder = Path(".ledger").absolute()
    assert ledger("status") == (
        0,
        f"ledger    {folder}\nhealth    ok\nsessions  none\nsync      main moved 1m ago\n",
        "",
    )


def test_status_answers_programs(ledger: Run) -> None:
    assert json.loads(ledger("status", "--json").out) == {
        "ledger": str(Path(".ledger").absolute()),
        "health": "ok",
        "sessions": [],
        "tasks": [],
        "leases": [],
        "spool": {"waiting": 0, "rejected": 0},
        "sync": {"breaker": "closed", "last": "2026-11-22T15:13:04.000000Z", "remotes": []},
        "conflicts": 0,
        "injected": {"times": 0, "characters": 0},
        "switches": [],
    }


def test_status_counts_what_agents_were_given_to_read(ledger: Run, codex: str) -> None:
    layout = Layout(Path(".ledger"))
    told.remember(layout, codex, told.Told(times=11, characters=8_000))
    told.remember(layout, SessionId.of("x", "1"), told.Told(times=1, characters=431))
    assert ledger("status").out.splitlines()[-1] == "injected  12 texts, 8,431 characters"
    assert json.loads(ledger("status", "--json").out)["injected"] == {"times": 12, "characters": 8_431}


def test_status_says_who_works_and_what_is_wrong(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    ledger("set", "a", "1", "--saw", "none", "--session", codex)
    ledger("set", "a", "2", "--saw", "none", "--session", codex)
    for folder, count in (("new", 2), ("rejected", 1)):
        for number in range(count):
            (Path(".ledger/spool") / folder / str(number)).touch()
    kill(sleeper)
    page = ledger("status").out.splitlines()
    short = codex[:8]
    assert page[1:4] == [
        "health    2 problems",
        f"  captured payloads that could not be recorded: 1, in {Path('.ledger/spool/rejected').absolute()}",
        f"  session {short} (codex) crashed: process {sleeper.pid} is gone; "
        f"`ledger session resume {short}`, or `… end {short}`",
    ]
    assert page[4:6] == ["sessions  1 crashed", "  state    session   agent  last seen"]
    assert page[7:] == [
        "spool     2 waiting, 1 rejected",
        "sync      main moved 1m ago",
        "conflicts 1 (`ledger conflicts` lists them)",
    ]


def test_status_names_a_frozen_session(ledger: Run, codex: str, sleeper: Sleeper) -> None:
    sleeper.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    answer = json.loads(ledger("status", "--json").out)
    assert answer["health"] == [f"session {codex[:8]} (codex) is frozen: process {sleeper.pid} is stopped"]


def test_status_says_when_nothing_can_be_written(ledger: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.core.fold.FOLD", 0)
    answer = json.loads(ledger("status", "--json").out)
    assert answer["sync"]["breaker"] == "open"
    assert answer["health"][0].startswith("this ledger has fold 1; this program writes fold 0")
    assert "sync      stopped; main moved" in ledger("status").out


# Real shells


def shell(script: str, program: str = "bash") -> str:
    """What a script of a real shell prints; $L is the command."""
    result = subprocess.run(
        [program, "-c", script], env=os.environ | {"L": LEDGER}, capture_output=True, check=False, timeout=60, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("program", ["bash", "sh"])
@pytest.mark.parametrize(
    "start",
    ["$L session start --agent x", "cd . && $L session start --agent x", "$L session start --agent x | cat"],
    ids=["plain", "subshell", "pipe"],
)
def test_a_session_lives_as_long_as_the_shell_that_started_it(process: Process, program: str, start: str) -> None:
    process("init")
    told = shell(f'export LEDGER_SESSION="$({start})"; $L note hello; $L sessions --json; echo "[$$]"', program)
    (inside,), end = json.JSONDecoder().raw_decode(told)
    assert (inside["state"], [inside["pid"]]) == ("working", json.loads(told[end:]))
    (after,) = json.loads(process("sessions", "--json").stdout)
    assert (after["state"], after["why"]) == ("crashed", f"process {inside['pid']} is gone")


def test_a_shell_within_a_shell_has_sessions_of_its_own(process: Process) -> None:
    """Both have the same words on their command line."""
    process("init")
    script = b"bash <<'END'\n$L session start --agent x --quiet; echo $$\nexit\nEND\necho $$\n"
    told = subprocess.run(["bash"], input=script, env=os.environ | {"L": LEDGER}, capture_output=True, check=True)
    _, inner, outer = told.stdout.split()
    assert inner != outer
    (after,) = json.loads(process("sessions", "--json").stdout)
    assert after["why"] == f"process {inner.decode()} is gone"


def test_a_shell_may_end_its_session_by_id(process: Process) -> None:
    process("init")
    shell("ID=$($L session start --agent x --quiet); $L session end $ID")
    assert process("sessions", "--json").stdout == b"[]\n"


def test_a_write_of_a_session_is_a_sign_of_life(ledger: Run, codex: str) -> None:
    path = Path(".ledger/live") / codex
    os.utime(path, (1, 1))
    ledger("set", "a", "x", "--session", "run")
    assert path.stat().st_mtime > 2


def test_a_waiting_session_is_shown_as_such(ledger: Run, codex: str) -> None:
    live.tell(Layout(Path(".ledger")), codex, "waiting")
    assert sessions(ledger) == [{"agent": "codex", "state": "waiting", "verdict": "alive"}]
