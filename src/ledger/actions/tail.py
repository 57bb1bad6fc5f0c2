"""Tail: what an agent's transcript holds beyond what is recorded of it, taken in at the end of a turn.

Where the transcript lies, a payload says, and a payload may say anything: only a regular file that this user owns is
opened, and what is read must be a transcript of the very agent that the payload came from.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, Protocol

from ledger.actions.ignoring import covers_at
from ledger.actions.import_transcripts import Imported, Intake
from ledger.errors import InvalidError, LedgerError, RefusedError
from ledger.recording import transcripts
from ledger.recording.adapter import Transcript
from ledger.recording.shapes import name
from ledger.storage.place import Place
from ledger.storage.pressure import keeps_attachments
from ledger.storage.seen import Seen, Tailed
from ledger.storage.spool import Captured

_CHUNK = 1024 * 1024
_FOR_GOOD = {
    *(errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENODEV),
    *(errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EPERM),
}


class Blake(Protocol):
    """A digest in the making."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""


@dataclass(slots=True)
class Tail:
    """A transcript that is to be read: whose it is, by the agent's own id of the session, and who asked for it.

    It worked in `cwd`. `is_over`: the session has ended, and nothing more will be written.
    """

    agent: str
    key: str
    cwd: str = ""
    captured: list[Captured] = field(default_factory=list)
    is_over: bool = False


class TailRead(NamedTuple):
    """What came of it: how many events, why it could not be read (None: it could), whether it is left for later."""

    events: int = 0
    problem: str | None = None
    is_left: bool = False


def read_tail(place: Place, seen: Seen, path: str, tail: Tail, most: int | None = None) -> TailRead:
    """Record what a transcript holds beyond what is recorded; more than `most` new bytes are left for later.

    Raises StorageError and BusyError where the ledger cannot be written.
    """
    if tail.agent not in transcripts.ADAPTERS:
        return TailRead()
    try:
        file = _opened(path)
    except (RefusedError, ValueError) as fault:
        return TailRead(problem=_why(fault))
    except OSError as fault:
        return _unread(fault)
    with file:
        try:
            return _read(place, seen, file, path, tail, most)
        except OSError as fault:
            return _unread(fault)


def _unread(fault: OSError) -> TailRead:
    """What a path will never give is let go of; a disk that refuses once may give it next time."""
    return TailRead(problem=_why(fault), is_left=fault.errno not in _FOR_GOOD)


def _read(place: Place, seen: Seen, file: BinaryIO, path: str, tail: Tail, most: int | None) -> TailRead:
    known, size = seen.tail(path), _whole_size(file)
    before = known.size if known is not None and _digest(file, known.size) == known.digest else 0
    if known is not None and before == size and known.is_over >= tail.is_over:
        return TailRead()
    if (most is not None and size - before > most) or not keeps_attachments(place.layout):
        return TailRead(is_left=True)
    file.seek(0)
    content = hashlib.blake2b(digest_size=16)
    done = Imported()
    try:
        transcript = transcripts.read(_pieces(file, size, content), session=tail.key, growing=not tail.is_over)
        _require_of(transcript, tail, file)
    except RefusedError as error:
        return TailRead(problem=_why(error))
    intake = Intake(place, seen, transcript, path, done, covers_at(place.layout, tail.cwd))
    try:
        _take(intake, transcript, tail.key, before)
    except InvalidError as error:  # a line that is too long for an attachment
        return TailRead(done.events, _why(error))
    seen.add_tail(path, Tailed(size, content.digest(), tail.is_over))
    return TailRead(done.events)


def _take(intake: Intake, transcript: Transcript, key: str, before: int) -> None:
    """Take in what the session's own lines say; whose life begins and ends when, its hooks tell."""
    read, session = 0, name(key)
    for unit in transcript.units:
        read += len(unit.raw)
        if unit.session == session:
            own = tuple(fact for fact in unit.drafts if fact.session == session and fact.type != "session.started")
            intake.take(replace(unit, drafts=own), is_kept=read <= before)
    intake.write()


def _require_of(transcript: Transcript, tail: Tail, file: BinaryIO) -> None:
    if transcript.agent != tail.agent:
        raise RefusedError(f"it is a transcript of {transcript.agent}, not of {tail.agent}")
    if transcript.form == "json" and not _ends_whole(file):
        raise RefusedError("it is being written at this moment")


def _opened(path: str) -> BinaryIO:
    """The file at `path`; raises OSError or RefusedError for whatever is no regular file of this user's own."""
    if not os.path.isabs(path):  # noqa: PTH117 - a text that anybody may have written
        raise RefusedError("its path is not absolute")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        os.close(fd)
        raise RefusedError("it is not a regular file of this user's own")
    return os.fdopen(fd, "rb")


def _whole_size(file: BinaryIO) -> int:
    """How many bytes of it are whole lines, or a document: a last line without its end is still being written."""
    end = file.seek(0, os.SEEK_END)
    start = end
    while start > 0:
        start = max(0, start - _CHUNK)
        file.seek(start)
        found = file.read(min(_CHUNK, end - start)).rfind(b"\n")
        if found >= 0:
            return end if _ends_whole(file) else start + found + 1
    return end if _ends_whole(file) else 0


def _ends_whole(file: BinaryIO) -> bool:
    """Whether the last thing in it is the end of an object."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 64))
    return file.read().rstrip().endswith(b"}")


def _pieces(file: BinaryIO, size: int, content: Blake) -> Iterator[bytes]:
    left, place = size, 0
    while left > 0:
        file.seek(place)
        piece = file.read(min(_CHUNK, left))
        if not piece:
            return
        content.update(piece)
        left, place = left - len(piece), place + len(piece)
        yield piece


def _digest(file: BinaryIO, size: int) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for _ in _pieces(file, size, content):
        pass
    return content.digest()


def _why(fault: OSError | LedgerError | ValueError) -> str:
    if isinstance(fault, LedgerError):
        return ": ".join(line.strip(" :") for line in fault.message.splitlines())
    return (fault.strerror or str(fault)) if isinstance(fault, OSError) else str(fault)
