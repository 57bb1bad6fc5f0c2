"""Live files: which sessions run, and the proof of it.

`live/<session>` is one line of JSON that names the process behind the session, so that whoever reads it can ask
the system about that process. Its modification time is the heartbeat. A process that stays holds a lock on the
file besides and touches it every `BEAT` seconds, so that its death and its silence both show.

Nobody is called dead for silence: that takes proof. Ages are told by the clock that gives files their times, and
by no other: a local clock that is days off must make nobody seem dead.

An agent whose hooks are run gives a sign of life with each of them: its hook touches `live/.beat/<pid>`, which counts
for every claim of that process. It is the process's and no session's, because a hook in sh knows no session.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple, Self, get_args

from ledger.core.ids import SessionId
from ledger.errors import BusyError, NotFoundError, RefusedError, UsageError
from ledger.storage import files
from ledger.storage.files import FILE_MODE, FOLDER_MODE, modified, refusals, storage_error, write_all
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.process import Process, find_process, is_within, this_machine

BEAT = 15.0  # seconds between two heartbeats of a process that stays
SILENT = 60.0  # seconds without one, after which it counts as frozen
STALE = 600.0  # seconds of silence after which a claim that cannot be looked into may be taken over

Doing = Literal["working", "waiting"]
Verdict = Literal["alive", "frozen", "dead", "unknown", "unreadable"]

_LOCK_SECONDS = 5.0
_WIDTH = 1024  # a file is rewritten in place, so that locks on it hold: every form of it has one width
_ATTEMPTS = 3
_CLOCK = ".clock"
_CLAIMED = ".claimed"  # one empty file a session that has been claimed: without it a live file lost is one never made
_PID = re.compile(r"[1-9][0-9]{0,9}")
_UNREADABLE = "its live file cannot be read"
_locked: set[int] = set()  # the descriptors by which this process holds its sessions
_NOT_OURS = {errno.ELOOP, errno.ENXIO, errno.EACCES}  # a link, a socket, somebody else's: nothing that we wrote


class Claim(NamedTuple):
    """What a live file says: which process runs the session, and what it is doing since when.

    `lasting`: the process holds a lock on the file and touches it. `since` is in seconds since 1970, by the clock
    of the file system.
    """

    pid: int
    started: str
    boot: str
    pids: str
    host: str
    nonce: str
    lasting: bool
    doing: Doing
    since: float


class Live(NamedTuple):
    """A live file as it was found: the claim (None if unreadable), the verdict on it, and why.

    `age` is the time since the last heartbeat and `quiet` since it last did something, as far as is known, both in
    seconds: a heartbeat alone is nothing done. `is_locked`: a process that stays holds it.
    """

    session: str
    claim: Claim | None
    verdict: Verdict
    why: str
    age: float
    quiet: float
    is_locked: bool


_KINDS: dict[str, type] = {
    "pid": int,
    "started": str,
    "boot": str,
    "pids": str,
    "host": str,
    "nonce": str,
    "lasting": bool,
    "doing": str,
    "since": float,
}


class Held:
    """A claim that this process made; `leave` gives it back, and losing the process does too if it is lasting."""

    def __init__(self, layout: Layout, session: str, made: Claim, fd: int | None) -> None:
        self.session, self.claim = session, made
        self._layout = layout
        self._over = threading.Event()
        self._beating = None if fd is None else threading.Thread(target=self._beat, args=(fd,), daemon=True)
        if fd is not None and self._beating is not None:
            _locked.add(fd)
            self._beating.start()

    def touch(self) -> bool:
        """Give a sign of life; False where the file is gone."""
        return touch(self._layout, self.session)

    def tell(self, doing: Doing) -> bool:
        """Say what the session is doing; False where the file is gone."""
        return tell(self._layout, self.session, doing)

    def leave(self) -> None:
        """Give the claim back; what somebody else has claimed since stays."""
        try:
            leave(self._layout, self.session, self.claim.nonce)
        finally:
            self._over.set()
            if self._beating is not None:
                self._beating.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def _beat(self, fd: int) -> None:
        # It owns the descriptor: closed elsewhere, its number could be another file's by the next beat.
        try:
            while not self._over.wait(BEAT):
                with suppress(OSError):  # a beat that is missed is silence; to stop here would be taken for death
                    os.utime(fd)
        finally:
            _locked.discard(fd)
            os.close(fd)


def _let_go() -> None:
    """A fork shares its parent's locks until it closes them: it would hold a session beyond its parent's leaving."""
    while _locked:
        os.close(_locked.pop())


os.register_at_fork(after_in_child=_let_go)


def claim(
    layout: Layout, session: str, *, pid: int | None = None, lasting: bool = False, doing: Doing = "working"
) -> Held:
    """Claim a session for a process, this one unless `pid` is given; `lasting` where this process itself stays.

    What a dead process held is taken over, by one of those who try. Raises BusyError, naming the process, while
    another one lives, InvalidError for what is no session id, NotFoundError where no process `pid` runs.
    """
    path = _path(layout, session)
    if lasting and pid not in (None, os.getpid()):
        raise UsageError("a lasting claim is one of the calling process itself")
    process = _running(os.getpid() if pid is None else pid)
    with Lock(layout.live_lock).hold(_LOCK_SECONDS), refusals(path):
        _refuse_taken(look(layout, session), process)
        made = _claim_of(process, lasting, doing, file_clock(layout))
        _lift_fence(layout, session, process)
        fd = _put(path, made)
        _mark(layout.live / _CLAIMED / session)
        return Held(layout, session, made, fd)


def touch(layout: Layout, session: str) -> bool:
    """Give a sign of life in a session's name; False where nobody has claimed it, or the system refuses."""
    return files.touch(_path(layout, session))


def tell(layout: Layout, session: str, doing: Doing) -> bool:
    """Say what a session is doing; False where nobody has claimed it, or its file cannot be read."""
    path = _path(layout, session)
    with Lock(layout.live_lock).hold(_LOCK_SECONDS), refusals(path):
        found = look(layout, session)
        if found is None or found.claim is None:
            return False
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(fd, _line(found.claim._replace(doing=doing, since=file_clock(layout))), 0)
        finally:
            os.close(fd)
    return True


def leave(layout: Layout, session: str, nonce: str | None = None) -> None:
    """Remove a session's live file; with `nonce`, only if it is still the claim that has this one."""
    path = _path(layout, session)
    with Lock(layout.live_lock).hold(_LOCK_SECONDS), refusals(path):
        found = look(layout, session)
        if nonce is not None and (found is None or found.claim is None or found.claim.nonce != nonce):
            return
        (layout.live / _CLAIMED / session).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def fence(layout: Layout, session: str) -> None:
    """Declare a session's process dead: whatever it still writes for the session is refused.

    One that is proven dead needs no fence. The live file stays until the session is given back. The process is let
    in again when it claims the session anew.
    """
    path = _path(layout, session)
    with Lock(layout.live_lock).hold(_LOCK_SECONDS), refusals(path):
        found = look(layout, session)
        if found is not None and found.claim is not None and found.verdict != "dead":
            over = found.claim._replace(since=file_clock(layout))
            _put_fence(layout, session, [*fenced(layout, session), over])


def fenced(layout: Layout, session: str) -> list[Claim]:
    """The claims to a session that hold no longer, because their processes were declared dead; mostly none.

    `since` of each is when that was.
    """
    try:
        lines = layout.fence_of(session).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [made for line in lines if (made := _parsed(line)) is not None]


def is_fenced(made: Claim, pid: int) -> bool:
    """Whether process `pid` of this machine is that of a claim which holds no longer, or was started by it."""
    process = find_process(made.pid)
    return _is_here(made) and process is not None and process.started == made.started and is_within(made.pid, pid)


def is_late(made: Claim, pid: int, when: float) -> bool:
    """Whether what process `pid` said at `when` (seconds since 1970) came after its claim had ceased to hold."""
    process = find_process(pid)
    is_it = process is None or process.started == made.started  # else the id is another process's by now
    return _is_here(made) and made.pid == pid and is_it and when >= made.since


def claimed(layout: Layout) -> set[str]:
    """The sessions that a process has claimed and nobody has given back, whatever became of their live files."""
    try:
        return {path.name for path in (layout.live / _CLAIMED).iterdir()}
    except FileNotFoundError:
        return set()


def look(layout: Layout, session: str) -> Live | None:
    """The live file of one session with the verdict on it; None where nobody has claimed it."""
    return _look(_path(layout, session), file_clock(layout))


def look_at_all(layout: Layout) -> dict[str, Live]:
    """Every live file with the verdict on it, by session."""
    now = file_clock(layout)
    found = (_look(path, now) for path in _paths(layout))
    return {one.session: one for one in found if one is not None}


def sweep_beats(layout: Layout) -> int:
    """Remove the signs of life of processes that are gone, unless they are fresh; how many.

    A process of another container is not seen here: its next hook gives a new sign.
    """
    now, swept = file_clock(layout), 0
    for path in _beats(layout):
        if find_process(int(path.name)) is None and now - (modified(path) or now) > STALE:
            path.unlink(missing_ok=True)
            swept += 1
    return swept


def is_dead(layout: Layout, session: str) -> bool:
    """Whether the process behind a session is proven dead; never for want of a live file, or of a heartbeat."""
    found = look(layout, session)
    return found is not None and found.verdict == "dead"


def file_clock(layout: Layout) -> float:
    """The time, in seconds since 1970, by the clock that gives the files of the ledger their times."""
    try:
        fd = os.open(layout.live / _CLOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    except OSError:  # read-only: then nobody here writes files by another clock either
        return time.time()
    try:
        os.utime(fd)
        return os.fstat(fd).st_mtime
    finally:
        os.close(fd)


def _path(layout: Layout, session: str) -> Path:
    # An id is a file's name here, and it may come from anywhere.
    return layout.live_of(SessionId(session))


def _paths(layout: Layout) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in sorted(layout.live.iterdir()) if SessionId.form.fullmatch(path.name))


def _beats(layout: Layout) -> list[Path]:
    try:
        return [path for path in layout.beats.iterdir() if _PID.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def _running(pid: int) -> Process:
    found = find_process(pid)
    if found is None:
        raise NotFoundError(f"no process {pid} runs here", hint="`--pid $$` names the shell that runs the command")
    return found


def _claim_of(process: Process, lasting: bool, doing: Doing, now: float) -> Claim:
    machine = this_machine()
    return Claim(
        pid=process.pid,
        started=process.started,
        boot=machine.boot,
        pids=machine.pids,
        host=machine.host,
        nonce=os.urandom(8).hex(),
        lasting=lasting,
        doing=doing,
        since=now,
    )


def _refuse_taken(found: Live | None, process: Process) -> None:
    if found is None or found.verdict == "dead" or _is_of(found.claim, process):
        return
    if found.verdict == "unknown" and found.age > STALE:
        return
    if found.claim is None and not found.is_locked:
        return
    raise busy(found)


def busy(found: Live) -> BusyError:
    """The error of whoever wants a session that another process holds."""
    owner = "another process" if found.claim is None else f"process {found.claim.pid} on {found.claim.host}"
    return BusyError(
        f"session {found.session} runs in {owner} ({found.verdict}: {found.why})",
        hint=f"end it there, or here with `ledger session end --session {found.session[:8]}`; "
        "or start one of your own with another key",
    )


def require_ours(layout: Layout, session: str) -> None:
    """Raise RefusedError for a session that runs in a process which has not started this one."""
    found = look(layout, session)
    if found is None or found.claim is None or found.verdict == "dead":
        return
    if found.verdict == "unknown" and found.age > STALE:
        return
    if _is_here(found.claim) and is_within(found.claim.pid, os.getpid()):
        return
    raise RefusedError(
        f"session {session} runs in process {found.claim.pid} on {found.claim.host} ({found.verdict}: {found.why})",
        hint=f"end it there; to end it from here all the same: ledger session end --session {session[:8]}",
    )


def _is_of(made: Claim | None, process: Process) -> bool:
    return made is not None and _is_here(made) and (made.pid, made.started) == (process.pid, process.started)


def _is_here(made: Claim) -> bool:
    """Whether the process ids of a claim have their meaning here; a host may change its name, a start has one id."""
    here = this_machine()
    return (made.boot, made.pids) == (here.boot, here.pids) and (made.boot != "" or made.host == here.host)


def _put(path: Path, made: Claim) -> int | None:
    """Put a new file in place, locked before anyone can see it; the descriptor that holds the lock."""
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    draft = path.with_name(f".{path.name}.{made.nonce}")
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE)
    try:
        os.fchmod(fd, FILE_MODE)
        if made.lasting:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(fd, _line(made))
        draft.replace(path)
    except BaseException:
        os.close(fd)
        draft.unlink(missing_ok=True)
        raise
    if made.lasting:
        return fd
    os.close(fd)
    return None


def _lift_fence(layout: Layout, session: str, process: Process) -> None:
    before = fenced(layout, session)
    if any(_is_of(made, process) for made in before):
        _put_fence(layout, session, [made for made in before if not _is_of(made, process)])


def _put_fence(layout: Layout, session: str, made: list[Claim]) -> None:
    path = layout.fence_of(session)
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    files.write_file(path, b"".join(map(_line, made)), durable=True)


def _mark(path: Path) -> None:
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE))


def _line(made: Claim) -> bytes:
    return json.dumps(made._asdict()).ljust(_WIDTH - 1).encode("ascii") + b"\n"


class _Content(NamedTuple):
    data: bytes
    touched: float
    is_locked: bool


def _look(path: Path, now: float) -> Live | None:
    content, made = _stable(path)
    if content is None:
        return None
    age = max(0.0, now - content.touched)
    if made is None:
        return Live(path.name, None, "unreadable", _UNREADABLE, age, age, content.is_locked)
    # A hook that ran is something done, and as good a sign of life as the file's own.
    done = max(0.0, now - _beaten(path, made))
    age = min(age, done)
    verdict, why = _judge(made, age, is_locked=content.is_locked)
    told = max(0.0, now - made.since)
    return Live(path.name, made, verdict, why, age, min(told, done if made.lasting else age), content.is_locked)


def _beaten(path: Path, made: Claim) -> float:
    """When a hook of the claim's process last ran, in seconds since 1970; 0 where none has."""
    return (modified(Layout(path.parent.parent).beat_of(made.pid)) or 0.0) if _is_here(made) else 0.0


def _stable(path: Path) -> tuple[_Content | None, Claim | None]:
    """What a file holds; read again where that makes no sense, for it may be rewritten at this moment."""
    content, made = _read(path), None
    for _ in range(_ATTEMPTS):
        made = None if content is None else _parsed(content.data)
        if content is None or made is not None:
            break
        content = _read(path)
    return content, made


def _read(path: Path) -> _Content | None:
    while True:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as fault:
            if fault.errno not in _NOT_OURS:
                raise storage_error(fault, path) from fault
            return _Content(b"", modified(path) or 0.0, False)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return _Content(b"", status.st_mtime, False)
            content = _Content(os.pread(fd, 4 * _WIDTH, 0), status.st_mtime, _is_locked(fd))
            # A lock that is free on a file that somebody has replaced meanwhile proves nothing.
            if content.is_locked or _is_still(path, status):
                return content
        finally:
            os.close(fd)


def _is_still(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except FileNotFoundError:
        return False


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _parsed(data: bytes) -> Claim | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not all(isinstance(told.get(name), kind) for name, kind in _KINDS.items()):
        return None
    if told["doing"] not in get_args(Doing):
        return None
    return Claim(**{name: told[name] for name in _KINDS})


def _judge(made: Claim, age: float, *, is_locked: bool) -> tuple[Verdict, str]:
    here = this_machine()
    if made.host == here.host and made.boot != here.boot:
        return "dead", f"{made.host} has been restarted since"
    if not _is_here(made):
        return "unknown", f"it runs on {made.host}" if made.host != here.host else "it runs in another container"
    process = find_process(made.pid)
    if process is None:
        return "dead", f"process {made.pid} is gone"
    if process.started not in ("", made.started):
        return "dead", f"process {made.pid} is another one by now"
    if made.lasting and not is_locked:
        return "dead", f"process {made.pid} has let go of it"
    return _judge_living(made, process, age)


def _judge_living(made: Claim, process: Process, age: float) -> tuple[Verdict, str]:
    if process.is_stopped:
        return "frozen", f"process {made.pid} is stopped"
    if made.lasting and age > SILENT:
        return "frozen", f"process {made.pid} has given no sign of life for {age:.0f} s"
    return "alive", f"process {made.pid} runs"
