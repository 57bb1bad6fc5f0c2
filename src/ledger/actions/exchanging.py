"""Exchanging: the process that keeps a ledger in step with its remotes by itself; whether it is needed, its start."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.resources import files

from ledger.errors import BusyError
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock


def start_if_needed(layout: Layout) -> None:
    """Start the process that exchanges by itself, if there is a remote and it does not run.

    Where there is no remote this costs one small file. What keeps the process from starting, `ledger status` shows by
    a remote that is never in step.
    """
    if not has_remote(layout) or _is_running(layout):
        return
    import subprocess  # 4 ms, for ledgers with a remote alone

    command = [sys.executable, "-I", str(files("ledger.hooks") / "exchange.py"), str(layout.root)]
    # By way of a shell that is gone at once: nobody has to wait for the process, and it outlives whoever began it.
    shell = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *command]
    with suppress(OSError):
        subprocess.run(shell, start_new_session=True, cwd="/", check=False)


def has_remote(layout: Layout) -> bool:
    """Whether the ledger has a remote, without asking git."""
    try:
        return b'[remote "' in (layout.git_dir / "config").read_bytes()
    except OSError:
        return False


def _is_running(layout: Layout) -> bool:
    try:
        with Lock(layout.exchanging_lock).hold(0):
            return False
    except BusyError:
        return True
