"""Clone: a ledger made from one that lies elsewhere, after every event of it was judged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ledger.actions.bring import require_sound
from ledger.actions.law import ObjectStore
from ledger.actions.tip import event_id
from ledger.core.fold import refuse_newer
from ledger.errors import DamageError, NotALedgerError, RefusedError
from ledger.storage import opening
from ledger.storage.exchanged import Exchanged, remember_exchanged
from ledger.storage.git import GitStore
from ledger.storage.heads import Heads
from ledger.storage.layout import MAIN, Layout
from ledger.storage.plain import check_out, clone_plain
from ledger.storage.remotes import Remote, add_remote, require_valid
from ledger.storage.store import Oid
from ledger.storage.transport import UnreachableError, fetch_all
from ledger.storage.tree import TreeReader

SECONDS = 3600.0  # for all of a long history


@dataclass(frozen=True, slots=True)
class Cloned:
    """The ledger that was made: its folder, main's head, and how many events it has."""

    root: Path
    main: Oid
    events: int


def clone(root: Path, remote: Remote, now: int) -> Cloned:
    """Make a ledger in the folder `root` of the one at the remote; `now` in microseconds since 1970.

    Raises, with nothing left behind, RefusedError where there is a folder already, and as `sync` does.
    """
    require_valid(remote.name, remote.url)
    if root.exists():
        raise RefusedError(
            f"{root} is there already", hint="in a ledger: ledger remote add NAME URL; then ledger sync NAME"
        )
    try:
        layout = opening.create(root)
        return _filled(layout, remote, now)
    except BaseException as error:
        shutil.rmtree(root, ignore_errors=True)
        _say_that_nothing_was_made(error)
        raise


def clone_with_files(top: Path, remote: Remote) -> Cloned:
    """Make an ordinary clone in the folder `top`, with the keys as files; raises as `clone` does."""
    require_valid(remote.name, remote.url)
    if top.exists() and (not top.is_dir() or any(top.iterdir())):
        raise RefusedError(f"{top} is there already, and not empty", hint="name a new folder")
    was_there = top.exists()
    try:
        plain, quarantined = clone_plain(remote, top, SECONDS)
        store = GitStore(plain.git_dir)
        try:
            oid = store.ref(quarantined) or ""
            events = _judged(store, oid, remote)
            for ref in (MAIN, f"refs/remotes/{remote.name}/main"):
                store.move_ref(ref, oid, None)
            store.move_ref(quarantined, None, oid)
        finally:
            store.close()
        check_out(plain)
        return Cloned(top, oid, events)
    except BaseException as error:
        shutil.rmtree(top, ignore_errors=True)
        if was_there:
            top.mkdir()
        _say_that_nothing_was_made(error)
        raise


def _say_that_nothing_was_made(error: BaseException) -> None:
    if isinstance(error, UnreachableError):  # a sync would be tried again by itself
        error.hint = "nothing was made; try again"


def _filled(layout: Layout, remote: Remote, now: int) -> Cloned:
    add_remote(layout.git_dir, remote)
    quarantined = fetch_all(layout.git_dir, remote, SECONDS)
    store = GitStore(layout.git_dir)
    try:
        oid = store.ref(quarantined) or ""
        events = _judged(store, oid, remote)
        store.move_ref(MAIN, oid, None)
        store.move_ref(quarantined, None, oid)
        Heads(layout.heads).remember(MAIN, oid)
        remember_exchanged(layout, remote.name, Exchanged(oid, now, now))
        return Cloned(layout.root, oid, events)
    finally:
        store.close()


def _judged(store: GitStore, oid: Oid, remote: Remote) -> int:
    try:
        event_id(store.commit(oid))
    except DamageError as error:
        raise NotALedgerError(
            f"{remote.shown} is no ledger: its main carries no event", hint="check the address"
        ) from error
    refuse_newer(TreeReader(store, store.commit(oid).tree))
    return require_sound(cast("ObjectStore", store), [], oid)
