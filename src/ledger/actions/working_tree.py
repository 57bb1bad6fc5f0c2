"""Working tree: keep the code for a checkpoint, within the budget, and without what must not be kept."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

from ledger.actions.ignoring import covers_at
from ledger.actions.roster import all_sessions
from ledger.errors import DamageError, NotFoundError, RefusedError, StorageError
from ledger.storage import capture, opening
from ledger.storage.capture import Captured, Look, Rules, Skipped
from ledger.storage.checkpoints import Checkpoints
from ledger.storage.codec import object_id, tree_rows
from ledger.storage.config import Config, read_config
from ledger.storage.layout import Layout
from ledger.storage.nesting import Entry, Put, read_tree
from ledger.storage.payloads import PayloadStore
from ledger.storage.place import Place
from ledger.storage.pressure import LOW, keeps_attachments
from ledger.storage.program import require_git, run_git
from ledger.storage.stats import Stats, read_stats, write_stats
from ledger.storage.store import Kind, Oid

NO_TREE = "no working tree of git begins there"
NO_PLACE = "a ledger in memory keeps no working trees"
NO_ROOM = "there is no room: `checkpoints.max_bytes` in config.toml says how much all working trees may take"
OFF = "`checkpoints.max_bytes` in config.toml is 0"
LONGEST = 512  # characters of a reason

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a working tree: the tree that holds it, or why it is `missing`.

    `is_new` says whether the session's last one was another, or no event names that; `head` is the commit checked out,
    "" where there is none. `stats` is for `remember`, None where nothing is new.
    """

    tree: Oid | None = None
    head: str = ""
    files: int = 0
    skipped: int = 0
    bytes: int = 0
    missing: str = ""
    is_new: bool = False
    stats: Stats | None = None


class Saved(NamedTuple):
    """A working tree that is kept: the tree of its files, each by its path, what was left out, and its submodules."""

    tree: Oid
    entries: dict[bytes, Entry]
    skipped: tuple[Skipped, ...]
    modules: Mapping[str, Oid]


def keep(place: Place, session: str, worktree: Path, words: str, progress: Progress | None = None) -> Kept:
    """Capture a working tree onto the session's branch in the sibling repository, synced; `words` say why.

    `progress` is told how many files were read, of how many. Whoever calls holds `Layout.checkpoint_lock`. What keeps
    it from being captured is said, and no error: outside of git, with a repository that git cannot read, without room,
    with too many files. Raises StorageError where the ledger's own disk refuses.
    """
    if place.layout is None or place.payloads is None:
        return Kept(missing=NO_PLACE)
    return _Keeping(place, place.layout, place.payloads, worktree).run(session, words, progress)


def remember(place: Place, worktree: Path | None, kept: Kept) -> None:
    """Note what the files were, once an event names the tree: till then the next capture has it for a new one."""
    if place.layout is not None and worktree is not None and kept.stats is not None:
        write_stats(place.layout.stats_of(worktree.resolve()), kept.stats)


def see(place: Place, worktree: Path, put: Put = capture.hash_only) -> Captured:
    """The working tree as it is now, without keeping anything; `put` is given what is new since the last time.

    Raises RefusedError where no working tree begins there, or one of too many files, StorageError where git cannot
    read the project.
    """
    if place.layout is None or place.payloads is None:
        raise RefusedError(NO_PLACE)
    keeping = _Keeping(place, place.layout, place.payloads, worktree)
    seen = keeping.look()
    if seen is None:
        raise RefusedError(f"{worktree}: {NO_TREE}", hint="`--to DIR` names another folder")
    return capture.take(seen, keeping.rules, put)


def load(place: Place, tree: Oid) -> Saved:
    """What a captured tree holds; raises NotFoundError for one that is not kept any longer, DamageError."""
    if place.payloads is None or not place.payloads.store.has(tree):
        raise NotFoundError(
            f"the working tree {tree[:10]} is not kept any longer: it made room for others, held what was forgotten, "
            "or is of another machine",
            hint="`checkpoints.max_bytes` in config.toml says how much room there is",
        )
    store = place.payloads.store
    rows = {name: digest.hex() for _, name, digest in tree_rows(tree, store.read_object("tree", tree))}
    try:
        skipped, modules = capture.read_about(store.read_object("blob", rows[capture.ABOUT]))
        files = rows[capture.FILES]
    except (KeyError, TypeError, ValueError) as fault:
        raise DamageError(f"the tree {tree} is no captured working tree", hint="run: ledger verify --full") from fault
    return Saved(files, dict(read_tree(store, files)), skipped, modules)


def size_of(place: Place, saved: Saved) -> int:
    """The bytes of all files of a working tree that is kept."""
    if place.payloads is None:
        return 0
    listed = require_git(place.payloads.store.path, ["ls-tree", "-r", "-l", "-z", saved.tree])
    return sum(int(row.split(b"\t")[0].split()[3]) for row in listed.split(b"\0") if row)


def room(place: Place, layout: Layout) -> tuple[int, int]:
    """The bytes that all working trees take at most, and how many they may."""
    taken = 0 if place.payloads is None else Checkpoints(place.payloads.store, layout).size()
    return taken, read_config(layout.config).max_checkpoints


class _Keeping:
    """One capture of one working tree."""

    def __init__(self, place: Place, layout: Layout, payloads: PayloadStore, worktree: Path) -> None:
        self.place, self.layout, self.store, self.worktree = place, layout, payloads.store, worktree
        self.checkpoints = Checkpoints(payloads.store, layout)
        self.config = read_config(layout.config)
        self.rules = _rules(place, self.config, worktree)
        self.known = self.checkpoints.trusted(read_stats(layout.stats_of(worktree.resolve())))

    def look(self) -> Look | None:
        return capture.look(self.worktree, self.rules, self.known, leave_out=self.layout.root)

    def run(self, session: str, words: str, progress: Progress | None) -> Kept:
        if not self.config.max_checkpoints:
            return Kept(missing=OFF)
        if not keeps_attachments(self.layout):
            return Kept(missing=LOW)
        try:
            seen = self.look()
        except (RefusedError, StorageError) as error:  # git's own words on the project's repository, or too many files
            return Kept(missing=error.message[:LONGEST])
        if seen is None:
            return Kept(missing=NO_TREE)
        if not self._has_room(seen):
            return Kept(missing=NO_ROOM)
        last = self.checkpoints.newest(session)
        with self.store.bulk():
            done = capture.take(seen, self.rules, self._telling(progress, len(seen.changed)))
        ref, tip = self.checkpoints.keep(session, done.tree, words, self.place.now() // 1_000_000)
        self.checkpoints.add_size(done.bytes)
        stats = done.stats.kept_by(ref, tip)
        is_named = self.known.ref not in ("", ref) or self.known.commit == tip
        return Kept(
            tree=done.tree,
            head=_head(self.worktree),
            files=len(done.entries),
            skipped=len(done.skipped),
            bytes=done.bytes,
            is_new=last is None or last.tree != done.tree or not is_named,
            stats=None if stats == self.known else stats,  # to write those of 20,000 files takes 50 ms
        )

    def _telling(self, progress: Progress | None, total: int) -> Put:
        read = count(1)

        def put(kind: Kind, data: bytes) -> Oid:
            if kind == "blob" and progress is not None:
                progress(next(read), total)
            return self.store.write_object(kind, data)

        return put

    def _has_room(self, seen: Look) -> bool:
        """Whether what is new fits; for it the working trees of ended sessions are let go, the oldest first."""
        most = self.config.max_checkpoints
        if self.checkpoints.size() + seen.changed_bytes <= most:
            return True
        more, present = self._unknown_bytes(seen), all_sessions(self.place)
        ended = [session for session in self.checkpoints.sessions() if session not in present]
        while (size := self.checkpoints.measure() + more) > most and ended:
            self.checkpoints.let_go(ended.pop(0))
        return size <= most

    def _unknown_bytes(self, seen: Look) -> int:
        """The bytes of all that changed and is not here already, before compression; reads what changed."""
        sizes: dict[Oid, int] = {}

        def put(kind: Kind, data: bytes) -> Oid:
            oid = object_id(kind, data)
            sizes[oid] = 0 if self.store.has(oid) else len(data)
            return oid

        capture.take(seen, self.rules, put)
        return sum(sizes.values())


def _rules(place: Place, config: Config, worktree: Path) -> Rules:
    told = json.dumps([config.redaction_rules, config.redaction_allow], sort_keys=True)
    return Rules(
        covers=covers_at(place.layout, str(worktree)),
        secrets=functools.partial(_secrets, place),
        key=hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16],
    )


def _secrets(place: Place, text: str) -> frozenset[str]:
    found = place.redactor.text_with_findings(text)[1]
    return frozenset(text[one.start : one.end] for one in found)


def _head(worktree: Path) -> str:
    git_dir = opening.own_git_folder(worktree)
    ran = None if git_dir is None else run_git(git_dir, ["rev-parse", "--quiet", "--verify", "HEAD^{commit}"])
    found = "" if ran is None else ran.out.decode("ascii", "replace").strip()
    return found if len(found) == 40 else ""  # a project may be of SHA-256
