"""Watching: waking up when a ref of a repository may have moved, without asking the disk again and again.

`watchfiles` gives what the kernel says (inotify, FSEvents, kqueue). Its `RustNotify` is used and not its `watch()`,
which gathers changes for 1.6 seconds in steps of 50 ms, filters paths that we want to hear of, and cannot be told
to begin to listen before we look: a change between the first look and the first wait would be missed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from ledger.errors import StorageError
from ledger.storage.layout import PRIVATE, SESSIONS

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

# Measured idle on 2 cores: steps of 5 ms take 0.8 % of one core and tell after 7 ms (p50), 10 ms 0.5 % and 14 ms,
# 20 ms 0.2 % and 29 ms. One step is waited for quiet, which a busy ledger never has: the debounce ends that wait.
STEP_MS = 10
DEBOUNCE_MS = 1

# A folder that comes into being is listened to a moment later than it is there, and what falls into that moment is
# not told: whoever was woken looks once more after this while of quiet.
AFTERTHOUGHT = 0.25

_MOUNTS = Path("/proc/self/mountinfo")
_FAR = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


class CannotWatchError(StorageError):
    """The system gives no word of changes in this folder (exit 7)."""


class Stop(Protocol):
    """What ends a wait from elsewhere, such as a `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the wait is to end."""


class RefWatch:
    """Hears of every change among the refs of the repository at `git_dir`, from when it is made until it is closed.

    Raises CannotWatchError where the system has no watches left, or lies on another machine.

    `packed-refs` need not be listened to: whoever writes it takes the lock of a ref, or takes away its file.
    """

    def __init__(self, git_dir: Path) -> None:
        refs = git_dir / "refs"
        _require_near(refs)
        for folder in (SESSIONS, PRIVATE):
            with suppress(OSError):  # a ledger that may only be read is listened to as it is
                (git_dir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._notify = _listen(refs)
        self._was_woken = False

    def wait(self, seconds: float | None = None, stop: Stop | None = None) -> bool:
        """Wait until a ref may have moved, for `seconds` at most; False once `stop` is set or the time is over.

        After a change it wakes once more, when nothing has changed for AFTERTHOUGHT seconds.

        Raises KeyboardInterrupt where the user interrupts.
        """
        limit = AFTERTHOUGHT if self._was_woken else seconds
        # 0 would be for ever.
        timeout = 0 if limit is None else max(1, round(limit * 1000))
        found = self._notify.watch(DEBOUNCE_MS, STEP_MS, timeout, stop)
        if found == "signal":
            # A signal's handler has raised something, which RustNotify keeps to itself.
            raise KeyboardInterrupt
        is_afterthought, self._was_woken = self._was_woken and found == "timeout", not isinstance(found, str)
        return self._was_woken or is_afterthought

    def close(self) -> None:
        """Hear no more; the thread that listens ends."""
        self._notify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _listen(folder: Path) -> RustNotify:
    from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

    try:
        return RustNotify([str(folder)], False, False, 0, True, False)
    except (OSError, WatchfilesRustInternalError) as fault:
        raise CannotWatchError(
            f"{folder} cannot be watched: {fault}",
            hint="if the system has no watches left, end other programs that watch files, or raise "
            "fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl; `ledger log` works meanwhile",
        ) from fault


def _require_near(folder: Path) -> None:
    kind = file_system_of(folder, _mounts())
    if kind in _FAR:
        raise CannotWatchError(
            f"{folder} lies on a network file system ({kind}), which does not tell what other machines change",
            hint="keep the ledger on a local disk; `ledger log` reads it wherever it lies",
        )


def file_system_of(path: Path, mounts: Sequence[tuple[str, str]]) -> str:
    """The kind of file system that holds `path`, of (mount point, kind) in the order of mounting; "" if not known."""
    whole = os.path.realpath(path)
    held = (m for m in reversed(mounts) if whole == m[0] or whole.startswith(m[0].rstrip("/") + "/"))
    return max(held, key=lambda one: len(one[0]), default=("", ""))[1]


def _mounts() -> list[tuple[str, str]]:
    try:
        return list(_mount_lines(_MOUNTS.read_text(errors="surrogateescape")))
    except OSError:  # no Linux: FSEvents and kqueue tell of local disks, and of others what they can
        return []


def _mount_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        yield before.split()[4].replace("\\040", " "), after.split()[0]
