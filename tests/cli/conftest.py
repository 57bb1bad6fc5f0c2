"""The command line as a test runs it: in this process with fixed time and chance, or as a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ledger.cli.main import main
from ledger.testing import Clock, fixed


class Result(NamedTuple):
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def clock() -> Clock:
    """The time of the commands that `run` runs."""
    return Clock()


@pytest.fixture
def run(clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process; between two commands a minute goes by."""
    sources = fixed(clock)

    def call(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(list(arguments), sources)
        clock.advance(60)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def ledger(run: Run) -> Run:
    """Runs a command where `ledger init` was run before, in a folder without git."""
    assert run("init").code == 0
    return run


@pytest.fixture
def process(home: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs a command as a process of its own, in the test's working folder."""

    def call(*arguments: str | bytes, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "ledger", *arguments],
            input=stdin,
            env=os.environ | environment,
            capture_output=True,
            check=False,
            timeout=60,
        )

    return call
