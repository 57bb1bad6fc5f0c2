"""Server: an ordinary bare repository made ready to be the meeting place of a ledger."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from importlib.resources import files
from pathlib import Path

from ledger.errors import RefusedError, UsageError
from ledger.storage.access_file import NAME, TEMPLATE
from ledger.storage.files import refusals
from ledger.storage.opening import is_git_folder
from ledger.storage.program import require_git, run_git

# One push is at most so large; what a ledger of a year sends at its first one is 20 to 200 MB.
MAX_PUSH = 1 << 30

_SETTINGS = {
    "receive.fsckObjects": "true",
    "receive.denyNonFastForwards": "true",
    "receive.denyDeletes": "true",
    "receive.maxInputSize": str(MAX_PUSH),
    "receive.autogc": "true",
    "transfer.fsckObjects": "true",
    "core.logAllRefUpdates": "true",
}
_HOOKS = ("pre-receive", "post-receive")
_MARK = "# context-ledger: judges what is pushed; written by `ledger server-setup`."


def prepare(git_dir: Path, python: str = sys.executable) -> list[str]:
    """Make the bare repository at `git_dir`, or make one that is there ready; what was changed, in words.

    Done twice it changes nothing. Raises UsageError for a folder that is something else, RefusedError for hooks of
    somebody else's, StorageError.
    """
    done: list[str] = []
    _refuse_foreign(git_dir)
    if not is_git_folder(git_dir):
        with refusals(git_dir):
            git_dir.mkdir(parents=True, exist_ok=True)
        require_git(git_dir, ["init", "--quiet", "--bare", "--initial-branch=main"])
        done.append(f"made a bare repository: {git_dir}")
    for name, value in _SETTINGS.items():
        if run_git(git_dir, ["config", "--local", "--get", name]).out.decode().strip() != value:
            require_git(git_dir, ["config", name, value])
            done.append(f"set {name} = {value}")
    for name in _HOOKS:
        done += _write_hook(git_dir / "hooks" / name, name, python)
    access = git_dir / NAME
    if not access.exists():
        with refusals(access):
            access.write_text(TEMPLATE, encoding="utf-8")
        done.append(f"wrote {access}: who may write what")
    return done


def _refuse_foreign(git_dir: Path) -> None:
    if (git_dir / ".git").exists():
        raise UsageError(
            f"{git_dir} has a working tree", hint=f"a server keeps a bare repository: ledger server-setup {git_dir}.git"
        )
    if git_dir.exists() and not git_dir.is_dir():
        raise UsageError(f"{git_dir} is a file", hint="name a folder")
    if git_dir.is_dir() and not is_git_folder(git_dir) and any(git_dir.iterdir()):
        raise UsageError(f"{git_dir} is no git repository, and not empty", hint="name a bare repository, or a new one")
    for name in _HOOKS:
        hook = git_dir / "hooks" / name
        if hook.exists() and _MARK not in hook.read_text(encoding="utf-8", errors="replace"):
            raise RefusedError(
                f"{hook} is somebody else's", hint=f"move it away, or call it from a {name} of your own beside ours"
            )


def _write_hook(path: Path, name: str, python: str) -> list[str]:
    program = str(files("ledger.hooks") / "receive.py")
    text = f"#!/bin/sh\n{_MARK}\nexec {shlex.quote(python)} -I {shlex.quote(program)} {name}\n"
    if path.exists() and path.read_text(encoding="utf-8") == text and os.access(path, os.X_OK):
        return []
    with refusals(path):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return [f"wrote hooks/{name}"]
