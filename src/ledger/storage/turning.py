"""Turning: the change from one epoch to the next, so that a kill at any point leaves either the old one or the new.

While the file `turning` is there nobody writes. Once it holds a plan the new objects are on the disk and the change
is decided: whoever finds it left behind carries it out to the end. Without a plan nothing was done.
"""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from ledger.errors import DamageError
from ledger.storage.files import FILE_MODE, refusals, sync_folder, write_file
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.store import Oid


class Move(NamedTuple):
    """One ref that goes from `old` to `new`; None stands for "no such ref"."""

    ref: str
    old: Oid | None
    new: Oid | None


class Plan(NamedTuple):
    """What is decided: the refs that move in `ledger.git` and in `payloads.git`."""

    events: tuple[Move, ...]
    payloads: tuple[Move, ...] = ()


def begin_unless_begun(layout: Layout) -> None:
    """Let nobody begin to write; a writer who holds its lock already goes on to its end. A plan that is there stays."""
    with refusals(layout.turning):
        os.close(os.open(layout.turning, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))


def decide(layout: Layout, plan: Plan) -> None:
    """Put the plan on the disk: from here on it is carried out, whatever happens."""
    with refusals(layout.turning):
        write_file(layout.turning, f"{json.dumps(plan)}\n".encode(), durable=True)


def end(layout: Layout) -> None:
    """Let everybody write again."""
    with refusals(layout.turning):
        layout.turning.unlink(missing_ok=True)
        sync_folder(layout.root)


def is_turning(layout: Layout) -> bool:
    """Whether an epoch is giving way, or was when somebody was killed; asked by every write, so it costs one call."""
    return os.path.exists(layout.turning_path)  # noqa: PTH110 - a Path takes ten times as long


def plan_of(layout: Layout) -> Plan | None:
    """What is decided; None where nothing is. Raises DamageError for a plan that cannot be read."""
    try:
        data = layout.turning.read_bytes()
    except FileNotFoundError:
        return None
    if not data.strip(b"\0"):
        return None
    try:
        events, payloads = json.loads(data)
        return Plan(tuple(Move(*move) for move in events), tuple(Move(*move) for move in payloads))
    except (ValueError, TypeError) as fault:
        raise DamageError(
            f"{layout.turning} cannot be read: {fault}",
            hint="both epochs are whole: `git --git-dir=ledger.git log --all` shows them; then remove that file",
        ) from fault


def is_left(layout: Layout) -> bool:
    """Whether somebody was killed at it: the file is there, and nobody is at work."""
    return is_turning(layout) and not Lock(layout.epoch_lock).is_held()


def discard(layout: Layout) -> None:
    """Take back what was begun and not decided; does nothing once there is a plan."""
    if plan_of(layout) is None:
        with refusals(layout.turning):
            layout.turning.unlink(missing_ok=True)
