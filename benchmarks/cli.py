"""What a command costs as a whole process, with 10^3 and 10^5 events behind it: against Python alone, and git.

Each command runs as a user runs it: the installed script, its own process, its answer thrown away; compiled
modules are kept, as an installation keeps them, even where PYTHONDONTWRITEBYTECODE says otherwise.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import _measure
from _sample import AGENT, fill

from ledger.api import create_ledger
from ledger.storage.maintenance import gc

SIZES = (_measure.scaled(1_000), _measure.scaled(100_000))
ROUNDS = 2 * _measure.ROUNDS
LEDGER = str(Path(sys.executable).with_name("ledger"))


def prepared(folder: Path, size: int) -> Path:
    ledger, _ = create_ledger(folder / str(size))
    with ledger:
        fill(ledger, size)
        gc(ledger.layout)
        for number in range(30):
            ledger.session(AGENT, "bench").set(f"bench/topic-{number}", "Use the OAuth device flow.")
    return folder / str(size)


class Shell:
    """Runs commands one by one, in an environment of their own."""

    def __init__(self, folder: Path) -> None:
        self._environment = _measure.git_environment() | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def work(self, *command: str) -> _measure.Work:
        quiet = subprocess.DEVNULL
        return lambda: subprocess.run(command, env=self._environment, check=True, stdout=quiet, stderr=quiet)


def commands(folder: Path) -> dict[str, tuple[str, ...]]:
    git = ("git", f"--git-dir={folder / 'ledger.git'}")
    ledger = (LEDGER, "--ledger", str(folder))
    return {
        "git show main:context/…": (*git, "show", "main:context/bench/topic-1.yaml"),
        "ledger get": (*ledger, "get", "bench/topic-1"),
        "git log -n 20": (*git, "log", "-n", "20"),
        "ledger log -n 20": (*ledger, "log", "-n", "20"),
        "ledger log -n 20 --jsonl": (*ledger, "log", "-n", "20", "--jsonl"),
        "ledger keys bench": (*ledger, "keys", "bench"),
        "ledger set": (*ledger, "set", "bench/topic-1", "Use the OAuth device flow."),
    }


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        shell = Shell(folder)
        alone = {
            "python -c pass": shell.work(sys.executable, "-c", "pass"),
            "python -c 'import pygit2'": shell.work(sys.executable, "-c", "import pygit2"),
            "python -c 'import typer'": shell.work(sys.executable, "-c", "import typer"),
            "ledger --version": shell.work(LEDGER, "--version"),
        }
        for size in SIZES:
            theirs = {name: shell.work(*command) for name, command in commands(prepared(folder, size)).items()}
            _measure.table(f"whole processes, {size:,} events", _measure.race(alone | theirs, ROUNDS))


if __name__ == "__main__":
    main()
