"""Locks between processes that the kernel lets go of when their holder dies."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ledger.errors import BusyError
from ledger.storage.files import FILE_MODE, FOLDER_MODE, refusals, storage_error

_FIRST_PAUSE = 0.000_5
_LONGEST_PAUSE = 0.025
_HELD = {errno.EAGAIN, errno.EACCES}

_taken: set[int] = set()  # the descriptors by which this process holds locks, or tries to


class Lock:
    """A lock that is a file at `path`; the file stays, holding it is what counts.

    It excludes other processes, and other `Lock`s in this one. The file says who held it last, for
    people to read; nothing is decided by that. Only `discard` removes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def hold(self, timeout: float, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock for the block; with `shared`, together with others that share it.

        Waits at most `timeout` seconds (0: not at all), then raises BusyError with the holder's
        process id if it is known.
        """
        fd = self.take(timeout, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        try:
            yield
        finally:
            let_go(fd)

    def grab(self) -> int | None:
        """Take the lock at once, or not at all: a descriptor, which holds it until `let_go`."""
        fd = self._open()
        try:
            if _try(fd, fcntl.LOCK_EX) and self._is_file_of(fd):
                self._sign(fd)
                return fd
        except BaseException:
            let_go(fd)
            raise
        let_go(fd)
        return None

    def busy(self, timeout: float) -> BusyError:
        """The error of whoever waited `timeout` seconds in vain: it names the holder's process if that is known."""
        holder = self.holder()
        who = "another process" if holder is None else f"process {holder}"
        return BusyError(
            f"{self.path.name} is held by {who} (waited {timeout:g} s)",
            hint="try again; if that process hangs, end it: the lock goes with it",
        )

    def is_held(self) -> bool:
        """Whether somebody holds the lock at this moment."""
        if not self.path.exists():
            return False
        fd = self._open()
        try:
            return not _try(fd, fcntl.LOCK_EX)
        finally:
            let_go(fd)

    def discard(self) -> bool:
        """Remove the file, unless somebody holds the lock; whether it is gone."""
        try:
            with self.hold(0):
                self.path.unlink(missing_ok=True)
        except BusyError:
            return False
        return True

    def holder(self) -> int | None:
        """The process id that the file names: of who holds it now or held it last."""
        try:
            return int(self.path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def take(self, timeout: float, how: int = fcntl.LOCK_EX) -> int:
        """Wait at most `timeout` seconds for the lock: a descriptor, which holds it until `let_go`.

        Raises BusyError.
        """
        while True:
            fd = self._open()
            try:
                self._wait(fd, timeout, how)
                # Whoever held it may have discarded the file: then this lock is one of nobody else.
                if self._is_file_of(fd):
                    if how == fcntl.LOCK_EX:
                        self._sign(fd)
                    return fd
            except BaseException:
                let_go(fd)
                raise
            let_go(fd)

    def _is_file_of(self, fd: int) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(fd))
        except FileNotFoundError:
            return False

    def _sign(self, fd: int) -> None:
        # One call of a fixed width: every shared write takes two locks. On a full disk the system names no file for it.
        with refusals(self.path):
            os.pwrite(fd, f"{os.getpid():<10}\n".encode(), 0)

    def _wait(self, fd: int, timeout: float, how: int) -> None:
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not _try(fd, how):
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.busy(timeout)
            time.sleep(min(left, random.uniform(pause / 2, pause)))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            try:
                fd = os.open(self.path, flags, FILE_MODE)
            except FileNotFoundError:
                self.path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
                fd = os.open(self.path, flags, FILE_MODE)
        except OSError as fault:
            raise storage_error(fault, self.path) from fault
        _taken.add(fd)
        return fd


@contextmanager
def hold_all(paths: Sequence[Path], timeout: float) -> Iterator[None]:
    """Hold the locks at all these paths for the block, taken in this order; waits at most `timeout` seconds for each.

    There may be more than a process may usually open. Raises BusyError.
    """
    with _room_for(len(paths)), ExitStack() as held:
        for path in paths:
            held.enter_context(Lock(path).hold(timeout))
        yield


@contextmanager
def _room_for(descriptors: int) -> Iterator[None]:
    import resource  # for a restoration alone

    kind = resource.RLIMIT_NOFILE
    soft, hard = resource.getrlimit(kind)
    if resource.RLIM_INFINITY in (soft, hard):
        most = soft if soft == resource.RLIM_INFINITY else soft + descriptors
    else:
        most = min(hard, soft + descriptors)
    with suppress(ValueError, OSError):  # some systems grant less than they name: then the locks say what is short
        resource.setrlimit(kind, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def claim(fd: int) -> bool:
    """Take the lock on a file that is open, at once or not at all; whether it is held, until `let_go`."""
    _taken.add(fd)
    if _try(fd, fcntl.LOCK_EX):
        return True
    _taken.discard(fd)
    return False


def let_go(fd: int) -> None:
    """Give back a lock, by the descriptor that holds it; in a fork of the holder, which never had it, does nothing."""
    if fd in _taken:
        # Unlocked before it is forgotten: a fork at this moment gets a descriptor that holds nothing.
        fcntl.flock(fd, fcntl.LOCK_UN)
        _taken.discard(fd)
        os.close(fd)


def _forget_all() -> None:
    """A fork shares its parent's locks until it closes them: they would outlast whoever took them."""
    while _taken:
        with suppress(OSError):
            os.close(_taken.pop())


os.register_at_fork(after_in_child=_forget_all)


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as fault:
        if fault.errno in _HELD:
            return False
        raise
    return True
