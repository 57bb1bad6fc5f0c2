"""What an agent waits for when a hook keeps a payload: whole processes, against `sh -c 'cat > file'` and Python alone.

The hook runs as an agent runs it, syncs included, and what it keeps is taken away between the rounds. Its drain is
told that one runs already: the drain has a benchmark of its own.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import _measure
from _sample import fill

from ledger.api import create_ledger
from ledger.storage import launcher, spool
from ledger.storage.layout import Layout

RUNS = max(20, 40 * _measure.ROUNDS)
EVENTS = _measure.scaled(100_000)
AT_ONCE = 8
PAYLOAD = b'{"session_id": "bench", "text": "' + random.Random(1).randbytes(1_000).hex().encode() + b'"}'
LARGE = PAYLOAD * 500
BARE = ("sh", "-c", "cat > file")
PYTHON = (sys.executable, "-I", "-c", "pass")


class Runner:
    """Runs commands with a payload, in a folder and an environment of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = _measure.git_environment()

    def work(self, *command: str, payload: bytes = PAYLOAD, times: int = 1) -> _measure.Work:
        """A call that runs the command, `times` at once, and waits for all."""

        def run() -> None:
            started = [self._start(command) for _ in range(times)]
            for process in started:
                assert process.stdin is not None
                with suppress(BrokenPipeError):  # Python alone reads nothing
                    process.stdin.write(payload)
                    process.stdin.close()
            assert [process.wait() for process in started] == [0] * times

        return run

    def _start(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, cwd=self._folder, env=self._environment, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet
        )


def prepared(root: Path, events: int = 0) -> Layout:
    """A ledger with so many events, its launcher, and the word that somebody drains."""
    ledger, _ = create_ledger(root)
    with ledger:
        fill(ledger, events)
        layout = ledger.layout
        assert layout is not None
    launcher.equip(layout, sys.executable)
    layout.draining.write_text(f"{os.getpid()}\n")
    return layout


def hook(layout: Layout) -> tuple[str, ...]:
    return str(layout.hook), "codex", "PostToolUse"


def unwritable(layout: Layout) -> Layout:
    """Root may write anywhere, so a file stands where drafts go."""
    shutil.rmtree(layout.spool / "tmp")
    (layout.spool / "tmp").touch()
    return layout


def kept_all(layouts: list[Layout], race: Callable[[], _measure.Series]) -> _measure.Series:
    """Run a race; every run of a hook must have kept its payload."""
    for layout in layouts:
        shutil.rmtree(layout.spool / "fired")
        (layout.spool / "fired").mkdir()
    series = race()
    for layout in layouts:
        waiting = spool.waiting(layout)
        assert len(waiting) == sum(one.fired for one in spool.fired(layout).values()) > 0
        for one in waiting:
            spool.done(one)
    return series


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        os.environ["TMPDIR"] = str(folder)  # where hooks keep what a ledger cannot take, and we look for it
        runner = Runner(folder)
        project = folder / "project"
        subprocess.run(["git", "init", "-q", str(project)], check=True, env=_measure.git_environment())
        small, large = prepared(project / ".git" / "ledger"), prepared(folder / "large", EVENTS)
        broken = unwritable(prepared(folder / "broken"))
        shared = ("sh", "-c", f"cd project && {launcher.shared_command('codex', 'PostToolUse')}")
        contestants = {
            "sh -c 'cat > file'": runner.work(*BARE),
            "hook": runner.work(*hook(small)),
            f"hook, {EVENTS:,} events": runner.work(*hook(large)),
            "hook, found by the shared command": runner.work(*shared),
            "hook, ledger not writable": runner.work(*hook(broken)),
            "python -I -c pass": runner.work(*PYTHON),
        }
        series = kept_all([small, large, broken], lambda: _measure.race(contestants, RUNS))
        _measure.tails(f"{len(PAYLOAD):,} bytes, {RUNS} runs", series)

        big = {
            "sh -c 'cat > file'": runner.work(*BARE, payload=LARGE),
            "hook": runner.work(*hook(small), payload=LARGE),
        }
        _measure.tails(
            f"{len(LARGE):,} bytes, {RUNS // 4} runs", kept_all([small], lambda: _measure.race(big, RUNS // 4))
        )

        crowd = {
            "sh -c 'cat > file'": runner.work(*BARE, times=AT_ONCE),
            "hook": runner.work(*hook(small), times=AT_ONCE),
            "python -I -c pass": runner.work(*PYTHON, times=AT_ONCE),
        }
        series = kept_all([small], lambda: _measure.race(crowd, RUNS // 4))
        _measure.tails(f"{AT_ONCE} at once, until the last ends, {RUNS // 4} runs", series)


if __name__ == "__main__":
    main()
