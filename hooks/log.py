"""Log: what goes wrong where nobody looks is a line of JSON in a file of the ledger's folder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ledger.core.clock import stamp
from ledger.errors import InvalidError
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.core.redaction import Redactor

Level = Literal["warning", "error"]

_BYTES = 256 * 1024
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def note(
    layout: Layout, name: str, text: str, *, what: str, level: Level = "error", session: str | None = None
) -> None:
    """Leave a line in `logs/<name>`, without secrets; a log that is full begins anew, and the last one is kept.

    `what` is a name for scripts that stays as it is, `text` is for people. A warning is what will be tried again or
    concerns one thing of many. Never raises what the disk refuses, and never waits for another process.
    """
    path = layout.logs / name
    line = {
        "time": stamp(time.time_ns() // 1000),
        "level": level,
        "what": what,
        "text": _redactor(layout).text(" ".join(text.split())),
        "pid": os.getpid(),
    } | ({} if session is None else {"session": session})
    with suppress(OSError):
        _rotate(path)
    with suppress(OSError):
        _append(path, f"{json.dumps(line, ensure_ascii=False)}\n".encode("utf-8", "replace"))


def _rotate(path: Path) -> None:
    """Begin a full log anew. Of two who find it full the second would put the new one in the place of the last."""
    if not _is_full(path):
        return
    with _alone_in(path.parent):
        if _is_full(path):
            path.replace(path.with_name(f"{path.name}.1"))


def _is_full(path: Path) -> bool:
    return path.exists() and path.stat().st_size > _BYTES


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Raises BlockingIOError where another process is: it does what is to be done."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _append(path: Path, line: bytes) -> None:
    """Write a line in one call, so that those of several processes do not mix; all of it or nothing."""
    fd = os.open(path, _FLAGS, 0o600)
    try:
        written = os.write(fd, line)
        end = os.lseek(fd, 0, os.SEEK_CUR)
        if written < len(line) and os.fstat(fd).st_size == end:  # the disk is full: half a line would spoil the next
            os.ftruncate(fd, end - written)
    finally:
        os.close(fd)


def _redactor(layout: Layout) -> Redactor:
    """The ledger's own; the usual one where its rules cannot be read, which may be what is noted."""
    from ledger.core.redaction import Redactor, default_redactor
    from ledger.storage.config import read_config

    try:
        config = read_config(layout.config)
        return Redactor(config.redaction_rules, config.redaction_allow)
    except (InvalidError, OSError):
        return default_redactor()
