"""`ledger sessions --check` and `ledger recover`: whole answers, and a real process that dies."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.core.ids import SessionId
from ledger.storage import live
from ledger.storage.layout import Layout

AGENT = str(SessionId.of("codex", "run"))
SHORT = AGENT[:8]
HOST = os.uname().nodename
Process = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for a while, and in which a session of codex lives."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def dead(ledger: Run, sleeper: subprocess.Popen[bytes]) -> int:
    """The process, gone, of a session of codex that was at work."""
    ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    return sleeper.pid


def test_where_nothing_has_befallen_anybody_the_check_says_so(ledger: Run) -> None:
    assert ledger("sessions", "--check") == (0, "", "Nothing has befallen any session.\n")
    assert ledger("sessions", "--check", "--json") == (0, "[]\n", "Nothing has befallen any session.\n")
    assert ledger("recover", "--all") == (0, "", "Nothing had to be recovered.\n")


def test_the_check_names_layer_evidence_and_remedy(ledger: Run, dead: int) -> None:
    result = ledger("sessions", "--check")
    first, second, third = result.out.splitlines()
    assert (result.code, result.err) == (1, "1 thing to look after.\n")
    assert first == f"process  {SHORT}  process {dead} is gone"
    assert second.startswith(f"    pid {dead}, host {HOST}, silent ")
    assert third == f"    ledger recover {SHORT}"
    (found,) = json.loads(ledger("sessions", "--check", "--json").out)
    assert (found["session"], found["layer"], found["evidence"]["pid"]) == (AGENT, "process", dead)


def test_who_starts_is_told_that_somebody_needs_looking_after(ledger: Run, dead: int) -> None:
    arguments = ["session", "start", "--agent", "codex", "--key", "other", "--pid", str(os.getpid())]
    assert ledger(*arguments).err.endswith("\n1 thing to look after: ledger sessions --check\n")
    ledger("recover", SHORT)
    assert "look after" not in ledger(*arguments).err


def test_a_recovery_gives_account_and_leaves_a_session_to_go_on_with(ledger: Run, dead: int) -> None:
    page = f"recovered  {SHORT}  process: process {dead} is gone\n"
    page += "    1 event replayed, 0 events rescued, 0 lost\n"
    page += f"    ledger session resume {SHORT}\n"
    assert ledger("recover", SHORT) == (0, page, "1 thing looked after.\n")
    assert ledger("recover", SHORT) == (0, "", "Nothing had to be recovered.\n")
    assert ledger("session", "resume", SHORT, "--pid", str(os.getpid())).code == 0


def test_programs_are_told_the_same(ledger: Run, dead: int) -> None:
    (found,) = json.loads(ledger("recover", "--all", "--json").out)
    assert found.pop("seconds") < 10
    assert found == {
        "session": AGENT,
        "reason": f"process: process {dead} is gone",
        "status": "recovered",
        "checkpoint": None,
        "events_replayed": 1,
        "rescued_from_spool": 0,
        "lost": 0,
        "quarantined": [],
        "leases": [],
        "remedy": f"ledger session resume {SHORT}",
    }


def test_a_session_that_lives_is_refused_with_what_to_do(ledger: Run, sleeper: subprocess.Popen[bytes]) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid))
    words = f"error: session {AGENT} runs in process {sleeper.pid} on {HOST} (alive: process {sleeper.pid} runs)\n"
    words += "  hint: end that process first; with --force it is held for dead, and what it still writes is refused\n"
    assert ledger("recover", SHORT) == (4, "", words)
    assert ledger("recover", SHORT, "--force").code == 0


def test_what_is_left_of_a_session_on_no_roster_has_a_name_too(ledger: Run, sleeper: subprocess.Popen[bytes]) -> None:
    live.claim(Layout(Path(ledger("init").out.strip() or ".ledger")), AGENT, pid=sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert ledger("recover", SHORT).out.startswith(f"cleared  {SHORT}  orphaned: it names a process that is gone")


@pytest.mark.parametrize(
    ("arguments", "words"), [([], "which session?"), (["--all", "--force"], "--force is for one session")]
)
def test_a_call_that_is_not_clear_is_refused(ledger: Run, arguments: list[str], words: str) -> None:
    result = ledger("recover", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {words}")


def test_a_replay_hands_on_what_the_session_leaves(ledger: Run, sleeper: subprocess.Popen[bytes]) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run", "--pid", str(sleeper.pid))
    ledger("decide", "auth/flow", "Use device flow", "--session", SHORT)
    verdict, *left = ledger("replay", SHORT, "--handoff").out.splitlines()
    assert "the same as what is stored" in verdict
    assert any("Use device flow" in line for line in left)
    document = json.loads(ledger("replay", SHORT, "--handoff", "--json").out)
    assert (document["ok"], document["handoff"]) == (True, "\n".join(left))
    assert ledger("replay", "--handoff").code == 2
