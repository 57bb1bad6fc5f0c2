"""Processes of this machine, as proof of who lives: what the system says of one, and where that can be asked."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_HAS_PROC = sys.platform.startswith("linux") and (_PROC / "self/stat").exists()

# What ps calls so: a zombie is dead, its parent has only not asked yet.
_GONE = "ZXx"
_STOPPED = "Tt"

_SHELLS = {"ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "sh", "yash", "zsh"}


class Machine(NamedTuple):
    """Where process ids have their meaning: a host, one start of it, and a pid namespace in it."""

    host: str
    boot: str
    pids: str


class Process(NamedTuple):
    """A process that runs: `started` tells it from others that have had its id, "" where that cannot be seen."""

    pid: int
    started: str
    parent: int
    is_stopped: bool


@functools.cache
def this_machine() -> Machine:
    """The machine of this process."""
    if not _HAS_PROC:
        return Machine(os.uname().nodename, "", "")
    boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Machine(os.uname().nodename, boot, str((_PROC / "self/ns/pid").readlink()))


def find_process(pid: int) -> Process | None:
    """The process of that id, or None where none runs."""
    return _in_proc(pid) if _HAS_PROC else _by_psutil(pid)


def shell_around(pid: int) -> int:
    """The process that stays: `pid`, or above it the shell that it is a mere fork of.

    `x=$(cd there; ledger …)` and `$(ledger … | cat)` run in a fork of the shell, with its words, gone in a moment.
    """
    while _HAS_PROC:
        found = find_process(pid)
        if found is None or found.parent <= 1 or not _is_fork(pid, found.parent):
            break
        pid = found.parent
    return pid


def is_within(pid: int, of: int) -> bool:
    """Whether process `of` is `pid`, or has been started by it, however many steps away."""
    seen: set[int] = set()
    while of not in seen and of > 0:
        if of == pid:
            return True
        seen.add(of)
        found = find_process(of)
        of = 0 if found is None else found.parent
    return False


def _in_proc(pid: int) -> Process | None:
    try:
        fields = _stat(pid)
    except (FileNotFoundError, ProcessLookupError):
        return _hidden(pid)
    if fields[0] in _GONE:
        return None
    return Process(pid, fields[19], int(fields[1]), fields[0] in _STOPPED)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on, the state."""
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    # The name stands in brackets and may hold anything, brackets too; after it there are numbers alone.
    return text[text.rfind(")") + 2 :].split()


def _hidden(pid: int) -> Process | None:
    # With hidepid, /proc does not show the processes of others; the system still says whether there is one.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return Process(pid, "", 0, is_stopped=False)
    except OverflowError:
        return None
    return None


def _is_fork(pid: int, parent: int) -> bool:
    try:
        mine, its = (_image(one) for one in (pid, parent))
    except (OSError, IndexError):
        return False
    return mine == its and mine.exe.name in _SHELLS


class _Image(NamedTuple):
    exe: Path
    words: bytes
    stack: str


def _image(pid: int) -> _Image:
    # A fork keeps its parent's stack where it is; a shell that was started anew in a shell has one elsewhere.
    folder = _PROC / str(pid)
    return _Image((folder / "exe").readlink(), (folder / "cmdline").read_bytes(), _stat(pid)[25])


def _by_psutil(pid: int) -> Process | None:
    import psutil  # 30 ms, and only where there is no /proc

    try:
        found = psutil.Process(pid)
        with found.oneshot():
            status = found.status()
            if status == psutil.STATUS_ZOMBIE:
                return None
            stopped = status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
            return Process(pid, f"{found.create_time():.2f}", found.ppid(), stopped)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return Process(pid, "", 0, is_stopped=False)
