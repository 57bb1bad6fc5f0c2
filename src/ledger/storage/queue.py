"""A queue: a lock between processes that is handed on in the order of arrival.

A lock that whoever tries first gets is taken again and again by a writer that never pauses, for it tries the
moment it has let go, while the others sleep: on a slow disk one of them waited for over 30 seconds. Here
everyone who finds somebody waiting stands in line, and who lets go rings the bell of the first in line.

The lock itself is what excludes. Tickets and bells only decide who tries: a process that dies, stops or
misses its bell costs the others a moment, never the lock.
"""

# This is the hot path, on text paths: a Path costs 2 to 5 µs a call.
# ruff: noqa: PTH102, PTH104, PTH108, PTH208

from __future__ import annotations

import errno
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.storage.files import FILE_MODE, FOLDER_MODE
from ledger.storage.locks import Lock, let_go

# Who holds the lock may take it again for so long before the next one's bell rings: to change writers at every
# event costs twice the event itself (what another wrote is read first), and 32 writers then do half of one's work.
_TURN = 0.01
# Who is first tries again by itself: the holder may have paused in its turn, died, or never have known of the line.
_FIRST_PATIENCE = 0.001
# The others try against the order only where the first in line seems to be stopped.
_PATIENCE = 0.25


class Queue:
    """The lock at `path`, with the line of those who wait for it in the folder `<path>.line`.

    A ticket is a named pipe, named by the moment of arrival. It is its owner's bell, and says whether the
    owner lives: a pipe that nobody reads cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock(path)
        self._line = f"{path}.line"
        self._turn_ends = 0.0

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        """Hold the lock for the block; waits at most `timeout` seconds for it, then raises BusyError."""
        fd = self._enter(timeout)
        try:
            yield
        finally:
            let_go(fd)
            if time.monotonic() >= self._turn_ends:
                self._ring()

    def _enter(self, timeout: float) -> int:
        is_on_turn = time.monotonic() < self._turn_ends
        fd = self._lock.grab() if is_on_turn or not self._tickets() else None
        if fd is not None and is_on_turn:
            return fd
        if fd is None:
            fd = self._wait(timeout)
            try:
                self._ring()  # who is first now watches the lock, as this turn may end without a bell
            except BaseException:  # interrupted: the block is not entered, so nobody else would let go
                let_go(fd)
                raise
        self._turn_ends = time.monotonic() + _TURN
        return fd

    def _wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        try:
            name, bell = self._join()
        except OSError:  # no named pipes here, or no room for one: then without an order
            return self._lock.take(timeout)
        try:
            return self._stand(name, bell, deadline, timeout)
        finally:
            os.close(bell)
            with suppress(FileNotFoundError):
                os.unlink(f"{self._line}/{name}")

    def _join(self) -> tuple[str, int]:
        """A ticket in line: its name, and the bell to listen to."""
        name = f"{time.monotonic_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
        draft = f"{self._line}/.{name}"
        try:
            os.mkfifo(draft, FILE_MODE)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(self._line, FOLDER_MODE)
            os.mkfifo(draft, FILE_MODE)
        # Open for writing too: else each closing of the other end is an event that poll reports for ever.
        bell = os.open(draft, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        # Only now may it be found: without a reader its owner would be taken for dead.
        os.rename(draft, f"{self._line}/{name}")
        return name, bell

    def _stand(self, name: str, bell: int, deadline: float, timeout: float) -> int:
        may_try = False
        while True:
            is_first = self._is_first(name)
            fd = self._lock.grab() if is_first or may_try else None
            if fd is not None:
                return fd
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._lock.busy(timeout)
            _listen(bell, min(left, _FIRST_PATIENCE if is_first else _PATIENCE))
            may_try = True

    def _is_first(self, name: str) -> bool:
        for other in self._tickets():
            if other >= name:
                return True
            if self._is_alive(other):
                return False
        return True

    def _ring(self) -> None:
        """Ring the bell of the first in line who hears it."""
        for name in self._tickets():
            if self._is_alive(name, ring=True):
                return

    def _is_alive(self, name: str, *, ring: bool = False) -> bool:
        path = f"{self._line}/{name}"
        try:
            bell = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as fault:
            # No reader: its owner is dead. What cannot be opened (somebody else's, or no descriptor is left) is passed
            # over: the order suffers, and the block that has ended by now does not.
            if fault.errno == errno.ENXIO:
                with suppress(OSError):
                    os.unlink(path)
            return False
        try:
            if ring:
                os.write(bell, b"\n")
        except BlockingIOError:
            return True  # it is ringing already
        except BrokenPipeError:
            return False
        finally:
            os.close(bell)
        return True

    def _tickets(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._line) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []


def _listen(bell: int, seconds: float) -> None:
    poll = select.poll()
    poll.register(bell, select.POLLIN)
    if poll.poll(seconds * 1000):
        with suppress(BlockingIOError):
            os.read(bell, 64)
