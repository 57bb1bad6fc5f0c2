"""An agent as a test runs it: real, non-interactive, with a home of its own and nothing but loopback to reach."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tests.agents.model import proxied
from tests.agents.wire import Wire

# What an agent inherits: nothing of who runs the tests, and no key.
KEPT = ("PATH", "LANG", "LC_ALL", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")


class Agent(Protocol):
    """How one agent is set up and run."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The agent's name in the ledger."""
        ...

    @property
    def PROGRAM(self) -> str:  # noqa: N802 - a module's constant
        """The file that npm makes for it."""
        ...

    @property
    def WIRE(self) -> Wire:  # noqa: N802 - a module's constant
        """The API that it speaks to the model."""
        ...

    def furnish(self, home: Path, project: Path, url: str) -> Mapping[str, str]:
        """Writes the settings of a user who trusts the project and whose model is the one at `url`.

        Returns what to add to the environment.
        """
        ...

    def arguments(self, prompt: str, resume: str | None) -> Sequence[str]:
        """The command line for one prompt; in the session `resume`, the last one for ""."""
        ...


class Ran(NamedTuple):
    """How an agent's run ended."""

    code: int
    out: str
    err: str


class Seat:
    """One agent in one worktree, with a home of its own and its own model."""

    def __init__(self, agent: Agent, program: Path, home: Path, worktree: Path, url: str) -> None:
        self.agent = agent
        self.program = program
        self.home = home
        self.worktree = worktree
        (home / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.environment = {
            **{name: os.environ[name] for name in KEPT if name in os.environ},
            **{name: value for name, value in os.environ.items() if name.startswith("COV")},
            **proxied(url),
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "TERM": "dumb",
            **agent.furnish(home, _project(worktree), url),
        }

    def run(self, prompt: str, resume: str | None = None, seconds: float = 120) -> Ran:
        """Runs one prompt to its end."""
        with self.start(prompt, resume) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                kill(process)
                raise
        return Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def start(self, prompt: str, resume: str | None = None) -> subprocess.Popen[bytes]:
        """Starts one prompt, in a process group of its own."""
        return subprocess.Popen(
            [str(self.program), *self.agent.arguments(prompt, resume)],
            cwd=self.worktree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def _project(worktree: Path) -> Path:
    """The main worktree of a project."""
    command = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    ran = subprocess.run(command, cwd=worktree, check=True, capture_output=True, text=True)
    return Path(ran.stdout.strip()).parent


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills an agent with all that it started: the launcher alone is not the agent."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def documents(out: str) -> list[Any]:
    """The JSON documents that an agent printed, one a line."""
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]
