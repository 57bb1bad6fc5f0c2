"""Which agents work here, and which past sessions are this project's; told by what they leave, wherever it lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.actions.in_use import agents_in_use, past_sessions
from ledger.actions.install import Where
from ledger.storage.layout import Layout


@pytest.fixture
def where(home: Path) -> Where:
    project = home / "work" / "my.project"
    project.mkdir(parents=True)
    return Where(Layout(project / ".ledger"), project, home, {"PATH": ""})


def names(where: Where) -> list[str]:
    return [agent.name for agent in agents_in_use(where)]


def test_nothing_is_found_where_nobody_was(where: Where) -> None:
    assert names(where) == []
    assert past_sessions(where) == []


def test_a_folder_in_the_project_one_in_the_home_and_a_program_are_signs(where: Where, home: Path) -> None:
    (where.project / ".claude").mkdir()
    (where.project / ".github").mkdir()
    (home / ".codex").mkdir()
    (home / "bin").mkdir()
    (home / "bin/opencode").touch(mode=0o755)
    there = where._replace(environment={"PATH": str(home / "bin")})
    assert names(there) == ["claude-code", "codex", "opencode"]


def test_a_home_that_is_elsewhere_is_looked_for_there(where: Where, home: Path) -> None:
    (home / "moved").mkdir()
    (home / "config/opencode").mkdir(parents=True)
    moved = where._replace(
        environment={"PATH": "", "CODEX_HOME": str(home / "moved"), "XDG_CONFIG_HOME": str(home / "config")}
    )
    assert names(moved) == ["codex", "opencode"]


def test_past_sessions_are_those_of_this_project(where: Where, home: Path) -> None:
    folder = "-".join(str(where.project).replace("/", "-").replace("_", "-").split("."))
    ours = [
        home / ".claude/projects" / folder / "a.jsonl",
        home / ".codex/sessions/2026/11/20/rollout-1.jsonl",
        home / ".gemini/tmp/my.project/chats/session-1.jsonl",
    ]
    others = [
        home / ".claude/projects/-elsewhere/b.jsonl",
        home / ".codex/sessions/2026/11/20/rollout-2.jsonl",
        home / ".codex/sessions/2026/11/20/rollout-3.jsonl",
        home / ".gemini/tmp/other/chats/session-1.jsonl",
    ]
    for path in (*ours, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    ours[1].write_text(json.dumps({"type": "session_meta", "payload": {"cwd": str(where.project / "src")}}) + "\n")
    others[1].write_text(json.dumps({"type": "session_meta", "payload": {"cwd": f"{where.project}-2"}}) + "\n")
    others[2].write_text("x" * 100_000)
    assert past_sessions(where) == sorted(ours)
