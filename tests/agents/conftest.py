"""Real agents, in worktrees of one project, each against a scripted model of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.agents import codex, gemini, opencode
from tests.agents.agent import Agent, Seat
from tests.agents.model import Model, serving
from tests.agents.script import Script

AGENTS = os.environ.get("LEDGER_AGENTS")
ALL: tuple[Agent, ...] = (codex, gemini, opencode)


class Scripted(NamedTuple):
    """An agent in its worktree, and the model that it speaks to."""

    seat: Seat
    model: Model


Sit = Callable[[Agent, Path, Script], Scripted]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the agents' programs; skips where LEDGER_AGENTS names none."""
    if not AGENTS:
        pytest.skip("LEDGER_AGENTS names no folder with real agents (`make agents` installs them)")
    return Path(AGENTS).expanduser().resolve(strict=True) / "node_modules" / ".bin"


@pytest.fixture(params=ALL, ids=lambda agent: agent.NAME)
def agent(request: pytest.FixtureRequest) -> Agent:
    """Each agent in turn."""
    chosen: Agent = request.param
    return chosen


@pytest.fixture
def project(home: Path) -> Path:
    """A project of one commit."""
    folder = home / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "README.md").write_text("# demo\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


@pytest.fixture
def sit(programs: Path, home: Path) -> Iterator[Sit]:
    """Seats an agent in a worktree, with a model that follows a script."""
    with ExitStack() as open_models:

        def call(agent: Agent, worktree: Path, script: Script) -> Scripted:
            program = programs / agent.PROGRAM
            if not program.exists():
                pytest.skip(f"LEDGER_AGENTS has no {agent.PROGRAM}")
            model = open_models.enter_context(serving(agent.WIRE, script))
            return Scripted(Seat(agent, program, home, worktree, model.url), model)

        yield call


def git(folder: Path, *arguments: str) -> str:
    """What a git command prints."""
    ran = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return ran.stdout


def worktree(project: Path, name: str) -> Path:
    """Another worktree of a project, on a branch of that name."""
    folder = project.parent / name
    git(project, "worktree", "add", "--quiet", "-b", name, str(folder))
    return folder


class Ledger:
    """A ledger of a project, used from the command line as a person does."""

    def __init__(self, project: Path, programs: Path) -> None:
        self.project = project
        self.environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self.run("init")

    def run(self, *arguments: str, at: Path | None = None, code: int | None = 0) -> str:
        """What a command prints; it has to end with `code`, if one is given."""
        ran = subprocess.run(
            [sys.executable, "-m", "ledger", *arguments],
            cwd=at or self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert code in (None, ran.returncode), (arguments, ran.stdout, ran.stderr)
        return ran.stdout

    def json(self, *arguments: str) -> Any:
        """The document that a command answers with."""
        return json.loads(self.run(*arguments, "--json"))

    def install(self, agent: Agent, at: Path | None = None) -> None:
        """Installs the hooks of an agent in a worktree's own settings, and git's."""
        self.run("hooks", "install", agent.NAME, "git", at=at)

    def faults(self) -> list[Any]:
        """What `doctor` finds wrong."""
        document = json.loads(self.run("doctor", "--json", code=None))
        return [check for check in document["checks"] if not check["ok"]]

    def log(self) -> list[dict[str, Any]]:
        """Every event, the oldest first."""
        lines = self.run("log", "--jsonl").splitlines()
        return [json.loads(line) for line in reversed(lines)]


@pytest.fixture
def ledger(project: Path, programs: Path) -> Ledger:
    """A ledger of the project."""
    return Ledger(project, programs)
