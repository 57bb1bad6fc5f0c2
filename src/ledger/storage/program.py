"""The git program, for what it does better than a library: repacking, checking, transport.

It is always told its repository, never left to find one: inside a git hook GIT_DIR names another
repository, and even `git -C` would follow it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ledger.errors import BusyError, StorageError
from ledger.storage.files import HINTS

# No setting of the repository may start a program, whoever wrote it; and no gc but our own.
_SETTINGS = (
    "safe.bareRepository=all",
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=true",
    "gc.auto=0",
    "maintenance.auto=false",
)


class Ran(NamedTuple):
    """How a run of git ended."""

    code: int
    out: bytes
    err: str


def run_git(
    git_dir: Path,
    arguments: Sequence[str],
    *,
    data: bytes = b"",
    timeout: float | None = None,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Ran:
    """Run git on the repository at `git_dir`, which was opened and checked before; any exit code is an answer.

    `settings` and `environment` come on top of what every run gets. Raises StorageError if there is no git, BusyError
    after `timeout` seconds.
    """
    import subprocess  # 4 ms, for who starts git alone

    flags = [word for setting in (f"safe.directory={git_dir}", *_SETTINGS, *settings) for word in ("-c", setting)]
    command = ["git", f"--git-dir={git_dir}", *flags, *arguments]
    try:
        return _ran(command, data, timeout, environment)
    except FileNotFoundError as fault:
        raise StorageError("git is not installed, or not on PATH", hint="install git 2.34 or later") from fault
    except subprocess.TimeoutExpired as fault:
        raise BusyError(f"git {arguments[0]} took longer than {timeout:g} s") from fault


def _ran(command: Sequence[str], data: bytes, timeout: float | None, environment: Mapping[str, str]) -> Ran:
    import subprocess

    pipe, seen = subprocess.PIPE, scrubbed_environment() | dict(environment)
    # A session of its own has no terminal: neither git nor ssh can ask there.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=seen, start_new_session=True) as process:
        try:
            out, err = process.communicate(data, timeout)
        except BaseException:
            # The whole group: what git started itself would keep the pipes open and us waiting.
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return Ran(process.returncode, out, err.decode("utf-8", "replace"))


def require_git(git_dir: Path, arguments: Sequence[str], *, timeout: float | None = None) -> bytes:
    """Run git and return what it printed; raises StorageError, with git's own words, if it fails."""
    ran = run_git(git_dir, arguments, timeout=timeout)
    if ran.code != 0:
        raise failure(arguments, ran)
    return ran.out


def failure(arguments: Sequence[str], ran: Ran) -> StorageError:
    """The error of the family for a run of git that failed: git's own words, and what to do where the disk refused."""
    hints = (hint for fault, hint in HINTS.items() if os.strerror(fault) in ran.err)
    return StorageError(f"git {arguments[0]} failed ({ran.code}): {ran.err.strip()}", hint=next(hints, None))


def scrubbed_environment() -> dict[str, str]:
    """This process's environment without any GIT_* variable, in the C locale, asking nobody anything."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") and name != "SSH_ASKPASS"}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
