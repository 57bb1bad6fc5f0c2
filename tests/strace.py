"""A process under strace, and the calls of the system at which a fault can be put."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

SYNCS = ("fsync", "fdatasync", "syncfs")
WRITES = (
    *("write", "pwrite64", "writev", "ftruncate", "fchmod", "mkdir", "mkdirat", "link", "linkat"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat"),
)

# A program says by this call that it has started: what comes before changes nothing.
MARK = 'import os; os.close(os.open("/", os.O_RDONLY | os.O_DIRECTORY))'
_MARKED = 'openat(AT_FDCWD, "/", '
_CALL = re.compile(r"(\d+) +(\w+)\(")


class Point(NamedTuple):
    """The so-manieth time that a process makes a call. strace counts each call, and each process, by itself."""

    call: str
    number: int

    def fault(self, how: str, *, lasting: bool = False) -> list[str]:
        """The options that put a fault there, and from there on where it is `lasting`."""
        return ["-e", f"inject={self.call}:{how}:when={self.number}{'+' if lasting else ''}"]


def tracing(trace: Path, calls: Collection[str]) -> list[str]:
    """The words before a program whose calls, and those of what it starts, are to stand in the file `trace`."""
    return ["strace", "-f", "-o", str(trace), "-e", f"trace={','.join(calls)},openat"]


def points(trace: Path, calls: Collection[str]) -> Iterator[Point]:
    """Where a fault can be put into a program that ran to its end: after its mark, and in all that it started."""
    before, made = Counter[str](), dict[str, Counter[str]]()
    for process, call in _calls(trace):
        if call == "":
            before = made[process].copy()
        else:
            made.setdefault(process, Counter())[call] += 1
    for call in calls:
        most = max(counts[call] for counts in made.values())
        yield from (Point(call, number) for number in range(before[call] + 1, most + 1))


def _calls(trace: Path) -> Iterator[tuple[str, str]]:
    """Each call by its process and its name, which is "" for the mark."""
    for line in trace.read_text(errors="replace").splitlines():
        found = _CALL.match(line)
        if found is not None:
            yield found[1], "" if _MARKED in line else found[2]
