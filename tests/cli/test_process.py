"""The command as a process of its own: exit codes, streams, locale, pipes, and how little it imports."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.cli.errors import guarded

Process = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def ledger(process: Process) -> Process:
    assert process("init", "-q").returncode == 0
    return process


def test_data_goes_to_standard_output_and_words_to_standard_error(ledger: Process) -> None:
    written = ledger("set", "a", "x")
    assert (written.returncode, written.stdout) == (0, b"")
    assert written.stderr.endswith(b"context.set a: x\n")
    assert ledger("get", "a").stdout == b"x\n"
    assert ledger("get", "b").returncode == 1
    assert ledger("nope").returncode == 2
    assert ledger("get", "a", "--ledger", "/nowhere").returncode == 3
    assert ledger("set", "A", "x").returncode == 4


def test_the_environment_names_the_ledger_and_an_option_beats_it(ledger: Process, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert ledger("init", LEDGER_DIR=str(other)).stdout == f"{other}\n".encode()
    ledger("set", "a", "there", LEDGER_DIR=str(other))
    ledger("set", "a", "here")
    assert ledger("get", "a", LEDGER_DIR=str(other)).stdout == b"there\n"
    assert ledger("get", "a", "--ledger", ".ledger", LEDGER_DIR=str(other)).stdout == b"here\n"
    assert ledger("get", "a", LEDGER_SESSION="nobody").returncode == 1


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_text_is_utf_8_whatever_the_locale(ledger: Process, locale: str) -> None:
    ledger("set", "a", "日本 é", LC_ALL=locale)
    assert ledger("get", "a", LC_ALL=locale).stdout == "日本 é\n".encode()
    assert json.loads(ledger("get", "a", "--json", LC_ALL=locale).stdout)["value"] == "日本 é"


def test_an_argument_that_is_no_utf_8_is_refused(ledger: Process) -> None:
    result = ledger("set", "a", b"caf\xe9")
    assert result.returncode == 4
    assert b"value: byte 0xE9 at character 4 is not UTF-8" in result.stderr


def test_a_reader_that_stops_reading_is_no_error(ledger: Process) -> None:
    lines = "".join(f'{{"type": "note.added", "data": {{"text": "{"x" * 60} {n}"}}}}\n' for n in range(2000))
    ledger("record", "--jsonl", stdin=lines.encode())
    shell = f"{sys.executable} -m ledger log | head -n 1; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60, check=False)
    assert result.stdout.decode().splitlines()[1:] == ["0"]
    assert result.stderr == b""


def test_a_gigabyte_on_standard_input_is_refused_after_the_limit(ledger: Process) -> None:
    """It is refused in a process that may hold 400 MB in all, and while the writer still has most of it."""
    command = [sys.executable, "-m", "ledger", "set", "a", "--file", "-"]
    with Path("/dev/zero").open("rb") as endless:
        result = subprocess.run(
            command,
            stdin=endless,
            capture_output=True,
            timeout=60,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20)),
        )
    assert result.returncode == 4
    assert b"standard input: holds more than 1,048,576 bytes" in result.stderr


@pytest.mark.parametrize(
    ("fault", "way_out"), [(errno.EROFS, "mount it for writing"), (errno.ENOSPC, "free some space")]
)
def test_a_refusal_of_the_disk_says_what_helps_against_this_one(
    capsys: pytest.CaptureFixture[str], fault: int, way_out: str
) -> None:
    def refuse() -> int:
        raise OSError(fault, os.strerror(fault), "/disk/file")

    assert guarded(refuse, {}) == 7
    words = capsys.readouterr().err
    assert words.startswith(f"error: /disk/file: {os.strerror(fault)}\n  hint: ")
    assert way_out in words


def test_a_full_disk_is_told_as_such(ledger: Process) -> None:
    ledger("set", "a", "x" * 60_000)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "ledger", "get", "a"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert result.returncode == 7
    assert result.stderr.startswith(b"error: No space left on device\n")


SHELL = f"{sys.executable} -m ledger"


def in_shell(line: str) -> subprocess.CompletedProcess[bytes]:
    """How a line for bash ends in which `ledger` is the command, its streams as the line leaves them."""
    command = ["bash", "-c", line.replace("ledger", SHELL)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "2>/dev/full", ">&- 2>&-", "<&-"])
def test_a_write_whose_words_nobody_takes_is_done_all_the_same(ledger: Process, closed: str) -> None:
    result = in_shell(f"ledger incr c {closed}")
    assert result.returncode == 0
    assert b"error" not in result.stderr
    assert ledger("get", "c").stdout == b"1\n"


@pytest.mark.parametrize("verb", ["incr c", "undo", "rollback main~", "note x"])
def test_an_answer_that_cannot_be_printed_is_told_with_what_was_written(ledger: Process, verb: str) -> None:
    ledger("incr", "c")
    first = json.loads(ledger("show", "--json").stdout)["id"]
    ledger("incr", "c")
    result = in_shell(f"ledger {verb.replace('main~', first)} --json >/dev/full")
    newest = json.loads(ledger("show", "--json").stdout)
    assert newest["id"] != first
    assert result.returncode == 7
    assert result.stderr.decode() == (
        f"error: written as {newest['commit'][:10]}; only the answer could not be printed: No space left on device\n"
        f"  hint: do not write it again; `ledger show {newest['commit'][:10]}` shows it\n"
    )


def test_a_closed_standard_input_is_refused_where_it_is_read(ledger: Process) -> None:
    result = in_shell("ledger set a --text-file - <&-")
    assert result.returncode == 2
    assert result.stderr.startswith(b"error: standard input is closed\n")
    assert in_shell("ledger record <&-").returncode == 2


def test_reading_with_closed_streams_ends_as_it_would_with_open_ones(ledger: Process) -> None:
    ledger("set", "a", "x")
    assert in_shell("ledger get a >&-").returncode == 0
    assert in_shell("ledger get b 2>&-").returncode == 1
    assert in_shell("ledger get b 2>/dev/full").returncode == 1


def on_a_terminal(command: list[str], **environment: str) -> str:
    """What a command writes to a terminal of 60 columns."""
    main, other = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "ledger", *command],
        stdin=other,
        stdout=other,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "60", "TERM": "xterm"} | environment,
    )
    os.close(other)
    written = b""
    try:
        while piece := os.read(main, 4096):
            written += piece
    except OSError:
        pass  # Linux's way to say that the other side has closed
    finally:
        child.wait(timeout=60)
        os.close(main)
    return written.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("command", ["sessions", "status"])
def test_sessions_are_cut_to_the_terminal_from_their_end_on_and_for_a_pipe_not_at_all(
    ledger: Process, command: str, columns: int
) -> None:
    branch = "b" * 60
    ledger("session", "start", "--agent", "claude-code", "--role", "reviewer", "--branch", branch)
    (piped,) = [line for line in ledger(command, COLUMNS=str(columns)).stdout.decode().splitlines() if branch in line]
    page = on_a_terminal([command], COLUMNS=str(columns), NO_COLOR="1").splitlines()
    head, shown, *_ = page[page.index("sessions  1 working") + 1 :] if command == "status" else page
    assert max(len(head), len(shown)) <= columns
    assert shown.endswith("…") == (len(piped) > columns)
    assert piped.startswith(shown[:20].removesuffix("…").rstrip())
    if columns > 40:
        assert re.search(r"  (now|\ds ago) +reviewer  bbbb", shown)


def test_a_terminal_gets_colour_unless_asked_not_to(ledger: Process) -> None:
    ledger("set", "a", "x")
    assert "\x1b[33m" in on_a_terminal(["log"])
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in on_a_terminal(["log"], **plain)
    assert b"\x1b[" not in ledger("log").stdout


def test_no_line_is_wider_than_the_terminal(ledger: Process) -> None:
    ledger("set", "auth/decision", "Use the OAuth device flow, with 日本 " + "and more " * 20)
    for command in ("log", "keys"):
        lines = on_a_terminal([command], NO_COLOR="1").splitlines()
        assert lines
        assert max(map(len, lines)) <= 60


def test_what_somebody_else_wrote_cannot_steer_the_terminal(ledger: Process) -> None:
    event = {"type": "context.set", "data": {"key": "a", "value": "x\u202ey\u2028z"}}
    ledger("record", stdin=json.dumps(event).encode())
    assert on_a_terminal(["get", "a"]) == "x\\u202ey\\u2028z\n"
    shown = on_a_terminal(["get", "a", "--json"])
    assert "x\\u202ey\\u2028z" in shown
    assert json.loads(shown)["value"] == "x\u202ey\u2028z"
    assert json.loads(ledger("get", "a", "--json").stdout)["value"] == "x\u202ey\u2028z"
    for listing in ("keys", "log", "show", "history a", "diff main"):
        assert "\u202e" not in on_a_terminal(listing.split())


def test_a_fault_of_our_own_is_a_report_without_traceback(ledger: Process) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FAULTY, "get", "a"], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert "error: this is a fault of ledger itself: ZeroDivisionError\n" in result.stderr
    assert "Python 3." in result.stderr
    assert "Traceback" not in result.stderr
    debugged = subprocess.run(
        [sys.executable, "-c", FAULTY, "get", "a"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"LEDGER_DEBUG": "1"},
    )
    assert "Traceback (most recent call last)" in debugged.stderr


# The clock is part of what `main` is given, and this one is broken.
FAULTY = """\
import sys
from dataclasses import replace
from ledger.cli.main import main
from ledger.testing import fixed
sys.exit(main(["keys"], replace(fixed(), now=lambda: 1 // 0)) if main(["set", "a", "x"], fixed()) == 0 else 99)
"""


def test_an_interrupt_ends_with_130(ledger: Process) -> None:
    interrupting = "import os, signal, sys; from ledger.cli.main import main; from ledger.testing import fixed; "
    interrupting += "from dataclasses import replace; "
    interrupting += "stop = lambda: os.kill(os.getpid(), signal.SIGINT) or 0; "
    interrupting += "sys.exit(main(['note', 'x'], replace(fixed(), now=stop)))"
    result = subprocess.run([sys.executable, "-c", interrupting], capture_output=True, timeout=60, check=False)
    assert (result.returncode, result.stdout) == (130, b"")
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("command", [["get", "a"], ["log", "-n", "20"], ["keys"]])
def test_reading_imports_no_more_than_it_needs(ledger: Process, command: list[str]) -> None:
    ledger("set", "a", "x")
    heavy = ("pydantic", "rich", "yaml", "jsonschema", "jsonschema_rs", "pygit2", "duckdb", "ledger.core.redaction")
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ledger", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines() if "|" in line}
    assert "ledger.cli.app" in imported
    assert imported.intersection(heavy) == set()


def test_help_lists_every_command_and_imports_none(ledger: Process) -> None:
    from ledger.cli.app import COMMANDS

    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ledger", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [name for name in COMMANDS if f"\n  {name} " not in result.stdout] == []
    assert "ledger.cli.get" not in result.stderr
    assert ledger("--version").stdout.startswith(b"ledger ")
