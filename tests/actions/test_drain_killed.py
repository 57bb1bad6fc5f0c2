"""A drain that is killed, or refused by the disk, at any of its calls: the next one ends with the very same events."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, events, gemini

from ledger.api import create_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.storage import spool
from ledger.storage.layout import Layout

CALLS = (
    "write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,openat,link,linkat"
)
SAMPLE = Path(__file__).parent.parent / "recording" / "data" / "claude-code.jsonl"
KEY = "5e551011-0000-4000-8000-000000000001"

# A mark in the trace says when the program has started: what comes before it writes nothing.
PROGRAM = """
import os, sys
from ledger.actions import append, drain, import_transcripts, session, settle, tail
from ledger.api import open_ledger
from ledger.core.redaction import default_redactor
from ledger.recording.payloads import dialects
default_redactor()
ledger = open_ledger(sys.argv[1])
os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))
try:
    ledger.drain()
finally:
    os._exit(0)
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which payloads of two agents wait, some of them twice, and a transcript is to be read."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("template")
    transcript = shutil.copy(SAMPLE, folder / "transcript.jsonl")
    with create_ledger(folder / "ledger")[0] as ledger:
        fill(ledger.layout, str(transcript))
    return folder


def fill(layout: Layout, transcript: str) -> None:
    claude = Claude(layout, key=KEY, transcript=transcript, pid=1)
    claude.start()
    claude.ask()
    for _ in range(2):
        claude.use()
    agent = Claude(layout, moments=claude.moments)
    fields = {"tool_name": "run_shell_command", "tool_input": {"command": "ls"}, "tool_response": {"llmContent": "a"}}
    for second in (1, 5):
        raw = gemini("AfterTool", "g", f"2026-11-22T17:06:0{second}.000Z", **fields)
        agent.capture("AfterTool", raw, "gemini")
    claude.capture("Stop", b'{"cut": ')
    claude.stop()
    claude.end()


def copied(template: Path, folder: Path) -> Layout:
    """The ledger once more, its payloads captured when they were."""
    shutil.copytree(template / "ledger", folder / "ledger", symlinks=True)
    return Layout(folder / "ledger")


def traced(layout: Layout, *how: str) -> subprocess.CompletedProcess[bytes]:
    run = ["strace", "-f", "-o", f"{layout.root.parent}/trace", *how, sys.executable, "-c", PROGRAM, str(layout.root)]
    return subprocess.run(run, check=False, capture_output=True, timeout=120)


def calls(template: Path, folder: Path) -> tuple[int, int]:
    """How many calls that change something there are before the drain, and by its end."""
    layout = copied(template, folder)
    assert traced(layout, "-e", f"trace={CALLS}").returncode == 0
    lines = (folder / "trace").read_text().splitlines()
    marked = next(number for number, line in enumerate(lines) if 'openat(AT_FDCWD, "/", ' in line)
    counted = [number for number, line in enumerate(lines) if re.match(r"\d+ +[a-z0-9]+\(", line)]
    return sum(number <= marked for number in counted), len(counted)


def told(layout: Layout) -> list[tuple[str, str, str]]:
    """Every fact: of which session, of which type, and by which name."""
    with open_ledger(layout.root) as ledger:
        ledger.drain()
        found = [(e.session, e.type, str((e.origin or {}).get("ref", ""))) for e in events(ledger)]
        assert ledger.place.payloads is not None
        named = [e.data["attachment"] for e in events(ledger) if e.type == "transcript.appended"]
        raw = b"".join(ledger.place.payloads.get(one["id"], one["sha256"]) for one in named)
        assert raw == SAMPLE.read_bytes()
    assert spool.waiting(layout) == []
    assert len(spool.rejected(layout)) == 1
    return sorted(found)


def sweep(template: Path, tmp_path: Path, how: str, step: int) -> Iterator[None]:
    (tmp_path / "counted").mkdir()
    before, last = calls(template, tmp_path / "counted")
    expected = told(Layout(tmp_path / "counted" / "ledger"))
    assert last - before > 60
    assert len([one for one in expected if one[0] == SessionId.of("claude-code", KEY)]) > 6
    for number in range(before + 1, last + 1, step):
        folder = tmp_path / f"at-{number}"
        folder.mkdir()
        layout = copied(template, folder)
        done = traced(layout, "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:{how}:when={number}")
        if how.startswith("signal"):
            assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL, 0), done.stderr
        if not _is_reading(folder):
            assert told(layout) == expected, f"call {number} of {last}: {_line(folder, number)}"
            yield
        shutil.rmtree(folder)


def _is_reading(folder: Path) -> bool:
    """Whether what was refused is to open a file that is there: no disk is too full for that."""
    refused = [line for line in (folder / "trace").read_text().splitlines() if line.endswith("(INJECTED)")]
    return any("O_RDONLY" in line and "O_CREAT" not in line for line in refused)


def _line(folder: Path, number: int) -> str:
    lines = (folder / "trace").read_text().splitlines()
    return lines[min(number, len(lines)) - 1]


def test_a_drain_that_is_killed_is_made_good_by_the_next(template: Path, tmp_path: Path) -> None:
    assert len(list(sweep(template, tmp_path, "signal=KILL", step=41))) > 1


def test_a_drain_on_a_full_disk_is_made_good_by_the_next(template: Path, tmp_path: Path) -> None:
    assert len(list(sweep(template, tmp_path, "error=ENOSPC", step=53))) > 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wherever_a_drain_is_killed_every_payload_is_one_event(template: Path, tmp_path: Path) -> None:
    assert list(sweep(template, tmp_path, "signal=KILL", step=1))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wherever_the_disk_is_full_every_payload_is_one_event(template: Path, tmp_path: Path) -> None:
    assert list(sweep(template, tmp_path, "error=ENOSPC", step=1))
