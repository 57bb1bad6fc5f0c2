"""Told: up to which commit each agent's session has been told of the others, how much, and who was where last.

Small files in `told/`, read by hooks that an agent waits for. A projection: without them an agent is told once more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ledger.core.ids import SessionId
from ledger.storage.files import make_folder, write_file
from ledger.storage.layout import Layout
from ledger.storage.store import Oid


class Told(NamedTuple):
    """What one session was told: all that main held at `tip` ("" for nothing yet), in so many texts and characters."""

    tip: Oid = ""
    times: int = 0
    characters: int = 0


def told_to(layout: Layout, session: str) -> Told:
    """What a session was told; what cannot be read counts as nothing."""
    with suppress(OSError, ValueError):
        tip, times, characters = layout.told_to(session).read_text(encoding="ascii").split()
        return Told(tip.strip("-"), int(times), int(characters))
    return Told()


def remember(layout: Layout, session: str, told: Told, worktree: Path | None = None) -> None:
    """Remember what a session was told, and that it was the last one in a worktree."""
    make_folder(layout.told)
    write_file(layout.told_to(session), f"{told.tip or '-'} {told.times} {told.characters}\n".encode(), durable=False)
    if worktree is not None:
        write_file(layout.told_in(worktree), f"{session}\n".encode(), durable=False)


def last_in(layout: Layout, worktree: Path) -> str | None:
    """The session that was told something last in a worktree, or None."""
    with suppress(OSError, ValueError):
        session = layout.told_in(worktree).read_text(encoding="ascii").strip()
        return session if SessionId.form.fullmatch(session) else None
    return None


def without_leases(layout: Layout) -> Oid:
    """The commit of main at which nobody held a lease, when that was last looked at; "" for none."""
    with suppress(OSError, ValueError):
        return layout.no_leases.read_text(encoding="ascii").strip()
    return ""


def remember_without_leases(layout: Layout, tip: Oid) -> None:
    """Remember that nobody holds a lease at a commit of main."""
    make_folder(layout.told)
    write_file(layout.no_leases, f"{tip}\n".encode(), durable=False)


def all_told(layout: Layout) -> Iterator[tuple[str, Told]]:
    """What every session was told."""
    with suppress(FileNotFoundError):
        names = sorted(os.listdir(layout.told))  # noqa: PTH208 - names are all that is wanted
        yield from ((name, told_to(layout, name)) for name in names if SessionId.form.fullmatch(name))
