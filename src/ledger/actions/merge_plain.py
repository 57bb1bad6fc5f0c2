"""Merge plain: two lines of an ordinary clone made one, by the rule of the ledger, for `git merge`."""

from __future__ import annotations

from typing import cast

from ledger.actions.adopt import is_other_epoch
from ledger.actions.bring import require_sound
from ledger.actions.join import join
from ledger.actions.law import ObjectStore
from ledger.actions.tip import Author, tip_at
from ledger.core.fold import refuse_newer
from ledger.errors import NotFoundError, RefusedError
from ledger.storage.place import Place
from ledger.storage.plain import Plain, announce_merge, take_over
from ledger.storage.program import run_git
from ledger.storage.store import Oid
from ledger.storage.tree import TreeReader


def merge_plain(place: Place, plain: Plain, ours: str, theirs: str) -> Oid:
    """The commit of the merge; index and files are those of it, and git is told that it is to stand for its own.

    Raises, with all as it was, DamageError where one of their commits breaks the law, RefusedError for another ledger
    or epoch, for a newer fold, and for files that were changed by hand.
    """
    store = place.store
    before, other = tip_at(store, _commit(plain, ours)), tip_at(store, _commit(plain, theirs))
    refuse_newer(TreeReader(store, other.tree))
    if is_other_epoch(store, before.oid, other.oid):
        raise RefusedError("these are two epochs of one ledger, which cannot be merged", hint="clone it anew")
    if not store.merge_bases(before.oid, other.oid):
        raise RefusedError("these two histories have no common root: they are different ledgers")
    require_sound(cast("ObjectStore", store), [before.oid], other.oid)
    merged, _ = join(place, Author.person(place), before, other)
    take_over(plain, before.oid, merged.oid)
    announce_merge(plain, merged.oid)
    return merged.oid


def _commit(plain: Plain, name: str) -> Oid:
    ran = run_git(plain.git_dir, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"])
    if ran.code != 0:
        raise NotFoundError(f"there is no commit {name!r}")
    return ran.out.decode("ascii").strip()
