"""`ledger watch` as processes of its own: lines as they land, readers that do not read, ends, and alerts."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.actions.append import Draft
from ledger.api import open_ledger
from ledger.cli import alerts

REFERENCE = Path(__file__).parents[2] / "docs/reference/json.md"
PAGE = REFERENCE.read_text().partition("\n## watch --alerts\n")[2].partition("\n## ")[0]

Watcher = subprocess.Popen[bytes]


@pytest.fixture
def folder(home: Path, process: Callable[..., Any]) -> Path:
    """A new ledger in the working folder."""
    assert process("init", "-q").returncode == 0
    return Path.cwd() / ".ledger"


@contextmanager
def watching(*arguments: str, **environment: str) -> Iterator[Watcher]:
    """A watcher that has begun to listen, ended at the end of the block if it was not before."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ledger", "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what waits in a buffer here would be hidden from select
        env=os.environ | environment,
    )
    with child:
        try:
            said = stderr_line(child)
            assert said.startswith(b"Watching "), said + (child.stderr.read() if child.stderr else b"")
            yield child
        finally:
            child.kill()


def stderr_line(child: Watcher) -> bytes:
    assert child.stderr is not None
    return child.stderr.readline()


def line(child: Watcher, seconds: float = 20) -> bytes:
    """The next line of its answer."""
    assert child.stdout is not None
    assert select.select([child.stdout], [], [], seconds)[0], "nothing was told"
    return child.stdout.readline()


def silent(child: Watcher, seconds: float = 0.6) -> bool:
    return not select.select([child.stdout], [], [], seconds)[0]


def ended(child: Watcher) -> tuple[int, bytes]:
    """Its exit code, and what it said."""
    code = child.wait(20)
    assert child.stderr is not None
    return code, child.stderr.read()


def test_each_event_is_one_line_as_log_shows_it(folder: Path, process: Callable[..., Any]) -> None:
    with watching() as people, watching("--jsonl", "-n", "2") as programs:
        process("set", "a", "x")
        told = [line(people), line(people)]
        as_json = [line(programs), line(programs)]
        assert ended(programs) == (0, b"")
        process("set", "a", "y")
        told.append(line(people))
    log = process("log", "--jsonl").stdout.splitlines(keepends=True)
    assert as_json == log[1:3][::-1]
    shown = re.compile(rb"[0-9a-f]{10}  (?:now|\d+s ago) +person/[0-9a-f]{4} {5}  (.*)\n")
    subjects = [found[1] for found in map(shown.fullmatch, told) if found]
    assert subjects == [b"session.started person", b"context.set a: x", b"context.set a: y"]


def test_the_whole_page_with_a_fixed_clock(ledger: Any) -> None:
    first = json.loads(ledger("log", "--jsonl").out)["id"]
    ledger("set", "auth/decision", "Use device flow.")
    ledger("note", "hello")
    result = ledger("watch", "--since", first, "-n", "3")
    commits = re.compile(r"^[0-9a-f]{10}", re.MULTILINE)
    assert commits.sub("<commit>", result.out) == WHOLE
    assert re.fullmatch(r"Watching /.*/\.ledger\. Ctrl-C ends it\.\n", result.err)
    assert result.code == 0
    assert ledger("watch", "--since", first, "-n", "1", "--quiet").err == ""


WHOLE = """\
<commit>  2m ago      person/8b28       session.started person
<commit>  2m ago      person/8b28       context.set auth/decision: Use device flow.
<commit>  1m ago      person/8b28       note.added: hello
"""


def test_what_the_session_in_use_writes_is_left_out(folder: Path, process: Callable[..., Any]) -> None:
    me = process("session", "start", "--agent", "codex", "-q").stdout.decode().strip()
    process("set", "a", "0")
    with watching(LEDGER_SESSION=me) as without, watching("--session", me, "--own") as whole:
        process("note", "mine", LEDGER_SESSION=me)
        assert line(whole).endswith(b"note.added: mine\n")
        process("note", "theirs")
        assert line(without).endswith(b"note.added: theirs\n")
        assert line(whole).endswith(b"note.added: theirs\n")


def test_a_watcher_that_does_not_read_holds_up_nobody_and_gets_everything(folder: Path) -> None:
    """Its pipe (64 KiB) is full after a fifth of what is written; its memory stays as it was."""
    count, text = 400, "x" * 500
    with watching("--jsonl") as child, open_ledger(folder) as ledger:
        me = ledger.session("agent", "one")
        me.note("first")
        line(child), line(child)
        before, longest = memory(child), 0.0
        for number in range(count):
            began = time.monotonic()
            me.note(f"{number} {text}")
            longest = max(longest, time.monotonic() - began)
        time.sleep(0.5)
        assert longest < 5
        assert memory(child) < before + 30_000
        told = [json.loads(line(child))["data"]["text"].split()[0] for _ in range(count)]
        assert told == [str(number) for number in range(count)]
        assert silent(child)


def memory(child: Watcher) -> int:
    """What it holds in memory, in KiB."""
    status = Path(f"/proc/{child.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1])


def test_a_reader_that_goes_ends_it_quietly_with_the_next_event(folder: Path, process: Callable[..., Any]) -> None:
    with watching() as child:
        assert child.stdout is not None
        child.stdout.close()
        process("note", "x")
        assert ended(child) == (0, b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
@pytest.mark.parametrize("is_blocked", [False, True])
def test_a_signal_ends_it_at_once_even_while_its_pipe_is_full(
    folder: Path, number: signal.Signals, code: int, is_blocked: bool
) -> None:
    with watching("--jsonl") as child, open_ledger(folder) as ledger:
        if is_blocked:
            ledger.session("agent", "one").write(notes(300))
            time.sleep(1)
        child.send_signal(number)
        assert ended(child) == (code, b"")


def notes(count: int) -> list[Draft]:
    return [Draft("note.added", {"text": "x" * 500}) for _ in range(count)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json",), "watch has no end, and so no one document"),
        (("--exec", "true"), "--exec is run for alerts"),
        (("--alerts", "--since", "main"), "--since and --own are about events"),
        (("--alerts", "--exec", "a 'b"), "--exec cannot be understood"),
        (("--alerts", "--exec", ""), "--exec names no command"),
    ],
)
def test_what_cannot_be_meant_is_refused(ledger: Any, arguments: tuple[str, ...], words: str) -> None:
    result = ledger("watch", *arguments)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert "hint: " in result.err


def test_a_rev_that_names_nothing_is_not_found(ledger: Any) -> None:
    assert ledger("watch", "--since", "ffffffff").code == 1


def alert(child: Watcher) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(line(child))
    return told


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks come every tenth of a second, and a command has one second."""
    monkeypatch.setattr(alerts, "EVERY", 0.1)
    monkeypatch.setattr(alerts, "DEADLINE", 1.0)


def sleeper() -> subprocess.Popen[bytes]:
    """A process for a session to live in."""
    return subprocess.Popen(["sleep", "60"])


def test_a_dead_session_is_told_once_and_once_more_when_it_is_over(folder: Path, process: Callable[..., Any]) -> None:
    with sleeper() as owner:
        me = process("session", "start", "--agent", "codex", "-q", "--pid", str(owner.pid)).stdout.decode().strip()
        with watching("--alerts", "--jsonl") as child:
            assert silent(child)
            owner.kill()
            owner.wait()
            told = alert(child)
            assert (told["alert"], told["over"], told["session"]) == ("dead-session", False, me)
            assert told["agent"] == "codex"
            assert told["hint"] == f"ledger session resume {me}"
            process("session", "resume", me, "--pid", str(os.getpid()))
            told = alert(child)
            assert (told["alert"], told["over"], told["session"]) == ("dead-session", True, me)
            child.send_signal(signal.SIGINT)
            assert ended(child)[0] == 130


def crashed(run: Callable[..., Any]) -> str:
    """A session whose process is gone."""
    with sleeper() as owner:
        me: str = run("session", "start", "--agent", "codex", "--pid", str(owner.pid)).out.strip()
        owner.kill()
    return me


def test_an_alert_on_the_page_says_what_why_and_what_to_do(ledger: Any, quick: None) -> None:
    me = crashed(ledger)
    result = ledger("watch", "--alerts", "-n", "1")
    page = rf"2026-11-22T15:\d\d:04Z  dead-session  codex/{me[:8]}  .+; ledger session resume {me}\n"
    assert re.fullmatch(page, result.out)
    assert result.code == 0


def test_a_command_is_run_for_an_alert_with_the_alert_on_its_input(ledger: Any, quick: None) -> None:
    """It is no shell that splits it: a quoted argument stays one."""
    me = crashed(ledger)
    script = "import os, sys; open('got it', 'w').write(os.environ['LEDGER_ALERT'] + ' ' + sys.stdin.read())"
    result = ledger("watch", "--alerts", "-n", "1", "--jsonl", "--exec", f'{sys.executable} -c "{script}"')
    kind, _, document = Path("got it").read_text().partition(" ")
    assert kind == "dead-session"
    assert json.loads(document) == json.loads(result.out)
    assert json.loads(document)["session"] == me
    assert set(json.loads(document)) == set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert "--exec" not in result.err


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("false", "--exec failed: false ended with 1"),
        ("no-such-command", "--exec failed: no-such-command: No such file or directory"),
        ("sh -c 'sleep 50 & sleep 50'", "--exec took longer than 1 seconds and was ended: sh"),
        ("sh -c 'exec <&-; exit 3'", "--exec failed: sh ended with 3"),
    ],
)
def test_a_command_that_fails_or_hangs_is_told_and_ends_nothing(
    ledger: Any, quick: None, script: str, words: str
) -> None:
    crashed(ledger)
    ledger("session", "start", "--agent", "other", "--pid", str(os.getpid()))
    result = ledger("watch", "--alerts", "--silent", "0", "-n", "2", "--exec", script)
    assert result.code == 0
    assert len(result.out.splitlines()) == 2
    assert words in result.err
