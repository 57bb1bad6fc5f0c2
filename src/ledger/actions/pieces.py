"""Pieces: work on many commits in their order, on all processors where they are many."""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ledger.actions.lineage import Lineage
from ledger.storage.git import GitStore

Done = TypeVar("Done")
Work = Callable[[Lineage, Sequence[bytes]], Done]

# A piece takes about a tenth of a second; fewer than so many are done before a second process has started.
_PIECE = 1_000
_WORTH_SHARING = 4 * _PIECE
_PROCESSES_AT_MOST = 8


def in_pieces(lineage: Lineage, order: Sequence[bytes], work: Work[Done]) -> Iterator[tuple[range, Done]]:
    """What `work` makes of each piece of `order`, in that order, with the places in `order` that it holds.

    `work` may run in a process of its own: what it changes stays there, and what it gives back is copied.
    """
    pieces = [range(at, min(at + _PIECE, len(order))) for at in range(0, len(order), _PIECE)]
    is_shared = len(order) >= _WORTH_SHARING and _may_fork(lineage)
    alone = functools.partial(_worked, lineage, order, work)
    done = _shared(lineage, order, work, pieces) if is_shared else map(alone, pieces)
    yield from zip(pieces, done, strict=True)


def _worked(lineage: Lineage, order: Sequence[bytes], work: Work[Done], piece: range) -> Done:
    return work(lineage, order[piece.start : piece.stop])


def _shared(lineage: Lineage, order: Sequence[bytes], work: Work[Done], pieces: Sequence[range]) -> Iterator[Done]:
    processes = min(os.cpu_count() or 1, _PROCESSES_AT_MOST)
    with multiprocessing.get_context("fork").Pool(processes, _start, (lineage, order, work)) as pool:
        yield from pool.imap(_inherited_work, pieces)
        pool.close()
        pool.join()


def _may_fork(lineage: Lineage) -> bool:
    # A fork carries over one thread only: with others alive, a lock that one of them holds would stay held.
    is_alone = threading.active_count() == 1
    return is_alone and isinstance(lineage.store, GitStore) and "fork" in multiprocessing.get_all_start_methods()


# What a process of the pool works on. It is inherited with the fork, as it may hold a million ids; no process
# but those of a pool has any.
_inherited: list[tuple[Lineage, Sequence[bytes], Work[object]]] = []


def _start(lineage: Lineage, order: Sequence[bytes], work: Work[object]) -> None:
    if isinstance(lineage.store, GitStore):
        # libgit2's handles belong to the process that opened them.
        lineage.store = GitStore(lineage.store.path)
    _inherited.append((lineage, order, work))


def _inherited_work(piece: range) -> object:
    return _worked(*_inherited[0], piece)
