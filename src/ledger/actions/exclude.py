"""Exclude: settings of this clone alone are kept out of `git status`, by a line in the clone's own git folder."""

from __future__ import annotations

import codecs

from ledger.actions.install import Change, Target, Where
from ledger.storage import settings_file
from ledger.storage.opening import git_folder
from ledger.storage.worktree import is_passed_over, staged

EXCLUDE = "exclude"  # the scope under which git's info/exclude is remembered

_MARK = b"# context-ledger: settings of this clone alone\n"


def exclusion(where: Where, target: Target) -> list[Change]:
    """What git must be told so that it passes over a settings file of this clone alone; mostly that is nothing.

    What some rule ignores already needs no line, and what is committed would not heed one. Raises RefusedError and
    StorageError.
    """
    name = target.agent.files["local"] if target.scope == "local" else ""
    if not name or is_passed_over(where.project, name) or staged(where.project, name) is not None:
        return []
    file = exclude_file(where, target)
    before = settings_file.read(file.path, file.root)
    return [Change(file, before, _with(before or b"", name), before, None)]


def exclude_file(where: Where, target: Target) -> Target:
    """Git's list of what this clone alone ignores, written for the sake of another file."""
    common = git_folder(where.project) or where.project
    return Target(target.agent, EXCLUDE, common / "info" / "exclude", common)


def has_line(data: bytes | None) -> bool:
    """Whether a line of ours stands in the list."""
    return data is not None and _MARK in data


def without(data: bytes) -> bytes:
    """The list without our lines, each with the mark above it; every other byte stays."""
    while _MARK in data:
        head, _, rest = data.partition(_MARK)
        data = head + rest.partition(b"\n")[2]
    return data


def _with(data: bytes, name: str) -> bytes:
    """Ours first: so that the last line may end as it does, and who wants it otherwise has the last word."""
    head = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    return head + _MARK + f"/{name}\n".encode() + data.removeprefix(head)
