"""Examine: all that can be wrong with one commit, given that its parents were examined before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.actions.epoch import state_digest
from ledger.actions.judge import judge, judge_read, judge_values
from ledger.actions.law import Law
from ledger.actions.tip import Tip, tip_at
from ledger.core import schema
from ledger.core.event import Event, from_message
from ledger.core.events import kind_of, subject_of
from ledger.core.ids import EventId
from ledger.core.state import LEDGER, POLICY, Reader
from ledger.errors import DamageError, InvalidError, LedgerError, NewerFormatError, NotFoundError, PolicyError
from ledger.storage.store import Oid

ROOTS = ("ledger.created", "epoch.started")
MERGE = "sync.merged"
UNCHECKED = "unchecked"  # nothing is known to be wrong; what it takes to tell is not installed

# The form in which a ledger writes commits: one order, times in UTC, no other header than a signature. Agent and host
# are free.
_FORM = re.compile(
    rb"tree ([0-9a-f]{40})\n"
    rb"((?:parent [0-9a-f]{40}\n)*)"
    rb"author [^<>\n\0]+ <([^<>\n\0]*)> (\d+) \+0000\n"
    rb"committer ledger <[^<>\n\0]*> (\d+) \+0000\n"
    rb"(?:gpgsig -----BEGIN SSH SIGNATURE-----\n(?: [A-Za-z0-9+/=]+\n){1,200} -----END SSH SIGNATURE-----\n)?\n"
)
# The fold is total on what the schemas accept. What they refuse may be met all the same: in a history that was
# tampered with, where the commit that carries it was named before.
_HOSTILE = (AttributeError, KeyError, TypeError, ValueError)

# The indent of a value nested 32 deep: below that no rule about depth can be broken.
_DEEP = b"\n" + b" " * 62

# A branch that forks off further back than this has its fork read from the store again.
_TIPS_KEPT = 8_192

_TREE = re.compile(rb"tree ([0-9a-f]{40})\n")


class Problem(NamedTuple):
    """One thing that is wrong: its kind (docs/reference/problems.md), the commit, the path in its tree, the words."""

    kind: str
    commit: Oid | None
    path: str | None
    detail: str


class Examined(NamedTuple):
    """A commit as it turned out: its problems; its event, if it carries one; its tree, if it names one.

    `tree` is the stored one also where the law wants another: what follows is judged step by step, so
    that a problem is named once, where it is, and not again at every commit above it.
    """

    problems: tuple[Problem, ...]
    event: Event | None = None
    tree: Oid | None = None


class _Form(NamedTuple):
    tree: Oid
    parents: tuple[Oid, ...]
    session: str
    happened: int
    written: int
    is_deep: bool


class Examiner:
    """Examines commits, parents first."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._tips: dict[Oid, Tip | None] = {}

    def examine(self, oid: Oid, raw: bytes) -> Examined:
        """Everything that is wrong with one commit. Never raises for what it finds."""
        found = self._examined(oid, raw)
        if len(self._tips) >= _TIPS_KEPT:
            del self._tips[next(iter(self._tips))]
        self._tips[oid] = _tip(oid, found)
        return found

    def _examined(self, oid: Oid, raw: bytes) -> Examined:
        form = _form(raw)
        if form is None:
            tree = _TREE.match(raw)
            problem = Problem("form", oid, None, "the commit's header is not one that a ledger writes")
            return Examined((problem,), None, tree[1].decode("ascii") if tree else None)
        message = raw.partition(b"\n\n")[2]
        try:
            event = from_message(message)
        except InvalidError as error:
            words = "; ".join(map(str, error.problems[:3]))
            problem = Problem("message", oid, None, f"not the canonical text of an event: {words}")
            return Examined((problem,), None, form.tree)
        parents = [self._tip_of(parent) for parent in form.parents]
        problems = [
            *_form_problems(oid, form, event),
            *_message_problems(oid, message, event),
            *_parent_problems(oid, form, event),
            *_order_problems(oid, event, parents),
            *self._tree_problems(oid, form, event, parents),
        ]
        return Examined(tuple(problems), event, form.tree)

    def _tip_of(self, oid: Oid) -> Tip | None:
        if oid in self._tips:
            return self._tips[oid]
        try:
            return tip_at(self._law.store, oid)
        except (DamageError, NotFoundError):
            return None

    def _tree_problems(self, oid: Oid, form: _Form, event: Event, parents: Sequence[Tip | None]) -> Iterator[Problem]:
        known = [tip for tip in parents if tip is not None]
        if len(known) != len(parents):
            return
        try:
            broken = list(self._judged(oid, event, known, form.is_deep))
            yield from broken or self._held_to_law(oid, form, event, known)
        except NewerFormatError as error:
            yield Problem("newer-format", oid, None, f"{error.message}: what it holds cannot be checked")
        except PolicyError as error:
            yield Problem(UNCHECKED, oid, None, f"not checked: {error.message}")
        except LedgerError as error:
            yield Problem("unverifiable", oid, None, f"its tree cannot be worked out: {error}")
        except _HOSTILE as error:
            yield Problem("unverifiable", oid, None, f"an event that its schema refuses is in the way ({error!r})")

    def _judged(self, oid: Oid, event: Event, parents: Sequence[Tip], is_deep: bool) -> Iterator[Problem]:
        reader = self._law.reader(parents[0].tree if parents else None)
        own_types = (reader.get(POLICY) or {}).get("types", {})
        # What a newer program wrote is kept and skipped: this one has no schema to judge its data by.
        is_foreign = kind_of(event) is None and event.type not in own_types
        judged = _envelope_rules if is_foreign else judge if is_deep else judge_read
        for path, rule in judged(event, reader):
            yield Problem("schema", oid, None, f"{path}: {rule}")

    def _held_to_law(self, oid: Oid, form: _Form, event: Event, parents: Sequence[Tip]) -> Iterator[Problem]:
        if event.type == "epoch.started" and not parents:
            yield from self._epoch_problems(oid, form.tree, event)
            return
        written = len(self._law.objects.written)
        expected, changes = self._law.tree_after(event, parents, self._tree_of)
        if expected != form.tree:
            yield from self._difference(oid, expected, form.tree)
        elif changes and parents:
            for path, rule in judge_values(changes, self._law.reader(parents[0].tree)):
                yield Problem("schema", oid, None, f"{path}: {rule}")
        yield from self._absent(oid, written)

    def _tree_of(self, oid: Oid) -> Oid:
        return self._law.store.commit(oid).tree

    def _difference(self, oid: Oid, expected: Oid | None, stored: Oid) -> Iterator[Problem]:
        paths = self._law.differing(expected, stored)
        if not paths:
            yield Problem("tree", oid, None, f"the tree is {stored}, not {expected}, though all files agree")
        for path in paths:
            if expected is None or self._law.file(expected, path) is None:
                yield Problem("unknown-file", oid, path, "no event puts this file into the tree")
            else:
                yield Problem("tree", oid, path, "is not what the events fold into")

    def _absent(self, oid: Oid, since: int) -> Iterator[Problem]:
        written, self._law.objects.written[since:] = self._law.objects.written[since:], []
        for kind, wanted in written:
            try:
                self._law.store.read_object(kind, wanted)
            except NotFoundError:
                yield Problem("missing-object", oid, None, f"{kind} {wanted} is not stored")
            except DamageError as error:
                yield Problem("damaged-object", oid, None, f"{kind} {wanted}: {error.message}")

    def _epoch_problems(self, oid: Oid, tree: Oid, event: Event) -> Iterator[Problem]:
        for _ in self._law.documents(tree, ""):
            pass  # each must be canonical text; the first that is not ends this
        digest = state_digest(self._law.store.files(tree))
        if digest != event.data.get("digest"):
            yield Problem("root", oid, None, f"the state that the epoch starts from has the digest {digest}")
        epoch = (self._law.document(tree, LEDGER) or {}).get("epoch")
        if epoch != event.data.get("epoch"):
            yield Problem("root", oid, LEDGER, f"says epoch {epoch}, the event says {event.data.get('epoch')}")


def _envelope_rules(event: Event, _: Reader) -> list[tuple[str, str]]:
    document = event.document()
    if schema.is_valid("envelope", document):
        return []
    return [(path, rule) for path, rule in schema.explain(schema.schema("envelope"), document)]


def _tip(oid: Oid, found: Examined) -> Tip | None:
    if found.event is None or found.tree is None:
        return None
    try:
        return Tip(oid, found.tree, EventId(found.event.id))
    except InvalidError:
        return None


def _form(raw: bytes) -> _Form | None:
    match = _FORM.match(raw)
    if match is None:
        return None
    tree, parents, session, happened, written = match.groups()
    return _Form(
        tree.decode("ascii"),
        tuple(parents.decode("ascii").split()[1::2]),
        session.decode("utf-8", "replace"),
        int(happened),
        int(written),
        _DEEP in raw,
    )


def _form_problems(oid: Oid, form: _Form, event: Event) -> Iterator[Problem]:
    try:
        happened, written = _seconds(event.time), EventId(event.id).millis // 1000
    except (ValueError, LedgerError) as error:
        yield Problem("schema", oid, None, str(error).splitlines()[0])
        return
    if form.session != event.session:
        yield Problem("form", oid, None, f"the author's session is {form.session!r}, the event's {event.session!r}")
    if form.happened != happened:
        yield Problem("form", oid, None, "the author's time is not the event's")
    if form.written != written:
        yield Problem("form", oid, None, "the committer's time is not that of the event's id")


def _seconds(time: str) -> int:
    # The form is the schema's to judge; here the moment counts.
    return max(int(datetime.fromisoformat(time).timestamp() // 1), 0)


def _message_problems(oid: Oid, message: bytes, event: Event) -> Iterator[Problem]:
    # The body is canonical, or it would not have been read; the subject follows from it, one way only. A type
    # that this program does not know had a subject of its own where it was written.
    first = message.partition(b"\n\n")[0].decode("utf-8", "replace")
    try:
        wanted = subject_of(event) if kind_of(event) is not None else first
    except _HOSTILE:
        wanted = first  # data that its schema refuses has no subject; the schema is what is named
    if first != wanted:
        yield Problem("subject", oid, None, f"the subject line is {first[:80]!r}, not {wanted!r}")
    for _, rule in schema.size_problems(message):
        yield Problem("size", oid, None, rule)


def _parent_problems(oid: Oid, form: _Form, event: Event) -> Iterator[Problem]:
    if event.type in ROOTS and form.parents:
        yield Problem("parents", oid, None, f"{event.type} starts a history, but has a parent")
    if not form.parents and event.type not in ROOTS:
        yield Problem("root", oid, None, f"a history starts with {' or '.join(ROOTS)}, not with {event.type}")
    if len(form.parents) > 1 and event.type != MERGE:
        yield Problem("parents", oid, None, f"{event.type} has {len(form.parents)} parents")
    if event.type == MERGE and form.parents != (event.data.get("ours"), event.data.get("theirs")):
        yield Problem("parents", oid, None, "the parents are not the two commits that the event names")


def _order_problems(oid: Oid, event: Event, parents: Sequence[Tip | None]) -> Iterator[Problem]:
    for tip in parents:
        if tip is not None and tip.id >= event.id:
            yield Problem("id-order", oid, None, f"its id {event.id} is not greater than its parent's, {tip.id}")
