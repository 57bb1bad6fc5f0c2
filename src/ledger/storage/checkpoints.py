"""Checkpoints: what keeps captured working trees, one branch a session in the sibling repository, and what they take.

Each branch is a chain, a commit a capture, so that `git log -p` shows how the working tree went on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from ledger.errors import BusyError
from ledger.storage.codec import encode_commit, tree_rows
from ledger.storage.files import refusals, write_file
from ledger.storage.git import GitStore
from ledger.storage.layout import CHECKPOINTS, Layout, checkpoint_ref
from ledger.storage.program import require_git
from ledger.storage.stats import Stats
from ledger.storage.store import Commit, Oid, Signature

_AUTHOR = "ledger"


class Checkpoints:
    """The working trees that a ledger keeps; whoever changes them holds `Layout.checkpoint_lock`."""

    def __init__(self, store: GitStore, layout: Layout) -> None:
        self.store, self._size = store, layout.checkpoints_size

    def newest(self, session: str) -> Commit | None:
        """The last capture of a session, or None."""
        tip = self.store.ref(checkpoint_ref(session))
        return None if tip is None else self.store.commit(tip)

    def trusted(self, stats: Stats) -> Stats:
        """What was remembered of a working tree, if the blobs and trees that it names are kept still; else nothing."""
        tip = self.store.ref(stats.ref) if stats.ref else None
        if tip is None or not self.store.has(stats.commit):
            return Stats()
        return stats if tip == stats.commit or self.store.is_ancestor(stats.commit, tip) else Stats()

    def keep(self, session: str, tree: Oid, words: str, seconds: int) -> tuple[str, Oid]:
        """Put a captured tree on the session's branch, unless it is its last one; the branch and its tip.

        Raises BusyError where somebody else moved the branch.
        """
        ref, last = checkpoint_ref(session), self.newest(session)
        if last is not None and last.tree == tree:
            return ref, last.oid
        who = Signature(_AUTHOR, "", max(seconds, 0 if last is None else last.committer.time))
        raw = encode_commit(tree, () if last is None else (last.oid,), who, who, f"{words}\n".encode())
        oid = self.store.write_commit(raw)
        if not self.store.move_ref(ref, oid, None if last is None else last.oid):
            raise BusyError(f"{ref} of the checkpoints was moved by somebody else", hint="try again")
        return ref, oid

    def sessions(self) -> list[str]:
        """The sessions that have working trees here, first those whose last one is the oldest."""
        refs = self.store.refs(CHECKPOINTS)
        return [ref.removeprefix(CHECKPOINTS) for ref in sorted(refs, key=lambda ref: self._moment(refs[ref]))]

    def let_go(self, session: str) -> None:
        """Keep none of a session's working trees any longer; maintenance takes them away in two weeks."""
        ref = checkpoint_ref(session)
        self.store.move_ref(ref, None, self.store.ref(ref))

    def holding(self, blobs: Collection[Oid], is_held: Callable[[bytes], bool]) -> set[Oid]:
        """The captures with one of these blobs in their tree, or with a file or folder of a name that `is_held`."""
        captures = [self.store.commit(oid) for tip in self.store.refs(CHECKPOINTS).values() for oid in self._chain(tip)]
        held = self._trees_with(blobs, is_held, (capture.tree for capture in captures))
        return {capture.oid for capture in captures if capture.tree in held or is_held(capture.message)}

    def without(self, captures: Collection[Oid]) -> Iterator[tuple[str, Oid, Oid | None]]:
        """Each branch that has one of these captures, with its tip and what its tip is once they are left out.

        What is kept is committed again, as their trees were; no branch is moved.
        """
        for ref, tip in self.store.refs(CHECKPOINTS).items():
            chain = self._chain(tip)
            if not captures or set(captures).isdisjoint(chain):
                continue
            last: Oid | None = None
            for one in (self.store.commit(oid) for oid in reversed(chain) if oid not in captures):
                parents = () if last is None else (last,)
                raw = encode_commit(one.tree, parents, one.author, one.committer, one.message)
                last = self.store.write_commit(raw)
            yield ref, tip, last

    def size(self) -> int:
        """The bytes that all working trees take at most: as measured last, and what was read since."""
        try:
            return int(self._size.read_text(encoding="ascii"))
        except (OSError, ValueError):  # a projection: without it they are measured
            return self.measure()

    def add_size(self, read: int) -> None:
        """Count in what was read for one more capture; it takes less where it compresses or is known."""
        if read:
            self._remember(self.size() + read)

    def measure(self) -> int:
        """The bytes that all working trees take on the disk, which `size` knows from now on."""
        size = disk_usage(self.store.path)
        self._remember(size)
        return size

    def _remember(self, size: int) -> None:
        with refusals(self._size):
            write_file(self._size, f"{size}\n".encode("ascii"), durable=False)

    def _chain(self, tip: Oid) -> list[Oid]:
        """The captures of a branch, the newest first."""
        return require_git(self.store.path, ["rev-list", tip]).decode("ascii").split()

    def _trees_with(
        self, blobs: Collection[Oid], is_held: Callable[[bytes], bool], roots: Iterable[Oid]
    ) -> Collection[Oid]:
        """Every tree below these that has one of the blobs, or a name that `is_held`, at any depth."""
        above: dict[Oid, set[Oid]] = defaultdict(set)
        held, seen, to_see = set(blobs), set[Oid](), list(roots)
        while to_see:
            tree = to_see.pop()
            if tree in seen:
                continue
            seen.add(tree)
            for mode, name, digest in tree_rows(tree, self.store.read_object("tree", tree)):
                above[digest.hex()].add(tree)
                to_see += [digest.hex()] if mode == b"40000" else []
                held |= {tree} if is_held(name) else set()
        to_see = list(held)
        while to_see:
            fresh = above[to_see.pop()] - held
            held |= fresh
            to_see += fresh
        return held

    def _moment(self, oid: Oid) -> int:
        return self.store.commit(oid).committer.time


def disk_usage(git_dir: Path) -> int:
    """The bytes that all working trees in a repository take: git walks them all, 0.1 s for 20,000 files."""
    return int(require_git(git_dir, ["rev-list", "--objects", "--disk-usage", f"--glob={CHECKPOINTS}*"]))
