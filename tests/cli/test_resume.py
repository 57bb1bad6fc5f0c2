"""Who carries on: the session's own agent with its own words, another one with the handoff, and nobody beside one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.core.ids import SessionId
from ledger.recording.payloads.dialects import DIALECTS
from ledger.recording.payloads.fence import without_fence
from ledger.recording.programs import PROGRAMS

AGENT = str(SessionId.of("codex", "run-1"))
Process = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def project(run: Run) -> Run:
    """A worktree with a session of Codex that has ended."""
    subprocess.run(["git", "init", "-q", "-b", "main", "."], check=True)
    assert run("init").code == 0
    assert run("session", "start", "--agent", "codex", "--key", "run-1", "--worktree", str(Path.cwd())).code == 0
    document = {"type": "prompt.submitted", "data": {"text": "Let people log in", "by": "user"}}
    assert run("record", "--session", AGENT, stdin=json.dumps(document).encode()).code == 0
    assert run("session", "end", AGENT).code == 0
    return run


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A folder of programs that say how they were called."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in PROGRAMS.values():
        file = folder / program.name
        file.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "${LEDGER_SESSION-none}" "${0##*/}" "$@"\n')
        file.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_its_own_agent_goes_on_in_the_worktree(project: Run, process: Process, programs: str) -> None:
    here = str(Path.cwd())
    (Path.cwd() / "below").mkdir()
    done = process("resume", AGENT[:8], PATH=programs, LEDGER_SESSION=AGENT)
    assert done.stdout.decode().splitlines() == [here, "none", "codex", "resume", "run-1"]
    assert done.stderr.decode() == f"In {here}: codex resume run-1\n"


def test_without_a_name_it_is_the_last_one_in_this_worktree(project: Run) -> None:
    assert project("resume", "--print") == (0, "codex resume run-1\n", "")


def test_another_agent_is_given_the_handoff_as_data(project: Run, process: Process, programs: str) -> None:
    done = process("resume", AGENT, "--with", "claude-code", PATH=programs)
    _, _, name, *prompt = done.stdout.decode().splitlines()
    text = "\n".join(prompt)
    assert name == "claude"
    assert "- Let people log in" in text
    # What is recorded of that prompt is what it asks, not once more all that was handed over.
    assert without_fence(text) == f"Carry on the work that another session left (codex {AGENT[:8]}). What it left:"


def test_a_crashed_session_is_recovered_first(run: Run, process: Process, programs: str) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", "."], check=True)
    assert run("init").code == 0
    gone = subprocess.Popen(["sleep", "600"])
    words = ["session", "start", "--agent", "codex", "--key", "run-1", "--worktree", str(Path.cwd())]
    assert process(*words, "--pid", str(gone.pid)).returncode == 0
    gone.kill()
    gone.wait()
    done = process("resume", AGENT, PATH=programs)
    assert done.stdout.decode().splitlines()[2:] == ["codex", "resume", "run-1"]
    assert done.stderr.decode().startswith("Recovered: ")
    assert "session.recovered" in run("log").out


def test_a_session_that_somebody_runs_is_refused(project: Run, process: Process, programs: str) -> None:
    with subprocess.Popen(["sleep", "600"]) as runs:
        words = ["session", "start", "--agent", "codex", "--key", "two", "--pid", str(runs.pid)]
        assert process(*words).returncode == 0
        done = process("resume", "two", PATH=programs)
        runs.kill()
    assert (done.returncode, done.stdout) == (4, b"")
    assert f"runs in process {runs.pid}" in done.stderr.decode()


def test_what_cannot_be_started_is_said_with_a_way_on(project: Run, process: Process, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to("/usr/bin/git")
    missing = process("resume", AGENT, PATH=str(tmp_path / "bin"))
    assert (missing.returncode, missing.stderr.decode()) == (
        1,
        "error: codex is not on PATH\n  hint: install it, or let another carry on: --with AGENT\n",
    )
    unknown = project("resume", AGENT, "--with", "nobody")
    assert unknown.code == 1
    assert "claude-code, codex, copilot-cli, cursor, droid, gemini, opencode" in unknown.err
    assert project("resume", "no-such").code == 1


def test_every_agent_that_is_recorded_can_be_started() -> None:
    assert PROGRAMS.keys() == DIALECTS.keys()
    for program in PROGRAMS.values():
        assert "KEY" in program.going_on("KEY")
        assert "PROMPT" in program.beginning("PROMPT")
