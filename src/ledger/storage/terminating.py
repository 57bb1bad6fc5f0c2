"""Terminating: a SIGTERM lets a program end in order what it is at, and is the end of the process in any case."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 5.0  # from the signal until the process is gone
CODE = 128 + signal.SIGTERM

_owners: list[int] = []  # the process in which the handler stands, once for each block that asked for it
_is_hurried = threading.Event()


@contextmanager
def in_order() -> Iterator[None]:
    """Within the block a SIGTERM raises SystemExit(143) in the main thread, so that blocks around it are left.

    5 s after the signal the process is gone, whatever it is at. Does nothing in another thread, nor where the program
    has a handler of its own. A program that stays in one call of a library all that time has to be killed.
    """
    is_main = threading.current_thread() is threading.main_thread()
    is_free = is_main and (signal.getsignal(signal.SIGTERM) is signal.SIG_DFL or _stands())
    if not is_free:
        yield
        return
    if not _stands():
        signal.signal(signal.SIGTERM, _end)
    _owners.append(os.getpid())
    try:
        yield
    finally:
        if _owners:
            _owners.pop()
        if not _owners and signal.getsignal(signal.SIGTERM) is _end:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def is_hurried() -> bool:
    """Whether a SIGTERM has come: nobody may be waited for any longer than a second."""
    return _is_hurried.is_set()


def _stands() -> bool:
    return bool(_owners) and signal.getsignal(signal.SIGTERM) is _end


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a handler's form
    if os.getpid() not in _owners:  # a fork: what its parent is at is none of its concern
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        return
    if not _is_hurried.is_set():
        _is_hurried.set()
        # In C, so that it works while the interpreter is held, or while a thread that hangs keeps the exit waiting.
        faulthandler.dump_traceback_later(SECONDS, exit=True)
    raise SystemExit(CODE)
