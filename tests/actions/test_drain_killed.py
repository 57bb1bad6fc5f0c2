"""A drain that is killed, or refused by the disk, at any of its calls: the next one ends with the very same events."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, events, gemini
from tests.strace import MARK, SYNCS, WRITES, points, tracing

from ledger.api import create_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.storage import spool
from ledger.storage.layout import Layout

CALLS = (*WRITES, *SYNCS)
SAMPLE = Path(__file__).parent.parent / "recording" / "data" / "claude-code.jsonl"
KEY = "5e551011-0000-4000-8000-000000000001"

PROGRAM = f"""
import os, sys
from ledger.actions import append, drain, import_transcripts, session, settle, tail
from ledger.api import open_ledger
from ledger.core.redaction import default_redactor
from ledger.recording.payloads import dialects
default_redactor()
ledger = open_ledger(sys.argv[1])
{MARK}
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
    run = [*tracing(layout.root.parent / "trace", CALLS), *how, sys.executable, "-c", PROGRAM, str(layout.root)]
    return subprocess.run(run, check=False, capture_output=True, timeout=120)


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


def sweep(template: Path, tmp_path: Path, how: str, calls: tuple[str, ...], most: int = 0) -> Iterator[int]:
    """Drain once for each call, or `most` of them, with a fault at that call; gives how each drain ended."""
    layout = copied(template, tmp_path / "counted")
    assert traced(layout).returncode == 0
    expected = told(layout)
    assert len([one for one in expected if one[0] == SessionId.of("claude-code", KEY)]) > 6
    every = list(points(tmp_path / "counted" / "trace", calls))
    assert len(every) > 40
    for point in every[:: len(every) // most if most else 1]:
        layout = copied(template, tmp_path / "faulty")
        done = traced(layout, *point.fault(how))
        assert told(layout) == expected, point
        yield done.returncode
        shutil.rmtree(layout.root.parent)


def test_a_drain_that_is_killed_is_made_good_by_the_next(template: Path, tmp_path: Path) -> None:
    assert set(sweep(template, tmp_path, "signal=KILL", CALLS, most=2)) == {-signal.SIGKILL}


def test_a_drain_on_a_full_disk_is_made_good_by_the_next(template: Path, tmp_path: Path) -> None:
    assert len(list(sweep(template, tmp_path, "error=ENOSPC", WRITES, most=2))) >= 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wherever_a_drain_is_killed_every_payload_is_one_event(template: Path, tmp_path: Path) -> None:
    ends = Counter(sweep(template, tmp_path, "signal=KILL", CALLS))
    print(f"killed at {ends[-signal.SIGKILL]} calls")
    # The last of some calls are not made each time: so often a thread is waited for, or a page is written.
    assert ends[-signal.SIGKILL] > 300


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wherever_the_disk_is_full_every_payload_is_one_event(template: Path, tmp_path: Path) -> None:
    print(f"refused at {len(list(sweep(template, tmp_path, 'error=ENOSPC', WRITES)))} calls")
