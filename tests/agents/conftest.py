"""Real agents, in worktrees of one project, each against a scripted model of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

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
    return request.param


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
