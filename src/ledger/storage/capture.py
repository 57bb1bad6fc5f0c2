"""Capture: a working tree as git trees, every file as its bytes are, without a hand on the project's repository.

A capture has two steps. `look` lists the files and finds out which changed since last time, by their stat alone;
`take` reads those, leaves out what must not be kept, and puts blobs and trees.
"""

# Paths are bytes here, for a name need not be text, and a Path costs 2 to 5 µs a call.
# ruff: noqa: PTH115

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ledger.core.redaction.names import is_secret_name
from ledger.errors import RefusedError
from ledger.storage import codec, opening
from ledger.storage.listing import Listing, is_folder, list_files
from ledger.storage.nesting import FOLDER, LINK, PLAIN, RUNNABLE, Entry, Put, write_trees
from ledger.storage.program import run_git
from ledger.storage.stats import Seen, Stats, is_settled
from ledger.storage.store import Kind, Oid

MAX_FILE = 5 * 1024 * 1024  # bytes; a larger file is left out
MAX_FILES = 200_000  # 3 s a look
MAX_SEARCHED = 64 * 1024 * 1024  # bytes searched for secrets in one capture: 6 s; the next ones take more
LEFTOVER = b".ledger-restore-"  # how a file is named while it is being put back; a kill may leave one

FILES, ABOUT = b"files", b"about.json"

TOO_LARGE = "larger than 5 MiB"
TELLING_NAME = "its name is that of a secret"
TELLING_TEXT = "holds what looks like a secret"
IGNORED = "named by .ledgerignore"
NESTED = "a repository of its own"
ABSENT = "a submodule that is not checked out"
RESERVED = "git keeps such a name for itself"
NO_FILE = "neither a file nor a link"
UNSTEADY = "was being written"
UNSEARCHED = "not searched for secrets yet: too much is new at once"

_TRIES = 3
_SNIFFED = 8_000  # bytes in which git, too, looks for the NUL that tells of a binary file


class Skipped(NamedTuple):
    """A file, or a folder with all below it, that is there and not captured: why, and its size in bytes."""

    path: str
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left out besides large files: paths that `covers` names, texts in which there are `secrets`.

    `key` tells one set of rules from another, for what they decided is remembered.
    """

    covers: Callable[[str], bool] | None
    secrets: Callable[[str], frozenset[str]]
    key: str = ""


class _File(NamedTuple):
    path: bytes
    found: os.stat_result
    staged: Oid


@dataclass(frozen=True, slots=True)
class Look:
    """A working tree as its stats tell it: what is known from last time, and the files that must be read."""

    worktree: Path
    stats: Stats
    listing: Listing
    entries: dict[bytes, Entry] = field(default_factory=dict)
    skipped: dict[bytes, Skipped] = field(default_factory=dict)
    changed: list[_File] = field(default_factory=list)
    seen: dict[bytes, Seen] = field(default_factory=dict)
    started_ns: int = 0

    @property
    def changed_bytes(self) -> int:
        """The most that a capture may have to write, before compression."""
        return sum(file.found.st_size for file in self.changed)


@dataclass(frozen=True, slots=True)
class Captured:
    """A working tree as it was: `tree` holds `files`, the tree of its files, and `about.json` on what is not in it.

    `entries` are the files by path, `skipped` what was left out, `modules` the commits of submodules; `bytes` what
    was read anew. `stats` is for the next time, once something keeps the tree.
    """

    tree: Oid
    entries: Mapping[bytes, Entry]
    skipped: tuple[Skipped, ...]
    modules: Mapping[str, Oid]
    bytes: int
    stats: Stats


def look(worktree: Path, rules: Rules, stats: Stats, leave_out: Path | None = None) -> Look | None:
    """List the files of a working tree, and find those that changed; None where no worktree begins there.

    What `stats` was remembered under other rules is not trusted. Raises StorageError where git fails, RefusedError for
    more than MAX_FILES files.
    """
    started = time.time_ns()
    listing = list_files(worktree, leave_out)
    if listing is None:
        return None
    if len(listing.files) > MAX_FILES:
        raise RefusedError(
            f"{worktree} holds {len(listing.files):,} files, and no more than {MAX_FILES:,} are kept",
            hint="a .gitignore leaves out what is built or downloaded",
        )
    trusted = stats if stats.rules == rules.key else Stats()
    found = Look(worktree, trusted, listing, started_ns=started)
    for paths, reason in ((listing.nested, NESTED), (listing.absent, ABSENT)):
        found.skipped.update((path, Skipped(_text(path), reason, 0)) for path in paths)
    _Looking(found, rules).run()
    return found


def take(seen: Look, rules: Rules, put: Put) -> Captured:
    """Read what changed, and put its blobs and all trees that are new; what is known is taken to be kept still."""
    taking = _Taking(seen, rules, put)
    size = sum(taking.file(file) for file in seen.changed)
    _leave_out_torn(seen)
    trees = write_trees(seen.entries, put, seen.stats.folders)
    skipped = tuple(skip for _, skip in sorted(seen.skipped.items()))
    modules = {_text(path): oid for path, oid in sorted(seen.listing.modules.items())}
    about = put("blob", _about(skipped, modules))
    rows = [(PLAIN, ABOUT, bytes.fromhex(about)), (FOLDER, FILES, bytes.fromhex(trees[b""]))]
    stats = Stats(rules=rules.key, files=seen.seen, folders=trees)
    return Captured(put("tree", codec.join_tree(rows)), seen.entries, skipped, modules, size, stats)


def hash_only(kind: Kind, data: bytes) -> Oid:
    """Put nothing anywhere: the id that the object would have."""
    return codec.object_id(kind, data)


def read_about(raw: bytes) -> tuple[tuple[Skipped, ...], dict[str, Oid]]:
    """What the capture left out, and its submodules, from the bytes of its `about.json`."""
    told = json.loads(raw)
    return tuple(Skipped(*row) for row in told["skipped"]), told["modules"]


class _Looking:
    """One walk over what git listed."""

    def __init__(self, found: Look, rules: Rules) -> None:
        self.found, self.rules = found, rules
        self.top = os.fsencode(found.worktree)
        self.folders: dict[bytes, bool] = {b"": True}

    def run(self) -> None:
        for path, staged in self.found.listing.files.items():
            if not self._is_real(path.rpartition(b"/")[0]):
                continue  # below a link: what lies there belongs elsewhere
            try:
                status = os.lstat(self.top + b"/" + path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as fault:
                self._skip(path, f"cannot be read: {os.strerror(fault.errno or 0)}", 0)
                continue
            self._place(_File(path, status, staged))

    def _place(self, file: _File) -> None:
        if stat.S_ISDIR(file.found.st_mode) or LEFTOVER in file.path:
            return  # where a file was there is a folder now, whose files are listed; or a restoration was cut short
        reason = self._reason(file)
        if reason:
            self._skip(file.path, reason, file.found.st_size)
            return
        known = self.found.stats.files.get(file.path)
        if known is None or not known.fits(file.found, file.staged):
            self.found.changed.append(file)
            return
        self.found.seen[file.path] = known
        if known.reason:
            self._skip(file.path, known.reason, known.size)
        else:
            self.found.entries[file.path] = Entry(known.mode.encode("ascii"), known.oid)

    def _reason(self, file: _File) -> str:
        path = file.path.lower()
        if b".git" in path and b".git" in path.split(b"/"):
            return RESERVED
        if self.rules.covers is not None and self.rules.covers(_text(file.path)):
            return IGNORED
        if stat.S_ISLNK(file.found.st_mode):
            return ""
        if not stat.S_ISREG(file.found.st_mode):
            return NO_FILE
        return TOO_LARGE if file.found.st_size > MAX_FILE else ""

    def _skip(self, path: bytes, reason: str, size: int) -> None:
        self.found.skipped[path] = Skipped(_text(path), reason, size)

    def _is_real(self, folder: bytes) -> bool:
        known = self.folders.get(folder)
        if known is None:
            above = self._is_real(folder.rpartition(b"/")[0])
            known = self.folders[folder] = above and is_folder(self.top + b"/" + folder)
        return known


class _Taking:
    """One reading of the files that changed."""

    def __init__(self, seen: Look, rules: Rules, put: Put) -> None:
        self.seen, self.rules, self.put = seen, rules, put
        self.searched = 0

    def file(self, file: _File) -> int:
        """Read one file and decide over it; the bytes that were captured."""
        try:
            read = _read(os.fsencode(self.seen.worktree) + b"/" + file.path, file.found)
        except (FileNotFoundError, NotADirectoryError):  # gone since it was listed
            return 0
        except OSError as fault:
            return self._skip(file, f"cannot be read: {os.strerror(fault.errno or 0)}")
        if read is None:
            return self._skip(file, UNSTEADY)
        return self._data(file._replace(found=read[1]), read[0])

    def _data(self, file: _File, data: bytes) -> int:
        oid = codec.object_id("blob", data)
        # What the project's own repository has, byte for byte, is no secret that could leak any further.
        reason = "" if oid == file.staged else self._reason(file, data)
        if is_settled(file.found, self.seen.started_ns) and reason != UNSEARCHED:
            self.seen.seen[file.path] = _seen(file, "" if reason else oid, reason)
        if reason:
            return self._skip(file, reason)
        self.seen.entries[file.path] = Entry(_mode(file.found), self.put("blob", data))
        return len(data)

    def _reason(self, file: _File, data: bytes) -> str:
        if is_secret_name(_text(file.path)):
            return TELLING_NAME
        if b"\0" in data[:_SNIFFED]:
            return ""
        self.searched += len(data)
        if self.searched > MAX_SEARCHED:
            return UNSEARCHED
        found = self.rules.secrets(data.decode("utf-8", "replace"))
        return TELLING_TEXT if found and found - self._known(file) else ""

    def _known(self, file: _File) -> frozenset[str]:
        """The secrets in what the project's own repository has of the file: a test key in it says nothing new."""
        top = max((path for path in self.seen.listing.modules if file.path.startswith(path + b"/")), default=b"")
        git_dir = opening.own_git_folder(self.seen.worktree / os.fsdecode(top))
        if not file.staged or git_dir is None:
            return frozenset()
        ran = run_git(git_dir, ["cat-file", "blob", file.staged])
        return self.rules.secrets(ran.out.decode("utf-8", "replace")) if ran.code == 0 else frozenset()

    def _skip(self, file: _File, reason: str) -> int:
        self.seen.skipped[file.path] = Skipped(_text(file.path), reason, file.found.st_size)
        return 0


def _leave_out_torn(seen: Look) -> None:
    """Leave out what was a file at one moment and a folder at another: a tree holds only one of a name."""
    folders = {path.rpartition(b"/")[0] for path in seen.entries}
    for folder in {above for one in folders for above in _with_above(one)} & seen.entries.keys():
        del seen.entries[folder]
        seen.seen.pop(folder, None)
        seen.skipped[folder] = Skipped(_text(folder), UNSTEADY, 0)


def _with_above(folder: bytes) -> Iterator[bytes]:
    while folder:
        yield folder
        folder = folder.rpartition(b"/")[0]


def _read(path: bytes, found: os.stat_result) -> tuple[bytes, os.stat_result] | None:
    """The bytes of a file and its stat, once it stands still; None for one that is written all the time."""
    if stat.S_ISLNK(found.st_mode):
        target, after = os.readlink(path), os.lstat(path)
        return (target, after) if _same(found, after) else None
    for _ in range(_TRIES):
        data, before, after = _read_once(path)
        if _same(before, after) and stat.S_ISREG(after.st_mode) and len(data) == after.st_size:
            return data, after
    return None


def _read_once(path: bytes) -> tuple[bytes, os.stat_result, os.stat_result]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        before = os.fstat(fd)
        data = _bytes_of(fd) if stat.S_ISREG(before.st_mode) else b""
        return data, before, os.fstat(fd)
    finally:
        os.close(fd)


def _bytes_of(fd: int) -> bytes:
    with os.fdopen(fd, "rb", closefd=False) as file:
        return file.read(MAX_FILE + 1)


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return _times(before) == _times(after)


def _times(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _mode(found: os.stat_result) -> bytes:
    if stat.S_ISLNK(found.st_mode):
        return LINK
    return RUNNABLE if found.st_mode & stat.S_IXUSR else PLAIN


def _seen(file: _File, oid: Oid, reason: str) -> Seen:
    return Seen(*_times(file.found), file.staged, _mode(file.found).decode("ascii"), oid, reason)


def _about(skipped: tuple[Skipped, ...], modules: Mapping[str, Oid]) -> bytes:
    return json.dumps({"modules": modules, "skipped": skipped}, sort_keys=True).encode("ascii") + b"\n"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
