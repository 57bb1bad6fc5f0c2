"""Uninstall: take our hooks out of settings again; a file that is as we left it becomes byte for byte what it was."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ledger.actions.install import Target, Where, agent_named, holds_ours, is_ours, target_of, targets, text_of
from ledger.actions.installed import Written, forget, installed
from ledger.actions.trust import CONFIG, config_target, untrusted
from ledger.errors import LedgerError, RefusedError
from ledger.recording import settings
from ledger.storage import settings_file


class Removal(NamedTuple):
    """A file that we are taken out of; `after` is None where it is to be deleted."""

    target: Target
    before: bytes
    after: bytes | None
    folders: tuple[Path, ...]


def plan_removal(where: Where, agent: str) -> list[Removal]:
    """What taking our hooks out of an agent's settings changes, whoever put them there; nothing is written.

    Raises InvalidError, with line and column, for settings that cannot be read.
    """
    named = agent_named(agent)
    there = [target for target in targets(where, named) if holds_ours(target)]
    trusts = [one for one in installed(where.layout) if one.agent == named.name and one.scope == CONFIG]
    given = [removal for one in trusts if (removal := _undoing(where, one)) is not None]
    return [*(_removal(target, _known(where, target.path)) for target in there), *given]


class Undoing(NamedTuple):
    """What taking back everything changes, and the files that cannot be changed, each with the reason."""

    removals: tuple[Removal, ...]
    left: tuple[tuple[Path, LedgerError], ...]


def plan_undoing(where: Where) -> Undoing:
    """What taking back everything that this ledger wrote changes; files that hold nothing of ours are forgotten."""
    removals, left = [], []
    for written in installed(where.layout):
        try:
            removal = _undoing(where, written)
        except LedgerError as error:
            left.append((written.path, error))
            continue
        if removal is None:
            forget(where.layout, written.path)
        else:
            removals.append(removal)
    return Undoing(tuple(removals), tuple(left))


def _undoing(where: Where, written: Written) -> Removal | None:
    target = config_target(where) if written.scope == CONFIG else _written_target(where, written)
    now = settings_file.read(target.path, target.root)
    if now is None:
        return None
    if written.scope == CONFIG:
        return _distrust(target, now, written)
    return _removal(target, written) if written.is_as_left(now) or holds_ours(target) else None


def take_out(where: Where, removal: Removal) -> None:
    """Write what was planned, and forget the file. Raises BusyError, RefusedError and StorageError."""
    target = removal.target
    if removal.after is None:
        settings_file.remove(target.path, target.root, list(removal.folders))
    elif removal.after != removal.before:
        settings_file.write(target.path, target.root, removal.before, removal.after, is_own=target.scope != "shared")
    forget(where.layout, target.path)


def _removal(target: Target, written: Written | None) -> Removal:
    now = settings_file.read(target.path, target.root) or b""
    folders = () if written is None else written.folders
    if written is not None and written.is_as_left(now):
        return Removal(target, now, written.before, folders)
    if target.agent.entry is None:
        return Removal(target, now, _own_file_without(target, now), folders)
    made = None if written is None else written.made
    text = settings.remove(text_of(now, target.path), is_ours, made, str(target.path))
    was_made = written is not None and written.before is None
    is_gone = was_made and settings.says_nothing(text)
    return Removal(target, now, None if is_gone else text.encode(), folders)


def _distrust(target: Target, now: bytes, written: Written) -> Removal:
    if written.is_as_left(now):
        return Removal(target, now, written.before, ())
    keys = [path[0] for path in written.made or ()]
    return Removal(target, now, untrusted(text_of(now, target.path), keys).encode(), ())


def _own_file_without(target: Target, now: bytes) -> bytes | None:
    """What is left of a file that was wholly ours: nothing, unless somebody made it theirs."""
    if is_ours(now.decode("utf-8", "replace")):
        return None
    raise RefusedError(
        f"{target.path} is no longer what was installed", hint="look into it, and delete it yourself if it may go"
    )


def _known(where: Where, path: Path) -> Written | None:
    return next((one for one in installed(where.layout) if one.path == path), None)


def _written_target(where: Where, written: Written) -> Target:
    """The file that was written: in this worktree, in another one, or in the home."""
    agent = agent_named(written.agent)
    for target in targets(where, agent):
        if target.path == written.path:
            return target
    scope = next(scope for scope in agent.files if scope == written.scope)
    ours = target_of(where, agent, scope)
    depth = len(ours.path.relative_to(ours.root).parts)
    return Target(agent, scope, written.path, written.path.parents[depth - 1])
