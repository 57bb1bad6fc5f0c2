"""Sweep: examine many commits, on all processors where they are many.

A commit is judged from the stored trees of its parents, so no commit waits for another one's verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ledger.actions.examine import Examiner, Problem
from ledger.actions.law import Law
from ledger.actions.lineage import Lineage
from ledger.actions.pieces import in_pieces
from ledger.errors import DamageError, LedgerError, NotFoundError

Progress = Callable[[int, int], None]


class Swept(NamedTuple):
    """What was found in one piece: the problems, and each commit's event id as 16 bytes (None: it carries none)."""

    problems: list[Problem]
    ids: list[bytes | None]


def sweep(lineage: Lineage, order: Sequence[bytes], progress: Progress | None = None) -> Iterator[Swept]:
    """Examine the commits in `order`, parents first; the pieces come in that order."""
    for piece, found in in_pieces(lineage, order, _sweep):
        yield found
        if progress is not None:
            progress(piece.stop, len(order))


def damage(oid: str, error: LedgerError) -> Problem:
    """The problem of a commit that cannot be read."""
    kind = "missing-object" if isinstance(error, NotFoundError) else "damaged-object"
    return Problem(kind, oid, None, error.message)


def _sweep(lineage: Lineage, piece: Sequence[bytes]) -> Swept:
    examiner = Examiner(Law(lineage.store))
    swept = Swept([], [])
    for raw in piece:
        oid = raw.hex()
        try:
            found = examiner.examine(oid, lineage.raw(raw))
        except (DamageError, NotFoundError) as error:
            swept.problems.append(damage(oid, error))
            swept.ids.append(None)
            continue
        swept.problems.extend(found.problems)
        swept.ids.append(None if found.event is None else bytes.fromhex(found.event.id.replace("-", "")))
    return swept
