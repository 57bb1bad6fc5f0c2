"""Spool: the folder in which captured payloads wait, safe on disk, until they are events.

A payload is written in `tmp`, synced, renamed into `new`, and `new` is synced: what is in `new` is whole and stays.
Its name says whose it is, `AGENT~EVENT~PID~ID`; when it was captured is its time of writing. Agents' hooks do the
same in sh (`hooks/hook.sh`). Where the ledger cannot be written, the spool is a folder of the same form below the
system's folder for temporary files, named after this ledger's place.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from ledger.errors import InvalidError, Problem, StorageError
from ledger.storage import spooling
from ledger.storage.files import make_folder, modified, refusals, storage_error, write_file
from ledger.storage.layout import Layout

WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")  # an agent, or an event
_NAME = re.compile(rf"({WORD.pattern})~({WORD.pattern})~([0-9]{{1,10}})~([A-Za-z0-9-]{{1,64}})")
REASON = ".reason"
_LEFT = 7 * 86_400  # seconds
_DONE = "done"  # the folder of the tallies
_LONGEST = 16 * 1024  # bytes of a tally, before it is shortened

Mark = Literal["x", "o", "p"]  # kept; passed over for LEDGER_OFF; passed over while hooks are switched off


class Captured(NamedTuple):
    """A payload that waits: `pid` is the process whose hook it was, `time` is in microseconds since 1970."""

    path: Path
    agent: str
    event: str
    pid: int
    id: str
    time: int


class Rejected(NamedTuple):
    """A payload that no event came of, with secrets taken out, and why."""

    path: Path
    agent: str
    event: str
    reason: str


class Fired(NamedTuple):
    """How often a hook ran: what it kept, and what it passed over for LEDGER_OFF or while hooks were off."""

    fired: int = 0
    off: int = 0
    paused: int = 0


def put(layout: Layout, agent: str, event: str, pid: int, raw: bytes) -> Captured:
    """Keep a payload: when this returns, it is safe on disk.

    Raises InvalidError for an agent or event that cannot be part of a file's name, StorageError where neither the
    ledger nor the folder for temporary files can be written.
    """
    require_words(agent, event)
    try:
        path = spooling.keep(str(layout.root), f"{agent}~{event}", pid, raw)
    except OSError as fault:
        raise storage_error(fault, layout.spool) from fault
    captured = _captured(Path(path))
    if captured is None:
        raise StorageError(f"{path}: it was taken away as soon as it was there")
    return captured


def require_words(agent: str, event: str) -> None:
    """Raise InvalidError for an agent or an event that cannot be part of a file's name, or of a command."""
    rule = "is not 1 to 40 letters, digits, - or _"
    broken = [
        Problem(path, rule) for path, word in (("agent", agent), ("event", event)) if WORD.fullmatch(word) is None
    ]
    if broken:
        raise InvalidError(
            "this hook has no name:", broken, hint="name the agent and its event, as in: claude-code Stop"
        )


def make(layout: Layout) -> None:
    """Make the spool's folders, where they are missing, in a ledger that is there. Raises OSError."""
    spooling.make(str(layout.root))


def count(layout: Layout, agent: str, event: str, mark: Mark) -> None:
    """Count one run of a hook, as well as that can be done: a count that cannot be written is none."""
    require_words(agent, event)
    spooling.count(str(layout.root), f"{agent}~{event}", mark)


def waiting(layout: Layout) -> list[Captured]:
    """The payloads that wait, here and elsewhere, oldest first. Files that are no payloads are left out."""
    found = (one for spool in _spools(layout) for path in _files(spool / "new") if (one := _captured(path)) is not None)
    return sorted(found, key=lambda one: (one.time, one.path.name))


def strangers(layout: Layout) -> list[Path]:
    """The files that lie among waiting payloads, and are none."""
    return [path for spool in _spools(layout) for path in _files(spool / "new") if _captured(path) is None]


def read(captured: Captured, at_most: int = -1) -> bytes:
    """The bytes of a payload, or its first `at_most`. Raises StorageError."""
    with refusals(captured.path):
        fd = os.open(captured.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read(at_most)


def done(captured: Captured) -> None:
    """Forget a payload: it is in the ledger, or set aside; and count it among those that came to something."""
    with refusals(captured.path):
        _count_done(captured)
        captured.path.unlink(missing_ok=True)


def discard(captured: Captured) -> None:
    """Forget a payload as if it had never been: that of a trial."""
    with refusals(captured.path):
        captured.path.unlink(missing_ok=True)


def came_to_something(layout: Layout) -> dict[tuple[str, str], int]:
    """How many payloads of each hook were recorded or set aside, by agent and event; hooks of which nobody counts yet
    are left out.
    """
    found: dict[tuple[str, str], int] = {}
    for spool in _spools(layout):
        for path in _files(spool / _DONE):
            agent, _, event = path.name.partition("~")
            found[agent, event] = found.get((agent, event), 0) + _read_tally(path).number
    return found


def reject(layout: Layout, captured: Captured, redacted: bytes, reason: str) -> None:
    """Set a payload aside with the reason, both free of secrets; it waits no longer. Raises StorageError."""
    aside = layout.spool / "rejected"
    with refusals(aside):
        make_folder(aside)
        write_file(aside / f"{captured.path.name}{REASON}", f"{reason}\n".encode(), durable=True)
        write_file(aside / captured.path.name, redacted, durable=True)
    done(captured)


def rejected(layout: Layout) -> list[Rejected]:
    """The payloads that were set aside, by name."""
    return [
        Rejected(path, parts[1], parts[2], _reason_of(path))
        for path in sorted(_files(layout.spool / "rejected"))
        if (parts := _NAME.fullmatch(path.name))
    ]


def fired(layout: Layout) -> dict[tuple[str, str], Fired]:
    """How often each hook ran since the spool was made, by agent and event."""
    marks: dict[tuple[str, str], Counter[int]] = {}
    for spool in _spools(layout):
        for path in _files(spool / "fired"):
            agent, _, event = path.name.partition("~")
            if WORD.fullmatch(agent) and WORD.fullmatch(event):
                marks.setdefault((agent, event), Counter()).update(_bytes(path))
    return {hook: Fired(*(found[ord(mark)] for mark in "xop")) for hook, found in sorted(marks.items())}


def sweep_drafts(layout: Layout) -> int:
    """Remove what hooks that were killed have left half-written, a week later; how many.

    None of it was acknowledged. A hook that slept for so long, with its machine, would find its draft gone.
    """
    swept = 0
    for path in (path for spool in _spools(layout) for path in _files(spool / "tmp")):
        if time.time() - (modified(path) or time.time()) > _LEFT:
            with suppress(OSError):
                path.unlink()
                swept += 1
    return swept


def draining(layout: Layout) -> int | None:
    """The process that says it drains in the background, whether it lives or not; None where none does."""
    try:
        return int(layout.draining.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


class _Tally(NamedTuple):
    """A hook's payloads that came to something: so many that are gone, and those that may be met once more, by id."""

    gone: int
    ids: frozenset[str]

    @property
    def number(self) -> int:
        return self.gone + len(self.ids)


def _count_done(captured: Captured) -> None:
    """Note the payload before it goes: who is killed in between meets it again, and counts it once by its id."""
    spool, hook = captured.path.parent.parent, f"{captured.agent}~{captured.event}"
    path = spool / _DONE / hook
    if not path.exists():
        _begin_tally(spool, path)
    with path.open("a", encoding="ascii") as file:
        file.write(f"{captured.id}\n")
        is_long = file.tell() > _LONGEST
    if is_long:
        _shorten(spool, path)


def _begin_tally(spool: Path, path: Path) -> None:
    """Begin to count where a hook has fired before: what is not waiting counts as having come to something."""
    make_folder(path.parent)
    try:
        fired = (spool / "fired" / path.name).read_bytes().count(b"x")
    except FileNotFoundError:
        fired = 0
    write_file(path, f"={max(0, fired - len(_waiting_of(spool, path.name)))}\n".encode(), durable=False)


def _shorten(spool: Path, path: Path) -> None:
    """Put the ids of payloads that are gone into the number: nobody will meet them again."""
    tally, there = _read_tally(path), _waiting_of(spool, path.name)
    left = sorted(tally.ids & there)
    write_file(path, "".join([f"={tally.number - len(left)}\n", *(f"{i}\n" for i in left)]).encode(), durable=False)


def _read_tally(path: Path) -> _Tally:
    lines = path.read_text(encoding="ascii", errors="replace").split()
    gone = sum(int(line[1:]) for line in lines[:1] if line.startswith("=") and line[1:].isdigit())
    return _Tally(gone, frozenset(line for line in lines if not line.startswith("=")))


def _waiting_of(spool: Path, hook: str) -> frozenset[str]:
    """The ids of a hook's payloads that wait in one spool."""
    found = (_NAME.fullmatch(path.name) for path in _files(spool / "new") if path.name.startswith(f"{hook}~"))
    return frozenset(parts[4] for parts in found if parts is not None)


def _captured(path: Path) -> Captured | None:
    parts = _NAME.fullmatch(path.name)
    if parts is None:
        return None
    try:
        status = path.lstat()
    except FileNotFoundError:  # somebody else has drained it meanwhile
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    agent, event, pid, name = parts.groups()
    return Captured(path, agent, event, int(pid), name, status.st_mtime_ns // 1000)


def _spools(layout: Layout) -> Iterator[Path]:
    yield layout.spool
    for spool in map(Path, spooling.elsewhere(str(layout.root))):
        if spooling.is_ours(str(spool.parent)) and spooling.is_ours(str(spool)):
            yield spool


def _files(folder: Path) -> list[Path]:
    with refusals(folder):
        try:
            return list(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):  # a hook makes it anew when it next needs it
            return []


def _bytes(path: Path) -> bytes:
    with refusals(path):
        return path.read_bytes()


def _reason_of(path: Path) -> str:
    try:
        return path.with_name(path.name + REASON).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return "the reason was not kept"
