"""The ways back when something has gone wrong, through real processes; docs/design/switches.md tells of each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.actions.append import append_shared
from ledger.api import open_ledger

Process = Callable[..., subprocess.CompletedProcess[bytes]]

# Writes a counter for ever, and says at each attempt what came of it.
WRITER = """
import sys, time
from ledger.api import open_ledger
from ledger.errors import LedgerError
with open_ledger(".ledger") as ledger:
    me = ledger.session("agent", "long")
    while True:
        try:
            before = ledger.place.store.ref("refs/heads/main")
            me.increment("count")
            said = "moved" if ledger.place.store.ref("refs/heads/main") != before else "apart"
        except LedgerError as error:
            said = "refused"
        print(said, flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def made(process: Process) -> Process:
    assert process("init", "-q").returncode == 0
    return process


@pytest.fixture
def writer(made: Process) -> Iterator[Callable[[], str]]:
    """A process that has the ledger open and writes; gives what came of its last write after a second."""
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "moved\n"

        def said() -> str:
            until = time.monotonic() + 1
            while time.monotonic() < until:
                last = running.stdout.readline()
            return last.strip()

        yield said
        running.kill()


def test_sync_off_and_on_are_noticed_by_a_process_that_runs_and_nothing_is_lost(
    made: Process, writer: Callable[[], str]
) -> None:
    assert writer() == "moved"
    assert made("off", "sync", "--because", "a merge went wrong").returncode == 0
    assert writer() == "apart"
    there = int(made("get", "count").stdout)
    own = int(made("get", "count", "--session", "long").stdout)
    assert own > there
    assert made("on", "sync").returncode == 0
    assert writer() == "moved"
    assert int(made("get", "count").stdout) > own
    assert made("verify").returncode == 0


def test_the_emergency_stop_is_noticed_by_a_process_that_runs(made: Process, writer: Callable[[], str]) -> None:
    assert made("off", "all").returncode == 0
    assert writer() == "refused"
    assert made("on", "all").returncode == 0
    assert writer() == "moved"


def test_the_emergency_stop_refuses_with_who_when_and_the_way_back(made: Process) -> None:
    made("set", "k", "1")
    made("off", "all", "--because", "it runs amok")
    refused = made("set", "k", "2")
    assert (refused.returncode, refused.stdout) == (4, b"")
    words = refused.stderr.decode()
    assert words.startswith("error: every write is off since 20")
    assert ", by person (" in words
    assert words.endswith(": it runs amok\n  hint: reading works; when the cause is gone: ledger on all\n")
    assert made("get", "k").stdout == b"1\n"
    assert made("log").returncode == made("status").returncode == made("verify").returncode == 0
    assert made("gc").returncode == 4
    made("on", "all")
    assert made("set", "k", "2").returncode == 0


def test_recording_only_sessions_write_to_themselves_and_nothing_leaves(made: Process) -> None:
    """Sync and remote off: everybody goes on recording, and nobody reads anybody."""
    for name in ("sync", "remote"):
        assert made("off", name).returncode == 0
    made("session", "start", "--agent", "a", "--key", "1")
    assert made("set", "k", "1", "--session", "1").returncode == 0
    assert made("get", "k").returncode == 1
    assert made("get", "k", "--session", "1").stdout == b"1\n"
    assert [one["name"] for one in json.loads(made("status", "--json").stdout)["switches"]] == ["sync", "remote"]
    for name in ("remote", "sync"):
        assert made("on", name).returncode == 0
    assert made("get", "k").stdout == b"1\n"


def test_nothing_hooks_off_stops_them_and_leaves_the_rest_alone(made: Process) -> None:
    made("off", "hooks")
    with open_ledger(".ledger") as ledger:
        from ledger.storage.switches import is_off

        assert is_off(ledger.layout, "hooks")
    assert made("set", "k", "1").returncode == 0
    assert made("get", "k").stdout == b"1\n"


def test_an_older_program_reads_a_newer_ledger_and_never_writes_it(made: Process) -> None:
    from ledger.actions.append import Draft

    made("set", "k", "1")
    with open_ledger(".ledger") as ledger:
        append_shared(ledger.place, ledger.person().author, [Draft("ledger.upgraded", {"format": 1, "fold": 2})])
    before = made("log", "--jsonl").stdout
    for write in (["set", "k", "2"], ["note", "x"], ["session", "start"], ["incr", "c"]):
        refused = made(*write)
        assert refused.returncode == 4
        assert b"this ledger has fold 2; this program writes fold 1" in refused.stderr
    assert made("get", "k").stdout == b"1\n"
    assert made("log", "--jsonl").stdout == before
    assert made("keys").returncode == 0


def test_switches_work_on_a_ledger_that_this_program_cannot_write(made: Process) -> None:
    from ledger.actions.append import Draft

    with open_ledger(".ledger") as ledger:
        append_shared(ledger.place, ledger.person().author, [Draft("ledger.upgraded", {"format": 1, "fold": 2})])
    stopped = made("off", "all")
    assert stopped.returncode == 0
    assert stopped.stderr.startswith(b"Not recorded: this ledger has fold 2")
    assert Path(".ledger/off/all").exists()
    assert made("on", "all").returncode == 0
    assert not Path(".ledger/off").exists()


@pytest.mark.parametrize("damage", ["refs", "objects"])
def test_switches_work_on_a_damaged_ledger(made: Process, damage: str) -> None:
    if damage == "refs":
        Path(".ledger/ledger.git/refs/heads/main").write_text("nonsense\n")
    else:
        for path in Path(".ledger/ledger.git/objects").glob("??/*"):
            path.chmod(0o600)
            path.write_bytes(b"")
    stopped = made("off", "all")
    assert stopped.returncode == 0
    assert b"Off: every write" in stopped.stderr
    assert Path(".ledger/off/all").exists()
    assert made("on", "all").returncode == 0


def test_an_emergency_stop_waits_for_nobody(made: Process) -> None:
    """Somebody who holds the queue's lock and hangs is a reason to stop, not one to wait."""
    with open_ledger(".ledger") as ledger:
        assert ledger.place.queue is not None
        with ledger.place.queue.hold(1):
            stopping = subprocess.Popen([sys.executable, "-m", "ledger", "off", "all"])
            began = time.monotonic()
            while not Path(".ledger/off/all").exists():
                assert time.monotonic() - began < 5
                time.sleep(0.05)
        assert stopping.wait(30) == 0


# Pages


def test_off_and_on_say_what_they_did(ledger: Run) -> None:
    off = ledger("off", "sync", "--because", "a merge went wrong")
    assert off == (0, "", "Off: sharing between sessions. Once it may go on: ledger on sync\n")
    again = ledger("off", "sync")
    assert again.code == 0
    assert again.err.startswith("Already off since 2026-11-22T15:14:04Z, by person (")
    assert again.err.endswith("): a merge went wrong.\n")
    ledger("set", "k", "1")
    on = ledger("on", "sync")
    assert on == (0, "", "On: sharing between sessions.\n")
    assert ledger("on", "sync") == (0, "", "On already.\n")
    assert ledger("get", "k").out == "1\n"
    assert [line.split("  ")[-1].strip() for line in ledger("log", "--type", "switch.set").out.splitlines()] == [
        "switch.set sync: on",
        "switch.set sync: off, a merge went wrong",
    ]


def test_on_tells_whose_lines_it_brought(ledger: Run) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run")
    ledger("off", "sync")
    ledger("set", "k", "1", "--session", "run")
    on = ledger("on", "sync")
    assert on == (0, "", "On: sharing between sessions.\nBrought to main: the lines of 1 session.\n")


def test_off_and_on_answer_programs(ledger: Run) -> None:
    off = json.loads(ledger("off", "all", "--json").out)
    (event,) = off.pop("events")
    session = off.pop("session")
    assert off == {"switch": "all", "on": False, "changed": True, "unrecorded": None}
    assert (event["type"], event["subject"]) == ("switch.set", "switch.set all: off")
    again = json.loads(ledger("off", "all", "--json").out)
    assert (again["changed"], again["events"]) == (False, [])
    on = json.loads(ledger("on", "all", "--json").out)
    assert (on["on"], on["changed"], on["session"], on["brought"], on["left"]) == (True, True, session, [], [])


def test_a_switch_of_no_ledger_and_no_switch_are_refused(run: Run) -> None:
    assert run("off", "all").code == 3
    assert run("off", "all", "--ledger", "/nowhere").err == (
        "error: /nowhere is not a ledger\n  hint: name the one you mean with --ledger\n"
    )
    run("init")
    for verb in ("off", "on"):
        result = run(verb, "everything")
        assert (result.code, result.err) == (
            2,
            "error: no such switch: everything\n  hint: one of: sync, hooks, remote, all\n",
        )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("sync", "sharing between sessions"),
        ("hooks", "recording by hooks"),
        ("remote", "exchange with other machines"),
        ("all", "every write"),
    ],
)
def test_status_says_once_what_is_off_and_how_to_turn_it_on(ledger: Run, name: str, what: str) -> None:
    ledger("off", name, "--because", "no network")
    page = ledger("status").out.splitlines()
    assert page[1] == "health    1 problem"
    way_back = "unpause" if name == "hooks" else f"on {name}"
    assert re.sub(r"\(\w+\)", "(…)", page[2]) == (
        f"  {what} is off since 2026-11-22T15:14:04Z, by person (…): no network; turn it on again: ledger {way_back}"
    )
    assert sum(" off " in line for line in page) == 1
    answer = json.loads(ledger("status", "--json").out)
    (told,) = answer["switches"]
    assert (told["name"], told["because"], told["agent"]) == (name, "no network", "person")
    assert answer["health"] == [page[2].strip()]


def test_a_switch_is_turned_by_the_session_that_is_named_and_by_one_that_is_not_there(ledger: Run) -> None:
    ledger("session", "start", "--agent", "codex", "--key", "run")
    ledger("off", "sync", "--session", "run")
    assert json.loads(Path(".ledger/off/sync").read_bytes())["agent"] == "codex"
    ledger("on", "sync")
    off = ledger("off", "sync", "--session", "nobody")
    assert off.code == 0
    assert off.err.startswith("Not recorded: no session on the roster is named 'nobody': it has ended")
    assert "nobody" not in Path(".ledger/off/sync").read_text()


def test_no_secret_reaches_the_switch_or_its_event(ledger: Run) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLQ"
    ledger("off", "sync", "--because", f"leaked {key}")
    assert key not in Path(".ledger/off/sync").read_text()
    assert key not in ledger("log", "--jsonl").out


def test_who_names_no_session_sees_what_they_wrote_while_sync_is_off(ledger: Run) -> None:
    ledger("off", "sync")
    ledger("set", "k", "1")
    assert ledger("get", "k").out == "1\n"
    assert json.loads(ledger("keys", "--json").out)[0]["key"] == "k"
