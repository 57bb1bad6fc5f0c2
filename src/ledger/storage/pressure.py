"""Pressure: how near the disk is to being full, and what is left out so that what matters most goes on longest.

Attachments go first: transcripts and working trees, which can be taken later. Then recording stops: what hooks capture
waits in the spool, and writers are told. Reading never stops. Each operation looks anew; nobody turns it on again.
"""

from __future__ import annotations

import errno
import os
from typing import Literal, NamedTuple

from ledger.errors import StorageError
from ledger.storage.layout import Layout

Level = Literal["none", "low", "critical", "full"]

_FULL = 256 * 1024  # bytes that a write may need: those of the largest event, in the journal and in an object
_CRITICAL, _CRITICAL_SHARE = 8 * 1024 * 1024, 0.01
_LOW, _LOW_SHARE = 1024 * 1024 * 1024, 0.05
_FILES_LOW = 0.02

LOW = "the disk is nearly full: transcripts and working trees are left out until there is room"


class Room(NamedTuple):
    """What is free at the ledger's folder, and how near to full that is."""

    level: Level
    free: int
    files: int
    fault: int | None = None  # how the disk would refuse a write, as an errno


def room(layout: Layout) -> Room:
    """What a disk has left, by one call of the system (5 µs); raises OSError where it cannot be asked."""
    disk = os.statvfs(layout.root)
    # What a disk keeps back, it keeps for root; some disks count no blocks, or no files.
    free = disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)
    if disk.f_flag & os.ST_RDONLY:
        return Room("full", free, disk.f_ffree, errno.EROFS)
    if (disk.f_blocks and free < _FULL) or (disk.f_files and not disk.f_ffree):
        return Room("full", free, disk.f_ffree, errno.ENOSPC)
    return Room(_level(free, disk.f_frsize * disk.f_blocks, disk.f_ffree, disk.f_files), free, disk.f_ffree)


def _level(free: int, size: int, files: int, of_files: int) -> Level:
    """How near to full: by bytes, on a small disk by its share, and by how many files may still be made."""
    if size and free < min(_CRITICAL, size * _CRITICAL_SHARE):
        return "critical"
    few = of_files and files < of_files * _FILES_LOW
    return "low" if few or (size and free < min(_LOW, size * _LOW_SHARE)) else "none"


def keeps_attachments(layout: Layout | None) -> bool:
    """Whether there is room for what can be taken later."""
    return layout is None or room(layout).level == "none"


def require_room(layout: Layout) -> None:
    """Raise StorageError while recording has stopped for want of room; a disk that is full says so itself."""
    found = room(layout)
    if found.level == "critical":
        raise StorageError(
            f"the disk is nearly full: {found.free / 1e6:.1f} MB are free at {layout.root}, and recording has stopped",
            hint="reading works; make room, and it goes on by itself: `ledger du` says what the ledger takes",
        )
