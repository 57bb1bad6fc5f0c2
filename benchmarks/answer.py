"""How long does an agent wait for a hook that answers: at its start, at a prompt, before an edit? Whole processes.

The ledger is one that others work in: events, tasks, decisions, sessions, a lease. Each answer is checked: there is
one where there is something to say, and none where there is nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import _measure
from _sample import fill

from ledger.actions.install import equip
from ledger.actions.session import Session
from ledger.api import create_ledger
from ledger.storage.layout import Layout

RUNS = max(20, 8 * _measure.ROUNDS)
EVENTS = _measure.scaled(10_000)
PYTHON = (sys.executable, "-I", "-c", "pass")
_numbers = itertools.count()


class Agent:
    """An agent that fires its hooks as Claude Code does, in a folder of its own."""

    def __init__(self, layout: Layout, cwd: Path) -> None:
        self._layout, self._cwd = layout, cwd
        self.key = str(uuid.uuid4())

    def start(self) -> bytes:
        """Begin a session that is new."""
        self.key = str(uuid.uuid4())
        return self._fire("SessionStart", {"source": "startup", "model": "m"})

    def prompt(self) -> bytes:
        """Be asked something."""
        return self._fire("UserPromptSubmit", {"prompt": "Go on.", "prompt_id": str(uuid.uuid4())})

    def edit(self, path: str) -> bytes:
        """Be about to edit a file."""
        return self._fire("PreToolUse", {"tool_name": "Edit", "tool_input": {"file_path": path, "old_string": "a"}})

    def _fire(self, event: str, fields: dict[str, object]) -> bytes:
        common = {"session_id": self.key, "cwd": str(self._cwd), "hook_event_name": event}
        command = [str(self._layout.hook), "claude-code", event]
        given = json.dumps(common | fields).encode()
        return subprocess.run(command, input=given, check=True, capture_output=True, env=environment()).stdout


def environment() -> dict[str, str]:
    """What the hooks of an agent see."""
    return _measure.git_environment() | {"TMPDIR": os.environ["TMPDIR"]}


def fires(work: _measure.Work, *, says: bool) -> _measure.Work:
    """The same call; raises AssertionError where it answers nothing and should, or the other way round."""

    def run() -> None:
        told = work()
        assert bool(told) is says, told

    return run


def after_news(agent: Agent, other: Session) -> _measure.Work:
    """A prompt after somebody has written; their write, some 3 ms, counts as well."""

    def run() -> bytes:
        other.set("bench/news", f"what is new, number {next(_numbers)}")
        return agent.prompt()

    return run


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        os.environ["TMPDIR"] = str(folder)
        ledger, _ = create_ledger(folder / "project" / ".ledger")
        with ledger:
            layout = ledger.layout
            fill(ledger, EVENTS)
            equip(layout)
            layout.draining.write_text(f"{os.getpid()}\n")  # the drain has a benchmark of its own
            other = ledger.session("codex", "other", title="Port the parser")
            other.start()
            for number in range(10):
                other.decide(f"parser/part-{number}", f"Do part {number} first.", "it is the smallest")
            agent = Agent(layout, folder / "project")
            agent.start()
            contestants = {
                "python -I -c pass": lambda: subprocess.run(PYTHON, check=True, env=environment()),
                "start of a session": fires(agent.start, says=True),
                "prompt, nothing new": fires(agent.prompt, says=False),
                "edit, no leases": fires(lambda: agent.edit("src/parser.py"), says=False),
            }
            _measure.tails(f"{EVENTS:,} events, {RUNS} runs", _measure.race(contestants, RUNS))
            other.acquire("src/parser.py")
            contestants = {
                "python -I -c pass": lambda: subprocess.run(PYTHON, check=True, env=environment()),
                "prompt, with news (and their write)": fires(after_news(agent, other), says=True),
                "edit of what is leased": fires(lambda: agent.edit("src/parser.py"), says=True),
            }
            _measure.tails(f"{EVENTS:,} events, {RUNS} runs", _measure.race(contestants, RUNS))


if __name__ == "__main__":
    main()
