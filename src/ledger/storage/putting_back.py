"""Putting back: make a folder's files those of a captured tree, and overwrite nothing that is not saved.

What is to be done is planned first. Each file is replaced whole, by a rename, in a folder that was reached without
following a link; before that its present content is read once more and must be what was saved. So a kill leaves every
file old or new, and a second run does the rest.
"""

# Paths are bytes here, and each is reached from the folder that holds it.

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ledger.errors import InvalidError, Problem
from ledger.storage import codec
from ledger.storage.capture import LEFTOVER
from ledger.storage.files import FILE_MODE, refusals, write_all
from ledger.storage.nesting import LINK, PLAIN, RUNNABLE, Entry
from ledger.storage.store import Oid

_RESERVED = {b"", b".", b"..", b".git"}
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

UNSAVED = "its present content is not saved"
IN_THE_WAY = "what is not saved is in the way"
CHANGED = "it has changed meanwhile"

Read = Callable[[Oid], bytes]


class Files(NamedTuple):
    """A captured tree: its files by path, and the paths at which something was that was not captured."""

    entries: Mapping[bytes, Entry]
    left_out: frozenset[bytes]


class Blocked(NamedTuple):
    """A path that cannot be put back, and why."""

    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done below `top`, each list sorted by path.

    `write` are files that are new or get other content, `delete` those that the captured tree lacks, `same` how many
    are as they should be; `kept` are left because that tree, or what is saved of now, left them out. `blocked` keeps
    all of it from being done. `saved` are the files as they were found.
    """

    top: Path
    write: tuple[bytes, ...]
    delete: tuple[bytes, ...]
    same: int
    kept: tuple[bytes, ...]
    blocked: tuple[Blocked, ...]
    wanted: Mapping[bytes, Entry]
    saved: Mapping[bytes, Entry]


def plan(top: Path, wanted: Files, saved: Files, among: Iterable[bytes] = ()) -> Plan:
    """What makes the files below `top` those of `wanted`, given that `saved` holds what is there now.

    With `among` only those paths count, and what lies below them. Nothing is changed. Raises InvalidError for a tree
    with a path that no file may have.
    """
    _require_paths(wanted.entries)
    return _Planning(top, wanted, saved, tuple(among)).run()


def put_back(todo: Plan, read: Read) -> list[Blocked]:
    """Do what is planned; gives back the paths at which something changed since, which are left as they are.

    `read` gives the bytes of a blob. Raises StorageError where the system refuses.
    """
    with refusals(todo.top), _folder(todo.top) as top:
        kept = [path for path in todo.delete if not _delete(top, path, todo.saved[path])]
        kept += [path for path in todo.write if not _write(top, path, todo, read)]
    return [Blocked(path, CHANGED) for path in kept]


class _Planning:
    """One comparison of what is wanted with what is there."""

    def __init__(self, top: Path, wanted: Files, saved: Files, among: tuple[bytes, ...]) -> None:
        self.top, self.wanted, self.saved, self.among = top, wanted, saved.entries, among
        self.unsaved = saved.left_out
        self.root = os.fsencode(top) + b"/"

    def run(self) -> Plan:
        found: dict[str, list[bytes]] = {"": []}
        same = 0
        for path in sorted(filter(self._counts, self.wanted.entries)):
            reason = self._in_the_way(path)
            if reason is None:
                same += 1
            else:
                found.setdefault(reason, []).append(path)
        delete = {path for path in self.saved if self._goes(path)}
        others = (self.saved.keys() | self.unsaved) - self.wanted.entries.keys() - delete
        write = tuple(found.pop(""))
        blocked = tuple(sorted(Blocked(path, reason) for reason, paths in found.items() for path in paths))
        return Plan(
            top=self.top,
            write=write,
            delete=tuple(sorted(delete)),
            same=same,
            kept=tuple(sorted(filter(self._counts, others))),
            blocked=blocked,
            wanted=self.wanted.entries,
            saved=self.saved,
        )

    def _counts(self, path: bytes) -> bool:
        return not self.among or any(_is_at_or_below(path, one) for one in self.among)

    def _goes(self, path: bytes) -> bool:
        """Whether a file is to be deleted: not where the captured tree knows of one that it does not hold."""
        if path in self.wanted.entries or not self._counts(path) or path not in self.saved:
            return False
        return not any(_is_at_or_below(path, one) for one in self.wanted.left_out)

    def _in_the_way(self, path: bytes) -> str | None:
        """Why a file cannot be written: "" where nothing keeps it, None where it is there already."""
        entry = self.wanted.entries[path]
        if path in self.saved:
            return None if self.saved[path] == entry else ""
        for above in _above(path):
            status = _status(self.root + above)
            if status is not None and not stat.S_ISDIR(status.st_mode):
                return "" if self._goes(above) else IN_THE_WAY
        status = _status(self.root + path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            return "" if self._is_emptied(path) else IN_THE_WAY
        if status is None:
            return ""
        return None if _present(self.root + path, status) == entry else UNSAVED

    def _is_emptied(self, folder: bytes) -> bool:
        """Whether all that is in a folder is saved and goes, so that a file can take its place."""
        found = [place + b"/" + name for place, _, names in os.walk(self.root + folder) for name in names]
        return all(self._goes(path.removeprefix(self.root)) for path in found)


def _require_paths(paths: Iterable[bytes]) -> None:
    bad = [path for path in paths if any(name.lower() in _RESERVED for name in path.split(b"/"))]
    if bad:
        problems = [Problem(path.decode("utf-8", "replace"), "is no path for a file") for path in bad]
        raise InvalidError("this tree cannot be put back:", problems)


def _is_at_or_below(path: bytes, folder: bytes) -> bool:
    return path == folder or not folder or path.startswith(folder + b"/")


def _above(path: bytes) -> Iterator[bytes]:
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        yield b"/".join(parts[:count])


def _status(path: bytes, folder: int | None = None) -> os.stat_result | None:
    try:
        return os.stat(path, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _present(path: bytes, status: os.stat_result, folder: int | None = None) -> Entry | None:
    """What a tree would hold of a file as it is now; None for what is neither a file nor a link."""
    if stat.S_ISLNK(status.st_mode):
        return Entry(LINK, codec.object_id("blob", os.readlink(path, dir_fd=folder)))
    if not stat.S_ISREG(status.st_mode):
        return None
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(fd, "rb") as file:
        oid = codec.object_id("blob", file.read())
    return Entry(RUNNABLE if status.st_mode & stat.S_IXUSR else PLAIN, oid)


def _delete(top: int, path: bytes, saved: Entry) -> bool:
    """Delete a file that is as it was saved, and the folders that are empty without it; False for any other."""
    with _folder_of(top, path, make=False) as folder:
        name = path.rpartition(b"/")[2]
        status = None if folder is None else _status(name, folder)
        if status is None:
            return True
        if _present(name, status, folder) != saved:
            return False
        os.unlink(name, dir_fd=folder)
    for above in reversed(list(_above(path))):
        if not _remove_if_empty(top, above):
            break
    return True


def _remove_if_empty(top: int, path: bytes) -> bool:
    with _folder_of(top, path, make=False) as folder:
        try:
            os.rmdir(path.rpartition(b"/")[2], dir_fd=folder)
        except OSError:  # something is in it, or it is gone by now
            return False
        return True


def _write(top: int, path: bytes, todo: Plan, read: Read) -> bool:
    """Put a file in the place of nothing, or of what was saved of it; False where anything else is there."""
    entry = todo.wanted[path]
    with _folder_of(top, path, make=True) as folder:
        if folder is None:
            return False
        name = path.rpartition(b"/")[2]
        status = _status(name, folder)
        if status is not None and stat.S_ISDIR(status.st_mode):
            return _clear(name, folder) and _place(folder, name, entry, None, read)
        present = None if status is None else _present(name, status, folder)
        if present == entry:
            return True
        is_free = status is None or (present is not None and present == todo.saved.get(path))
        return is_free and _place(folder, name, entry, status, read)


def _clear(name: bytes, folder: int) -> bool:
    """Remove a folder that holds nothing but folders."""
    try:
        for _, folders, _, place in os.fwalk(name, topdown=False, dir_fd=folder):
            for inner in folders:
                os.rmdir(inner, dir_fd=place)
        os.rmdir(name, dir_fd=folder)
    except OSError as fault:
        if fault.errno not in (errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        return False
    return True


def _place(folder: int, name: bytes, entry: Entry, before: os.stat_result | None, read: Read) -> bool:
    # Named after the file: whoever does it again after a kill meets the same name, and leaves none behind.
    draft = LEFTOVER + hashlib.sha256(name).hexdigest()[:16].encode("ascii")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)
    if entry.mode == LINK:
        os.symlink(read(entry.oid), draft, dir_fd=folder)
    else:
        _write_draft(folder, draft, read(entry.oid), _permissions(entry, before))
    os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def _write_draft(folder: int, draft: bytes, data: bytes, permissions: int) -> None:
    fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE, dir_fd=folder)
    try:
        write_all(fd, data)
        os.fchmod(fd, permissions)
    finally:
        os.close(fd)


def _permissions(entry: Entry, before: os.stat_result | None) -> int:
    """Those of a new file by the umask, or of the one that is replaced; whoever may read may run what can be run."""
    mode = 0o666 & ~_umask() if before is None or not stat.S_ISREG(before.st_mode) else stat.S_IMODE(before.st_mode)
    return mode | (mode & 0o444) >> 2 if entry.mode == RUNNABLE else mode & ~0o111


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _folder_of(top: int, path: bytes, *, make: bool) -> Iterator[int | None]:
    """The folder that a file lies in, reached without following a link; None where there is none."""
    with contextlib.ExitStack() as held:
        folder: int | None = top
        for name in path.split(b"/")[:-1]:
            folder = _step(folder, name, make=make)
            if folder is None:
                break
            held.callback(os.close, folder)
        yield folder


def _step(folder: int | None, name: bytes, *, make: bool) -> int | None:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
    try:
        return os.open(name, _OPEN_FOLDER, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        if fault.errno != errno.ELOOP:
            raise
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
