"""Programs: how each agent is started from a command line, on a session of its own or on a new one with a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ledger.errors import NotFoundError

_KEY, _PROMPT = "{key}", "{prompt}"


class Program(NamedTuple):
    """An agent's program: its name on PATH, and what follows it to go on with a session, or to begin with a prompt."""

    name: str
    again: tuple[str, ...]
    begin: tuple[str, ...]

    def going_on(self, key: str) -> list[str]:
        """The command that goes on with the session that the agent itself knows by `key`."""
        return [self.name, *(key if word == _KEY else word for word in self.again)]

    def beginning(self, prompt: str) -> list[str]:
        """The command that begins a session with a prompt, and stays to talk."""
        return [self.name, *(prompt if word == _PROMPT else word for word in self.begin)]


# Codex 0.169, Gemini CLI 0.61 and OpenCode 1.18 say so in their own help; of the others their documentation does.
PROGRAMS: dict[str, Program] = {
    "claude-code": Program("claude", ("--resume", _KEY), (_PROMPT,)),
    "codex": Program("codex", ("resume", _KEY), (_PROMPT,)),
    "copilot-cli": Program("copilot", ("--resume", _KEY), ("--interactive", _PROMPT)),
    "cursor": Program("cursor-agent", ("--resume", _KEY), (_PROMPT,)),
    "droid": Program("droid", ("--resume", _KEY), (_PROMPT,)),
    "gemini": Program("gemini", ("--resume", _KEY), ("--prompt-interactive", _PROMPT)),
    "opencode": Program("opencode", ("--session", _KEY), ("--prompt", _PROMPT)),
}


def program_of(agent: str) -> Program:
    """The program of an agent; raises NotFoundError, with those that are known, for any other."""
    if agent not in PROGRAMS:
        raise NotFoundError(
            f"how {agent or 'it'} is started is not known here",
            hint=f"give one of these with --with: {', '.join(sorted(PROGRAMS))}",
        )
    return PROGRAMS[agent]


def shown(command: Sequence[str], most: int = 60) -> str:
    """A command as a person reads it, a long word cut."""
    return " ".join(word if len(word) <= most and word.isprintable() else f"{word[: most - 1]}…" for word in command)
