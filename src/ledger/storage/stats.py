"""Stats: what every file of a working tree was when it was last read, so that only changed ones are read again.

A projection, one file a worktree: without it, everything is read once more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ledger.storage.files import refusals, write_file
from ledger.storage.store import Oid

_FORM = 1
# Two writes within a tick of the kernel's clock may leave one time; some file systems keep whole seconds only.
_TICK_NS = 20_000_000
_SECOND_NS = 1_000_000_000


class Seen(NamedTuple):
    """One file: its times (ns), size and inode, the blob `staged` in the project's index, and what was made of it.

    `mode` and `oid` as in a tree; `reason` says why it was left out, "" where it was not.
    """

    mtime: int
    ctime: int
    size: int
    inode: int
    staged: Oid
    mode: str
    oid: Oid
    reason: str

    def fits(self, found: os.stat_result, staged: Oid) -> bool:
        """Whether the file is as it was then."""
        now = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, staged)
        return now == self[:5]


@dataclass(frozen=True, slots=True)
class Stats:
    """The files of one worktree by path, and the trees of its folders.

    `rules` is a digest of what decided over leaving out; `ref` and `commit` name what keeps the blobs and trees, so
    that nobody takes away what is not written again.
    """

    rules: str = ""
    ref: str = ""
    commit: Oid = ""
    files: Mapping[bytes, Seen] = field(default_factory=dict)
    folders: Mapping[bytes, Oid] = field(default_factory=dict)

    def kept_by(self, ref: str, commit: Oid) -> Stats:
        """The same, once a commit keeps what they name."""
        return replace(self, ref=ref, commit=commit)


def is_settled(found: os.stat_result, now_ns: int) -> bool:
    """Whether a later change of the file is sure to show in its times: it was not changed a moment ago."""
    last = max(found.st_mtime_ns, found.st_ctime_ns)
    tick = _TICK_NS if found.st_mtime_ns % _SECOND_NS else 2 * _SECOND_NS
    return last < now_ns - tick


def read_stats(path: Path) -> Stats:
    """What is known from last time; nothing where there is no such file, or one that cannot be read."""
    try:
        told = json.loads(path.read_bytes())
        if told["form"] != _FORM:
            return Stats()
        return Stats(
            rules=told["rules"],
            ref=told["ref"],
            commit=told["commit"],
            files={_raw(name): Seen(*row) for name, row in told["files"].items()},
            folders={_raw(name): oid for name, oid in told["folders"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a projection: then all is read again
        return Stats()


def write_stats(path: Path, stats: Stats) -> None:
    """Keep them for the next time; raises StorageError where the disk refuses."""
    told = {
        "form": _FORM,
        "rules": stats.rules,
        "ref": stats.ref,
        "commit": stats.commit,
        "files": {_text(name): row for name, row in stats.files.items()},
        "folders": {_text(name): oid for name, oid in stats.folders.items()},
    }
    with refusals(path):
        write_file(path, json.dumps(told, separators=(",", ":")).encode("ascii"), durable=False)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
