"""Install: put our hooks into an agent's settings, changing nothing else, and remember what was there before."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import NamedTuple

from ledger.actions.installed import Written, digest, installed, remember
from ledger.errors import InvalidError, Problem, RefusedError, UsageError
from ledger.recording import settings
from ledger.recording.payloads.dialects import DIALECTS
from ledger.recording.registering import AGENTS, SCOPES, Agent, Hook, Scope, copilot_file, statusline
from ledger.storage import launcher, opening, settings_file
from ledger.storage.layout import Layout
from ledger.storage.worktree import main_of

# What the launcher's commands have in common (storage/launcher.py), as they are or spelled in JSON; the line's; and how
# the plugin begins.
_OURS = re.compile(
    r'ledger/hook(?![\w.-])|exec \\?"\$h\\?" \\?"\$@\\?"; exit 0|-m ledger statusline|`ledger hooks install`'
)

# A command of one machine, spelled in JSON: exec sh -c SCRIPT PATH AGENT EVENT.
_LOCAL = re.compile(r"""\"exec sh -c 'h=\$0; (?:[^"\\]|\\.)*\"""")

# Silent once the interpreter is gone.
_RUN_LINE = '[ -x "$0" ] && exec "$0" -I -m ledger statusline "$@"; exit 0'

PLUGIN = "opencode"
LINED = "claude-code"  # the agent that shows a line of ours


class Where(NamedTuple):
    """What an installer acts on: the ledger, the project's folder, the user's home, and the environment."""

    layout: Layout
    project: Path
    home: Path
    environment: Mapping[str, str]


class Target(NamedTuple):
    """One settings file of one agent, and the folder that no link may lead out of.

    `scope` is one of an agent's, or says what else is written for its sake (`trust`, `exclude`).
    """

    agent: Agent
    scope: str
    path: Path
    root: Path


class Change(NamedTuple):
    """What a file holds and shall hold; None stands for no file. `without` is what it holds without us.

    `folder` is one that is missing, and without which the agent does not look into the file.
    """

    target: Target
    before: bytes | None
    after: bytes
    without: bytes | None
    made: tuple[settings.Path, ...] | None
    folder: Path | None = None

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after or self.folder is not None


def equip(layout: Layout) -> bool:
    """Write what every hook on this machine runs; whether it was missing or another. Raises StorageError."""
    hooks = [(one.NAME, hook) for one in DIALECTS.values() for hook in one.HOOKS]
    answering = [(agent, hook.event) for agent, hook in hooks if hook.answers]
    of_leases = [(agent, hook.event) for agent, hook in hooks if hook.answers == "edit"]
    return launcher.equip(layout, sys.executable, answering, of_leases)


def agent_named(name: str) -> Agent:
    """The agent of that name; raises UsageError with the names that there are."""
    agent = AGENTS.get(name.removesuffix("-cli")) or AGENTS.get(name)
    if agent is None:
        raise UsageError(f"no such agent: {name}", hint=f"one of: {', '.join(AGENTS)}")
    return agent


def targets(where: Where, agent: Agent) -> list[Target]:
    """Every settings file that an agent may have, there or not, each once: the home's as a project are the user's."""
    each = (target_of(where, agent, scope) for scope in SCOPES if scope in agent.files)
    return list({target.path: target for target in each}.values())


def target_of(where: Where, agent: Agent, scope: Scope) -> Target:
    """The settings file of a scope; raises UsageError for an agent that has none such."""
    if scope not in agent.files:
        raise UsageError(
            f"{agent.name} has no settings of one clone alone", hint="use --user, or the project's shared ones"
        )
    if scope != "user":
        folder = main_of(where.project) if agent.reads_main else where.project
        return Target(agent, scope, folder / agent.files[scope], folder)
    moved = where.environment.get(agent.moved_by) if agent.moved_by else None
    folder = Path(moved) if moved else _usual_home(where, agent)
    return Target(agent, scope, folder / agent.files[scope], Path(moved) if moved else where.home)


def plan(where: Where, target: Target) -> Change:
    """What a settings file will hold, and what it would hold without us; nothing is written.

    Raises InvalidError, with line and column, for settings that cannot be read, RefusedError where the agent would run
    every hook twice or the file is out of bounds.
    """
    _require_once(where, target)
    before = settings_file.read(target.path, target.root)
    hooks = hooks_of(where, target)
    if target.agent.entry is None:
        return Change(target, before, own_file(target.agent, hooks).encode(), _foreign(target, before), None)
    text = text_of(before, target.path)
    known = known_of(where, target.path)
    made = known.made if known is not None else None if settings.mine(text, is_ours, str(target.path)) else ()
    added = settings.add(text, _wanted(where, target, hooks), is_ours, str(target.path))
    without = settings.remove(text, is_ours, made, str(target.path))
    was_there = before is not None and not (
        known is not None and known.before is None and settings.says_nothing(without)
    )
    all_made = None if made is None else (*made, *added.made)
    folder = missing_folder(where, target)
    return Change(target, before, _bytes(added.text), _bytes(without) if was_there else None, all_made, folder)


def missing_folder(where: Where, target: Target) -> Path | None:
    """The folder of this worktree without which the agent does not look into the main one's settings, if it is not
    there.
    """
    folder = where.project / Path(target.agent.files["shared"]).parts[0]
    is_asked = target.agent.reads_main and target.scope == "shared" and target.root != where.project
    return folder if is_asked and not folder.is_dir() else None


def carry_out(where: Where, change: Change) -> None:
    """Write what was planned and remember what was there. Raises BusyError, RefusedError and StorageError."""
    if change.before != change.after:
        _write(where, change)
    if change.folder is not None:
        _make(where, change.target, change.folder)


def _write(where: Where, change: Change) -> None:
    target, known = change.target, known_of(where, change.target.path)
    is_own = target.scope in ("local", "user")
    folders = settings_file.write(target.path, target.root, change.before, change.after, is_own=is_own)
    kept = (*(() if known is None else known.folders), *folders)
    written = Written(
        target.agent.name, target.scope, target.path, change.without, digest(change.after), change.made, kept
    )
    remember(where.layout, written)


def _make(where: Where, target: Target, folder: Path) -> None:
    """Make a folder, and remember it as that of a file in it which we have not written."""
    made = settings_file.make_folders(folder, where.project)
    path = where.project / target.agent.files["shared"]
    remember(where.layout, Written(target.agent.name, target.scope, path, None, "", None, tuple(made)))


def hooks_of(where: Where, target: Target) -> list[Hook]:
    """The hooks that belong into a settings file, each with the command that it runs."""
    agent = target.agent.name
    return [Hook(one, command(where, target, one.event)) for one in DIALECTS[agent].HOOKS]


def command(where: Where, target: Target, event: str) -> str:
    """The command of one hook: in what others share it names no machine's path, wherever that can work."""
    agent = target.agent.name
    if target.scope == "local" or (target.scope == "shared" and not is_found(where)):
        return launcher.local_command(where.layout, agent, event)
    return launcher.shared_command(agent, event)


def is_ours(text: str) -> bool:
    """Whether a command is one of ours."""
    return _OURS.search(text) is not None


def launchers(text: str) -> list[Path]:
    """The launchers that the commands of one machine in a settings file name; others find theirs as they run."""
    named = (_launcher_of(json.loads(found[0])) for found in _LOCAL.finditer(text))
    return list(dict.fromkeys(path for path in named if path is not None))


def first_text(where: Where, target: Target) -> str:
    """What is written where an agent has no settings yet."""
    hooks = hooks_of(where, target)
    if target.agent.entry is None:
        return own_file(target.agent, hooks)
    return settings.add("", _wanted(where, target, hooks), is_ours).text


def own_file(agent: Agent, hooks: Sequence[Hook]) -> str:
    """The text of a file that is wholly ours."""
    if agent.name != PLUGIN:
        return copilot_file(hooks)
    return (resources("ledger") / "hooks" / "opencode.js").read_text(encoding="utf-8")


def text_of(data: bytes | None, path: Path) -> str:
    """The text of a settings file; raises InvalidError for bytes that are not UTF-8."""
    try:
        return "" if data is None else data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise InvalidError(
            f"{path} cannot be changed:",
            [Problem(f"byte {fault.start}", "is not UTF-8")],
            hint="nothing was written; save the file as UTF-8, then try again",
        ) from None


def holds_ours(target: Target) -> bool:
    """Whether a settings file holds anything of ours; one that cannot be read is looked through as a text."""
    data = settings_file.read(target.path, target.root)
    return data is not None and is_ours(data.decode("utf-8", "replace"))


def known_of(where: Where, path: Path) -> Written | None:
    """What this ledger remembers of a file."""
    return next((one for one in installed(where.layout) if one.path == path), None)


def is_found(where: Where) -> bool:
    """Whether who stands in the project finds this ledger, or will once it is there, without being told where it is."""
    found = opening.find(where.project) or opening.place_for(where.project)
    return found.resolve() == where.layout.root.resolve()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8")


def _usual_home(where: Where, agent: Agent) -> Path:
    moved = where.environment.get("XDG_CONFIG_HOME", "") if agent.home.startswith(".config/") else ""
    return Path(moved, agent.home.removeprefix(".config/")) if moved else where.home / agent.home


def _launcher_of(command: str) -> Path | None:
    try:
        *_, path, _, _ = shlex.split(command)
    except ValueError:  # somebody has changed it
        return None
    return Path(path)


def _wanted(where: Where, target: Target, hooks: list[Hook]) -> settings.Wanted:
    wanted = target.agent.wanted(hooks)
    return wanted._replace(single={**wanted.single, **_line(where, target)})


def _line(where: Where, target: Target) -> dict[str, object]:
    """The line below the prompt, in settings that are one's own, and where no settings have one."""
    if target.agent.name != LINED or target.scope == "shared" or _has_line(where, target):
        return {}
    named = [] if target.scope == "user" else ["--ledger", str(where.layout.root.absolute())]
    words = shlex.join([sys.executable, *named])
    return {"statusLine": statusline(f"exec sh -c '{_RUN_LINE}' {words}")}


def _has_line(where: Where, target: Target) -> bool:
    for other in targets(where, target.agent):
        data = settings_file.read(other.path, other.root)
        if data is not None and other.path != target.path and b'"statusLine"' in data:
            return True
    return False


def _foreign(target: Target, before: bytes | None) -> bytes | None:
    """What a file that shall be wholly ours holds of others: such a one is not overwritten."""
    if before is None or is_ours(text_of(before, target.path)):
        return None
    raise RefusedError(f"{target.path} is there already, and not ours", hint="move it out of the way, then try again")


def _require_once(where: Where, target: Target) -> None:
    """Raise RefusedError where the agent runs a hook once for each file that holds it, and another file has ours."""
    if not target.agent.is_heard_twice:
        return
    for other in targets(where, target.agent):
        if other.path != target.path and holds_ours(other):
            raise RefusedError(
                f"{target.agent.name} would run every hook twice: {other.path} has ours already",
                hint=f"take those out first: ledger hooks uninstall {target.agent.name}",
            )
