"""What recording costs an agent, end to end: the same scripted session with a ledger and without one.

The agents are real ones (`make agents`), in the folder that LEDGER_AGENTS names; the model is a script that thinks
as long as a model does. That every prompt, call and turn's end was recorded is checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _measure

ROOT = Path(__file__).resolve().parent.parent
THINKS = 2.0  # seconds before each step
STEPS = 5

sys.path.append(str(ROOT))  # the agents' side of it is that of tests/agents


def script(number: int) -> Mapping[str, Any]:
    """A prompt that leads to calls of the shell, and an answer."""
    from tests.agents.script import Later, Shell, say

    calls = [Later(THINKS, Shell(f"echo {number} {step}")) for step in range(STEPS)]
    return {f"Begin with {number}": [*calls, Later(THINKS, say(f"{number} is done."))]}


class Desk:
    """An agent in a project of its own, with a ledger or without one."""

    def __init__(self, agent: Any, programs: Path, folder: Path, *, recorded: bool) -> None:
        self.agent, self.programs, self.folder, self.recorded = agent, programs, folder, recorded
        self.environment = _environment(folder, programs)
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        self.runs = 0
        subprocess.run(["git", "init", "--quiet"], cwd=self.project, env=self.environment, check=True)

    def session(self) -> None:
        """One session, from the agent's start to its end."""
        from tests.agents.agent import Seat
        from tests.agents.model import serving

        self.runs += 1
        steps = script(self.runs)
        with serving(self.agent.WIRE, steps) as model:
            seat = Seat(self.agent, self.programs / self.agent.PROGRAM, self.folder, self.project, model.url)
            if self.recorded:
                self._install()
            # The session alone is timed, and setting up is not: it happens once, not with every session.
            self.took = _measure.seconds(lambda: seat.run(next(iter(steps))))
            assert model.left() == {}, model.left()

    def ledger(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "ledger", *arguments]
        ran = subprocess.run(command, cwd=self.project, env=self.environment, check=True, capture_output=True)
        return ran.stdout.decode()

    def check(self) -> None:
        """Raises AssertionError if a fact of the sessions is missing, or there twice."""
        kinds = [json.loads(line)["type"] for line in self.ledger("log", "--jsonl").splitlines()]
        found = {kind: kinds.count(kind) for kind in ("prompt.submitted", "tool.completed", "turn.ended")}
        wanted = {"prompt.submitted": self.runs, "tool.completed": STEPS * self.runs, "turn.ended": self.runs}
        assert found == wanted, (found, wanted)

    def _install(self) -> None:
        if self.runs == 1:
            self.ledger("init")
        self.ledger("hooks", "install", self.agent.NAME)


@contextmanager
def desks(agent: Any, programs: Path) -> Iterator[dict[str, Desk]]:
    """Both contestants."""
    with _measure.folder() as place:
        yield {
            f"{agent.NAME}, no ledger": Desk(agent, programs, place / "bare", recorded=False),
            f"{agent.NAME}, recorded": Desk(agent, programs, place / "recorded", recorded=True),
        }


def race(both: Mapping[str, Desk]) -> _measure.Series:
    """The seconds of a session each, taking turns; the first round is not counted."""
    series: _measure.Series = {name: [] for name in both}
    for turn in range(_measure.ROUNDS + 1):
        for name in list(both) if turn % 2 else reversed(both):
            both[name].session()
            if turn:
                series[name].append(both[name].took)
    return series


def _environment(folder: Path, programs: Path) -> dict[str, str]:
    kept = {name: value for name, value in _measure.git_environment().items() if not name.startswith("LEDGER_")}
    return kept | {"HOME": str(folder), "PATH": f"{programs}{os.pathsep}{kept['PATH']}"}


def main() -> None:
    """Race each agent with itself."""
    named = os.environ.get("LEDGER_AGENTS")
    if not named:
        print("LEDGER_AGENTS names no folder with real agents (`make agents` installs them): nothing is measured")
        return
    from tests.agents import codex, gemini, opencode

    _measure.machine()
    programs = Path(named).expanduser() / "node_modules" / ".bin"
    for agent in (codex, gemini, opencode):
        with desks(agent, programs) as both:
            series = race(both)
            both[f"{agent.NAME}, recorded"].check()
        _measure.table(f"session of {STEPS + 1} steps, {THINKS:g} s each", series, unit="s")


if __name__ == "__main__":
    main()
