"""Sweep: examine many commits, on all processors where they are many.

A commit is judged from the stored trees of its parents, so no commit waits for another one's verdict.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ledger.actions.examine import Examiner, Problem
from ledger.actions.law import Law
from ledger.actions.lineage import Lineage
from ledger.errors import DamageError, LedgerError, NotFoundError
from ledger.storage.git import GitStore

# A piece takes about a fifth of a second; fewer than so many are done before a second process has started.
_PIECE = 1_000
_WORTH_SHARING = 4 * _PIECE
_PROCESSES_AT_MOST = 8

Progress = Callable[[int, int], None]


class Swept(NamedTuple):
    """What was found in one piece: the problems, and each commit's event id as 16 bytes (None: it carries none)."""

    problems: list[Problem]
    ids: list[bytes | None]


def sweep(lineage: Lineage, order: Sequence[bytes], progress: Progress | None = None) -> Iterator[Swept]:
    """Examine the commits in `order`, parents first; the pieces come in that order."""
    pieces = [range(at, min(at + _PIECE, len(order))) for at in range(0, len(order), _PIECE)]
    is_shared = len(order) >= _WORTH_SHARING and _may_fork(lineage)
    swept = _shared(lineage, order, pieces) if is_shared else map(functools.partial(_sweep, lineage, order), pieces)
    for piece, found in zip(pieces, swept, strict=True):
        yield found
        if progress is not None:
            progress(piece.stop, len(order))


def _shared(lineage: Lineage, order: Sequence[bytes], pieces: Sequence[range]) -> Iterator[Swept]:
    processes = min(os.cpu_count() or 1, _PROCESSES_AT_MOST)
    with multiprocessing.get_context("fork").Pool(processes, _start, (lineage, order)) as pool:
        yield from pool.imap(_sweep_inherited, pieces)
        pool.close()
        pool.join()


def damage(oid: str, error: LedgerError) -> Problem:
    """The problem of a commit that cannot be read."""
    kind = "missing-object" if isinstance(error, NotFoundError) else "damaged-object"
    return Problem(kind, oid, None, error.message)


def _sweep(lineage: Lineage, order: Sequence[bytes], piece: range) -> Swept:
    examiner = Examiner(Law(lineage.store))
    swept = Swept([], [])
    for number in piece:
        oid = order[number].hex()
        try:
            found = examiner.examine(oid, lineage.raw(order[number]))
        except (DamageError, NotFoundError) as error:
            swept.problems.append(damage(oid, error))
            swept.ids.append(None)
            continue
        swept.problems.extend(found.problems)
        swept.ids.append(None if found.event is None else bytes.fromhex(found.event.id.replace("-", "")))
    return swept


def _may_fork(lineage: Lineage) -> bool:
    # A fork carries over one thread only: with others alive, a lock that one of them holds would stay held.
    is_alone = threading.active_count() == 1
    return is_alone and isinstance(lineage.store, GitStore) and "fork" in multiprocessing.get_all_start_methods()


# What a process of the pool works on. It is inherited with the fork, as it may hold a million ids; no process
# but those of a pool has any.
_inherited: list[tuple[Lineage, Sequence[bytes]]] = []


def _start(lineage: Lineage, order: Sequence[bytes]) -> None:
    if isinstance(lineage.store, GitStore):
        # libgit2's handles belong to the process that opened them.
        lineage.store = GitStore(lineage.store.path)
    _inherited.append((lineage, order))


def _sweep_inherited(piece: range) -> Swept:
    lineage, order = _inherited[0]
    return _sweep(lineage, order, piece)
