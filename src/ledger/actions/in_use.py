"""In use: the agents that work here, told by what they leave in a project and a home, and by their programs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ledger.actions.install import Where, target_of
from ledger.recording.registering import AGENTS, Agent

_LOOKED_AT = 2000  # files of past sessions, the newest first
_HEAD = 64 * 1024  # bytes of one in which it says where it worked
_NOT_A_SIGN = ".github"  # most projects have one, whatever agent they use


def agents_in_use(where: Where) -> list[Agent]:
    """The agents of which there is a folder in the project or the home, or a program on PATH."""
    return [agent for agent in AGENTS.values() if any(_signs(where, agent))]


def past_sessions(where: Where) -> list[Path]:
    """The transcripts of this project's past sessions, in the homes of the agents whose transcripts can be read."""
    return sorted({path for found in (_claudes(where), _codexes(where), _geminis(where)) for path in found})


def _signs(where: Where, agent: Agent) -> Iterator[bool]:
    folder = agent.files["shared"].split("/", 1)[0]
    places = {where.project, target_of(where, agent, "shared").root}
    yield folder != _NOT_A_SIGN and any((place / folder).is_dir() for place in places)
    yield _home(where, agent).is_dir()
    yield any(shutil.which(program, path=where.environment.get("PATH")) for program in agent.programs)


def _home(where: Where, agent: Agent) -> Path:
    path = target_of(where, agent, "user").path
    depth = len(Path(agent.files["user"]).parts)
    return path.parents[depth - 1]


def _claudes(where: Where) -> Iterator[Path]:
    """Claude Code keeps them in a folder that is named after the project's path."""
    folder = re.sub(r"[^A-Za-z0-9]", "-", str(where.project))
    yield from (_home(where, AGENTS["claude-code"]) / "projects" / folder).glob("*.jsonl")


def _codexes(where: Where) -> Iterator[Path]:
    """Codex keeps those of all projects by day; the first line says where it worked."""
    files = sorted((_home(where, AGENTS["codex"]) / "sessions").glob("**/rollout-*.jsonl"), reverse=True)
    return (path for path in islice(files, _LOOKED_AT) if _worked_in(path, str(where.project)))


def _geminis(where: Where) -> Iterator[Path]:
    """Gemini CLI keeps them in a folder that is named after the project's."""
    chats = _home(where, AGENTS["gemini"]) / "tmp" / where.project.name / "chats"
    yield from (path for path in chats.glob("session-*") if path.suffix in (".json", ".jsonl"))


def _worked_in(path: Path, project: str) -> bool:
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline(_HEAD))
        cwd = str(head["payload"]["cwd"])
    except (OSError, ValueError, KeyError, TypeError):  # not one of theirs, or longer than any head
        return False
    return cwd == project or cwd.startswith(f"{project}/")
