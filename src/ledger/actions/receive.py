"""Receive: judge a push on the server, before any ref moves; every reason against it, or none.

What is judged is what `verify` judges, and besides who signed and whether it is theirs to write. Main goes forward
only. A later epoch comes by a ref of its own, `refs/epoch/N`, from an administrator; then the server moves main.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, cast

from ledger.actions.adopt import is_other_epoch, require_successor
from ledger.actions.attachments import refusals
from ledger.actions.epoch import STARTED, epoch_of, root_of
from ledger.actions.examine import MERGE
from ledger.actions.law import ObjectStore
from ledger.actions.lineage import Lineage
from ledger.actions.sweep import sweep
from ledger.actions.tip import event_id, event_of
from ledger.core.access import Access, Person
from ledger.core.clock import MAX_AHEAD
from ledger.core.fold import refuse_newer
from ledger.core.ids import EventId, SessionId
from ledger.errors import LedgerError
from ledger.storage.git import GitStore
from ledger.storage.layout import ATTACHMENTS, MAIN
from ledger.storage.payloads import attachments_in
from ledger.storage.signing import Signed, is_good, taken_apart
from ledger.storage.store import Oid
from ledger.storage.tree import TreeReader

SHOWN = 10  # reasons that are told

_GONE = "0" * 40
_EPOCH = re.compile(r"refs/epoch/([1-9][0-9]{0,8})")


class Update(NamedTuple):
    """One ref that a push wants to move; 40 zeros stand for a ref that is not there before, or after."""

    old: Oid
    new: Oid
    ref: str


class _Told(NamedTuple):
    oid: Oid
    signed: Signed | None
    signer: Person | None
    reason: str | None


def receive(store: GitStore, updates: Sequence[Update], access: Access, user: str, now: int) -> list[str]:
    """Every reason why a push must not be taken, the first ten of each ref; none where it may.

    `store` has the objects of the push; `user` is how the transport calls who pushes, "" where it does not say; `now`
    in microseconds since 1970.
    """
    reasons: list[str] = []
    for update in updates:
        try:
            reasons += islice(_Reception(store, access, user, now).reasons(update), SHOWN)
        except LedgerError as error:
            reasons.append(" ".join(error.message.split()))
    return reasons


def moved_by_epoch(store: GitStore, ref: str, new: Oid) -> Update | None:
    """How main is to be moved once the next epoch has come in by a ref of its own; None for any other ref."""
    main = store.ref(MAIN)
    if not _EPOCH.fullmatch(ref) or main is None or main not in root_of(store, new).superseded:
        return None
    return Update(main, new, MAIN)


class _Reception:
    """One judgement of one ref."""

    def __init__(self, store: GitStore, access: Access, user: str, now: int) -> None:
        self._store, self._access, self._user, self._now = store, access, user, now

    def reasons(self, update: Update) -> Iterator[str]:
        if update.new == _GONE:
            yield f"{update.ref} cannot be deleted: a ledger only grows"
        elif update.ref == MAIN:
            yield from self._main(update)
        elif _EPOCH.fullmatch(update.ref):
            yield from self._epoch(update)
        elif update.ref.startswith(ATTACHMENTS):
            yield from self._attachments(update)
        else:
            yield f"{update.ref} has no place here: only main goes from one machine to another"

    def _main(self, update: Update) -> Iterator[str]:
        event_id(self._store.commit(update.new))
        refuse_newer(TreeReader(self._store, self._store.commit(update.new).tree))
        known = [] if update.old == _GONE else [update.old]
        if known and is_other_epoch(self._store, update.old, update.new):
            here, there = (epoch_of(self._store, oid) for oid in (update.old, update.new))
            yield f"this is epoch {there}, and here it is epoch {here}: sync, so that what is new there comes along"
            return
        if known and not self._store.merge_bases(update.old, update.new):
            yield "this is another ledger: its history and this one have no commit in common"
            return
        if known and not self._store.is_ancestor(update.old, update.new):
            yield "main goes forward only: what is here already is not part of it; sync first"
            return
        yield from self._commits(update.new, known, person=None)

    def _epoch(self, update: Update) -> Iterator[str]:
        main = self._store.ref(MAIN)
        if main is None:
            yield "there is no ledger here yet: push main"
            return
        root = require_successor(self._store, main, update.new)
        if update.ref != f"refs/epoch/{root.number}" or root.number <= epoch_of(self._store, main):
            yield f"{update.ref} is not the place of epoch {root.number}"
        if main not in root.superseded:
            yield f"epoch {root.number} does not name where main is here: sync first, then begin it again"
        told = self._told(root.oid, self._store.commit_raw(root.oid))
        person = told.signer or self._access.by_user(self._user)
        if person is None or not person.is_administrator:
            who = "whoever pushes this" if person is None else person.name
            yield f"{who} may not begin an epoch here: access.toml names the administrators"
            return
        yield from self._commits(update.new, [main], person)

    def _attachments(self, update: Update) -> Iterator[str]:
        """What events that are here name, and nothing else; whoever may write the events may give what they name."""
        session, main = update.ref.removeprefix(ATTACHMENTS), self._store.ref(MAIN)
        known = [] if update.old == _GONE else [update.old]
        if not SessionId.form.fullmatch(session) or main is None:
            yield f"{update.ref} is of no session that is known here"
            return
        if known and not self._store.is_ancestor(update.old, update.new):
            yield f"{update.ref} goes forward only: sync first"
            return
        files: dict[str, Oid] = {}
        for commit in self._store.walk([update.new], known):
            files |= attachments_in(self._store, commit.oid)
        for path, oid in attachments_in(self._store, update.old).items() if known else ():
            files.pop(path, None) if files.get(path) == oid else None

        def read(oid: Oid) -> bytes:
            return self._store.read_object("blob", oid)

        yield from map(str, refusals(self._store, main, session, files, read))

    def _commits(self, new: Oid, known: Sequence[Oid], person: Person | None) -> Iterator[str]:
        lineage = Lineage(cast("ObjectStore", self._store))
        order = lineage.order_since([new], known)
        is_sound = True
        for swept in sweep(lineage, order):
            for one in swept.problems:
                is_sound = False
                yield f"{one.kind} {(one.commit or '')[:10]} {one.path or ''}".rstrip() + f": {one.detail}"
        if not is_sound:
            return
        oids = [digest.hex() for digest in order]
        for oid in oids:
            yield from self._ahead(oid)
        if self._access.people or self._access.needs_signature:
            yield from self._rights(oids, person)

    def _ahead(self, oid: Oid) -> Iterator[str]:
        ahead = EventId(event_id(self._store.commit(oid))).millis - self._now // 1000
        if ahead > MAX_AHEAD:
            yield f"{oid[:10]} is dated {ahead // 86_400_000} days from now: a clock is wrong, there or here"

    def _rights(self, order: Sequence[Oid], person: Person | None) -> Iterator[str]:
        """Who signed what, and whether it is theirs; with `person`, an administrator, only that all is signed well."""
        with ThreadPoolExecutor(max_workers=4) as pool:  # each check waits for a process
            # A store belongs to one thread: it is read here, and only the signatures are checked beside.
            raws = [(oid, self._store.commit_raw(oid)) for oid in order]
            for told in pool.map(lambda one: self._told(*one), raws):
                if told.reason is not None:
                    yield told.reason
                elif person is None:
                    yield from self._theirs(told)

    def _told(self, oid: Oid, raw: bytes) -> _Told:
        signed = taken_apart(raw)
        if signed is None:
            is_allowed = not self._access.needs_signature
            reason = None if is_allowed else f"{oid[:10]} is not signed, and here every commit has to be"
            return _Told(oid, None, None, reason)
        signer = self._access.by_key(signed.key)
        if signer is None and self._access.people:
            return _Told(oid, signed, None, f"{oid[:10]} is signed by a key that is not known here")
        if not is_good(signed):
            return _Told(oid, signed, None, f"{oid[:10]} has a signature that is not of what it signs")
        return _Told(oid, signed, signer, None)

    def _theirs(self, told: _Told) -> Iterator[str]:
        commit = self._store.commit(told.oid)
        if not self._access.people:
            return
        person = told.signer or self._access.by_user(self._user)
        if person is None:
            by = f"user {self._user!r}" if self._user else "nobody in particular"
            yield f"{told.oid[:10]} is not signed, and comes from {by}, who may write nothing here"
            return
        kind = commit.message.partition(b" ")[0].decode("utf-8", "replace")
        if kind in (MERGE, STARTED):  # what they do to the state follows from what they join
            return
        for problem in person.problems(event_of(commit), commit.author.name):
            yield f"{told.oid[:10]} {problem}"
