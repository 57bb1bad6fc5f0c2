"""Registering: in which file each agent looks for hooks, and in what form. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ledger.recording.payloads.payload import Registration
from ledger.recording.settings import Wanted

# Whose settings: the project's, which a team shares; those of this clone alone; the user's, for every project.
Scope = Literal["shared", "local", "user"]
SCOPES: tuple[Scope, ...] = ("shared", "local", "user")


class Hook(NamedTuple):
    """One hook to be registered, and the command that it runs."""

    registration: Registration
    command: str


Entry = Callable[[Hook], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, as an installer sees it.

    `files` are its settings, below the project or below `home`: the folder in the user's home that `moved_by`, a
    variable of the environment, may move. `entry` lays one hook out for a file that others write too; without it the
    file is wholly ours. `programs` are its names on PATH; `is_heard_twice` says that it runs a hook once for each file
    that holds it (Gemini CLI runs it once). `reads_main` says that in a linked worktree it reads the project's settings
    of the main one instead, and only where the linked one has a folder of that name too.
    """

    name: str
    files: Mapping[Scope, str]
    home: str
    programs: tuple[str, ...]
    entry: Entry | None = None
    single: Mapping[str, Any] | None = None
    moved_by: str | None = None
    is_heard_twice: bool = True
    reads_main: bool = False

    def wanted(self, hooks: Sequence[Hook]) -> Wanted:
        """What its settings shall hold, for an agent whose settings others write too."""
        entry = self.entry or _flat
        return Wanted([(hook.registration.event, entry(hook)) for hook in hooks], self.single or {})


def _grouped(hook: Hook) -> dict[str, Any]:
    """A group of one, as Claude Code, Codex and Droid take it; seconds."""
    return _group(hook, {"type": "command", "command": hook.command, "timeout": hook.registration.seconds})


def _named(hook: Hook) -> dict[str, Any]:
    """The same as Gemini CLI takes it: by a name, and in milliseconds."""
    event, seconds = hook.registration.event, hook.registration.seconds
    one = {"name": f"ledger-{event}", "type": "command", "command": hook.command, "timeout": seconds * 1000}
    return _group(hook, one)


def _flat(hook: Hook) -> dict[str, Any]:
    """A hook by itself, as Cursor takes it; seconds."""
    matcher = hook.registration.matcher
    one = {"command": hook.command, "timeout": hook.registration.seconds}
    return one if matcher is None else one | {"matcher": matcher}


def _group(hook: Hook, one: Mapping[str, Any]) -> dict[str, Any]:
    matcher = hook.registration.matcher
    return {"hooks": [one]} if matcher is None else {"matcher": matcher, "hooks": [one]}


def copilot_file(hooks: Sequence[Hook]) -> str:
    """The whole file that Copilot CLI reads; every hook of it is ours."""
    each: dict[str, list[dict[str, Any]]] = {}
    for hook in hooks:
        one = {"type": "command", "bash": hook.command, "timeoutSec": hook.registration.seconds}
        each.setdefault(hook.registration.event, []).append(one)
    return json.dumps({"version": 1, "hooks": each}, indent=2) + "\n"


def statusline(command: str) -> dict[str, Any]:
    """The line below Claude Code's prompt, as its settings take it."""
    return {"type": "command", "command": command}


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(
            "claude-code",
            {
                "shared": ".claude/settings.json",
                "local": ".claude/settings.local.json",
                "user": "settings.json",
            },
            ".claude",
            ("claude",),
            _grouped,
            moved_by="CLAUDE_CONFIG_DIR",
        ),
        Agent(
            "codex",
            {"shared": ".codex/hooks.json", "user": "hooks.json"},
            ".codex",
            ("codex",),
            _grouped,
            moved_by="CODEX_HOME",
            reads_main=True,
        ),
        Agent("gemini", {"shared": ".gemini/settings.json", "user": "settings.json"}, ".gemini", ("gemini",), _named),
        Agent(
            "cursor",
            {"shared": ".cursor/hooks.json", "user": "hooks.json"},
            ".cursor",
            ("cursor", "cursor-agent"),
            _flat,
            {"version": 1},
        ),
        Agent(
            "copilot-cli",
            {"shared": ".github/hooks/ledger.json", "user": "hooks/ledger.json"},
            ".copilot",
            ("copilot",),
        ),
        Agent(
            "opencode",
            {"shared": ".opencode/plugins/ledger.js", "user": "plugins/ledger.js"},
            ".config/opencode",
            ("opencode",),
        ),
        Agent("droid", {"shared": ".factory/settings.json", "user": "settings.json"}, ".factory", ("droid",), _grouped),
    )
}
