"""Uninstall: take our hooks out of settings again; a file that is as we left it becomes byte for byte what it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ledger.actions.exclude import EXCLUDE, exclude_file, has_line, without
from ledger.actions.install import (
    LINED,
    Target,
    Where,
    agent_named,
    first_text,
    holds_ours,
    is_found,
    is_ours,
    known_of,
    launchers,
    target_of,
    targets,
    text_of,
)
from ledger.actions.installed import Written, forget, installed
from ledger.actions.trust import CONFIG, config_target, untrusted
from ledger.errors import LedgerError, RefusedError, StorageError
from ledger.recording import settings
from ledger.recording.jsonc import parse
from ledger.recording.registering import AGENTS, SCOPES
from ledger.storage import settings_file
from ledger.storage.layout import Layout
from ledger.storage.worktree import staged


class Removal(NamedTuple):
    """A file that we are taken out of; `after` is None where it is to be deleted, or is not there."""

    target: Target
    before: bytes | None
    after: bytes | None
    folders: tuple[Path, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether the file changes; else it is only forgotten."""
        return self.before != self.after

    @property
    def is_bare(self) -> bool:
        """Whether the file stays, and an agent's settings with nothing in them are all that is left of it."""
        if self.target.scope not in SCOPES or self.after is None:
            return False
        return settings.says_nothing(text_of(self.after, self.target.path))


class Undoing(NamedTuple):
    """What taking back everything changes; the files that cannot be changed; those whose hooks others still want.

    The last two with the reason.
    """

    removals: tuple[Removal, ...]
    left: tuple[tuple[Path, LedgerError], ...]
    kept: tuple[tuple[Target, str], ...]


def plan_removal(where: Where, agent: str) -> list[Removal]:
    """What taking our hooks out of an agent's settings changes, whoever put them there; nothing is written.

    Raises InvalidError, with line and column, for settings that cannot be read.
    """
    named = agent_named(agent)
    there = [target for target in targets(where, named) if holds_ours(target)]
    paths = {target.path for target in there}
    others = [one for one in installed(where.layout) if one.agent == named.name and one.path not in paths]
    is_excluded = any(one.scope == "local" for one in others)
    attached = [
        one for one in others if one.scope == CONFIG or not one.after or (one.scope == EXCLUDE and not is_excluded)
    ]
    return [*(_removal(where, target) for target in there), *(_undoing(where, one) for one in attached)]


def plan_undoing(where: Where) -> Undoing:
    """What taking back everything that this ledger wrote into this project and this home changes; nothing is written.

    Where the ledger's memory is lost, our hooks still stand in the project: those are taken out as well, unless they
    are the team's, or another ledger's.
    """
    removals: list[Removal] = []
    left: list[tuple[Path, LedgerError]] = []
    kept = []
    for written in installed(where.layout):
        try:
            removals.append(_undoing(where, written))
        except LedgerError as error:
            left.append((written.path, error))
    for target in _forgotten(where):
        if why := _why_kept(where, target):
            kept.append((target, why))
            continue
        try:
            removals.append(_removal(where, target))
        except LedgerError as error:
            left.append((target.path, error))
    return Undoing(tuple(removals), tuple(left), tuple(kept))


def take_out(where: Where, removal: Removal) -> None:
    """Write what was planned, and forget the file. Raises BusyError, RefusedError and StorageError."""
    target = removal.target
    if removal.after is None:
        settings_file.remove(target.path, target.root, removal.before, removal.folders)
    elif removal.is_needed:
        is_own = target.scope in ("local", "user")
        settings_file.write(target.path, target.root, removal.before, removal.after, is_own=is_own)
    if known_of(where, target.path) is not None:
        forget(where.layout, target.path)


def require_memory(layout: Layout) -> None:
    """Raise StorageError where the ledger could not forget what is taken out: then nothing of it should be begun."""
    if layout.root.is_dir() and not os.access(layout.root, os.W_OK):
        raise StorageError(
            f"{layout.root} cannot be written, and nothing was changed",
            hint="mount it for writing, or run as its owner; then try again",
        )


def _undoing(where: Where, written: Written) -> Removal:
    """What taking back one file changes; raises InvalidError for one that nobody can read, so that it is remembered."""
    target = _written_target(where, written)
    now = settings_file.read(target.path, target.root)
    if now is None or not written.after:  # nothing of ours in it, but folders may be
        return Removal(target, now, now, written.folders if now is None else ())
    if written.is_as_left(now):
        return Removal(target, now, written.before, written.folders)
    if written.scope == CONFIG:
        keys = [path[0] for path in written.made or ()]
        return Removal(target, now, untrusted(text_of(now, target.path), keys).encode())
    if written.scope == EXCLUDE:
        return Removal(target, now, without(now))
    if not holds_ours(target):
        _require_settings(target, now)
        return Removal(target, now, now)
    return _removal(where, target)


def _require_settings(target: Target, now: bytes) -> None:
    text = text_of(now, target.path)
    if target.agent.entry is not None and text.strip():
        parse(text, str(target.path))


def _removal(where: Where, target: Target) -> Removal:
    now, written = settings_file.read(target.path, target.root) or b"", known_of(where, target.path)
    if target.scope == EXCLUDE:
        return Removal(target, now, without(now))
    if written is not None and written.is_as_left(now):
        return Removal(target, now, written.before, written.folders)
    folders = () if written is None else written.folders
    if target.agent.entry is None:
        return Removal(target, now, _own_file_without(target, now), folders)
    made = None if written is None else written.made
    text = settings.remove(text_of(now, target.path), is_ours, made, str(target.path))
    was_made = written.before is None if written is not None else _is_as_first_written(where, target, now)
    is_gone = was_made and settings.says_nothing(text)
    return Removal(target, now, None if is_gone else text.encode(), folders)


def _is_as_first_written(where: Where, target: Target, now: bytes) -> bool:
    """Whether a file that nobody remembers is to the byte what is written where there was none; git knows of none."""
    return now == first_text(where, target).encode() and _staged(target) is None


def _forgotten(where: Where) -> Iterator[Target]:
    """The files of this project and this home in which ours stand, and which the ledger does not remember."""
    known = {one.path for one in installed(where.layout)}
    for agent in AGENTS.values():
        yield from (one for one in targets(where, agent) if one.path not in known and _seems_ours(one))
    file = exclude_file(where, target_of(where, AGENTS[LINED], "local"))
    if file.path not in known and has_line(settings_file.read(file.path, file.root)):
        yield file


def _seems_ours(target: Target) -> bool:
    try:
        return holds_ours(target)
    except LedgerError:  # a link that leads out, or what is no file: nothing was ever written there
        return False


def _why_kept(where: Where, target: Target) -> str:
    """Why hooks that nobody remembers stay in a file; "" where they may go."""
    if target.scope == EXCLUDE:
        return ""
    if target.scope == "user":
        return "they count in every project"
    if is_ours((_staged(target) or b"").decode("utf-8", "replace")):
        return "they are in git, so they are the team's"
    now = settings_file.read(target.path, target.root) or b""
    named = launchers(now.decode("utf-8", "replace"))
    others = [path for path in named if path != where.layout.hook.absolute() and path.exists()]
    if others:
        return f"they are those of the ledger in {others[0].parent}"
    return "" if named or is_found(where) else "they are those of the project's own ledger"


def _staged(target: Target) -> bytes | None:
    return staged(target.root, str(target.path.relative_to(target.root)))


def _own_file_without(target: Target, now: bytes) -> bytes | None:
    """What is left of a file that was wholly ours: nothing, unless somebody made it theirs."""
    if is_ours(now.decode("utf-8", "replace")):
        return None
    raise RefusedError(
        f"{target.path} is no longer what was installed", hint="look into it, and delete it yourself if it may go"
    )


def _written_target(where: Where, written: Written) -> Target:
    """The file that was written: in this worktree, in another one, in the home, or in git's folder."""
    agent = agent_named(written.agent)
    if written.scope == CONFIG:
        return config_target(where)
    if written.scope == EXCLUDE:
        return Target(agent, EXCLUDE, written.path, written.path.parents[1])
    for target in targets(where, agent):
        if target.path == written.path:
            return target
    scope = next(scope for scope in agent.files if scope == written.scope)
    ours = target_of(where, agent, scope)
    depth = len(ours.path.relative_to(ours.root).parts)
    return Target(agent, scope, written.path, written.path.parents[depth - 1])
