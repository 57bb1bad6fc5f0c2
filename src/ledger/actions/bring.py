"""Bring: make a history that came from elsewhere part of main."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ledger.actions.adopt import adopt, is_other_epoch, require_successor
from ledger.actions.append import publish, stays_apart
from ledger.actions.examine import UNCHECKED
from ledger.actions.join import is_within
from ledger.actions.law import ObjectStore
from ledger.actions.lineage import Lineage
from ledger.actions.sweep import sweep
from ledger.actions.tip import Author, Tip, tip_at
from ledger.core.clock import MAX_AHEAD
from ledger.core.fold import refuse_newer
from ledger.core.state import key_of
from ledger.errors import BusyError, DamageError, NotFoundError, RefusedError
from ledger.storage.graph import fork
from ledger.storage.layout import MAIN, PRIVATE, session_of, session_ref
from ledger.storage.place import Place
from ledger.storage.store import EventStore, Oid
from ledger.storage.switches import SYNC, require_on
from ledger.storage.tree import TreeReader

_SHOWN = 10  # problems that an error names; `ledger verify` names all


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it: main's tip, how many commits are new in it, and the shared keys with new conflicts.

    `is_fast_forward` says that main had nothing of its own and no merge was needed; `epoch` is the later one that main
    is in now, if the history began one.
    """

    main: Oid
    commits: int = 0
    is_fast_forward: bool = False
    conflicts: tuple[str, ...] = ()
    epoch: int | None = None


def bring(place: Place, author: Author, oid: Oid) -> Brought:
    """Merge the history that ends at `oid` into main, by the law; does nothing where main holds it already.

    Its objects are in the store already, as after a `git fetch`. What the session had of its own comes along.
    Raises, with main as it was: DamageError if one of its commits breaks the law, NewerFormatError for a fold not
    known here, RefusedError for another ledger, for a history from the future, for what a policy that is not
    installed combines, for a private session, for what one wrote and while sync is off, NotFoundError if part of it
    is missing, BusyError.
    """
    require_on(place.layout, SYNC)
    if stays_apart(place, author):
        raise RefusedError("a private session brings nothing to main", hint="use another session: --session NAME")
    publish(place, author)
    store = place.store
    before, theirs = tip_at(store, store.ref(MAIN) or ""), tip_at(store, oid)
    if is_other_epoch(store, before.oid, oid):
        return _turned(place, author, before, theirs)
    apart = fork(store.commit, before.oid, oid)
    if is_within(store, oid, before.oid, apart):
        return Brought(before.oid)
    _refuse(place, before, theirs)
    new = require_sound(cast("ObjectStore", store), [before.oid], oid)
    _adopt(place, author, oid)
    main = place.store.ref(MAIN) or ""
    return Brought(main, new, main == oid, _conflicts(store, before.tree, store.commit(main).tree))


def _turned(place: Place, author: Author, before: Tip, theirs: Tip) -> Brought:
    """Go over to a later epoch, with what is our own."""
    layout, store = place.layout, place.store
    if layout is None:
        raise RefusedError("a ledger in memory stays in its epoch", hint="bring it to one that lies in a folder")
    require_successor(store, before.oid, theirs.oid)
    _refuse_foreign(place, before, theirs)
    new = require_sound(cast("ObjectStore", store), [before.oid], theirs.oid)
    keys = _conflicting(store, before.tree)
    done = adopt(place, layout, author, theirs.oid)
    conflicts = sorted(_conflicting(store, store.commit(done.main).tree) - keys)
    return Brought(done.main, new, not done.carried, tuple(conflicts), done.epoch)


def _conflicting(store: EventStore, tree: Oid) -> set[str]:
    return {str(key_of(path)) for path in store.paths(tree, "conflicts/")}


def _adopt(place: Place, author: Author, oid: Oid) -> None:
    """Take the history for the session's own line, and publish that: whoever is killed meanwhile goes on with it."""
    if not place.store.move_ref(session_ref(author.session), oid, None):
        raise BusyError("this session is writing at the same time", hint="try again")
    try:
        published = publish(place, author)
    except (NotFoundError, RefusedError):  # an epoch began at this moment: the history is of the one before
        place.store.move_ref(session_ref(author.session), None, oid)
        raise
    if published is None:
        place.store.move_ref(session_ref(author.session), None, oid)
        require_on(place.layout, SYNC)


def _refuse(place: Place, ours: Tip, theirs: Tip) -> None:
    refuse_newer(TreeReader(place.store, theirs.tree))
    if not place.store.merge_bases(ours.oid, theirs.oid):
        raise RefusedError(
            "these two histories have no common root: they are different ledgers, or epochs that began apart",
            hint="`ledger log` in each shows where it begins",
        )
    _refuse_foreign(place, ours, theirs)


def _refuse_foreign(place: Place, ours: Tip, theirs: Tip) -> None:
    """Refuse what must not come from elsewhere: the words of a private session, a newer fold, the future."""
    store = place.store
    refuse_newer(TreeReader(store, theirs.tree))
    _refuse_private(store, ours.oid, theirs.oid)
    ahead = theirs.id.millis - place.now() // 1000
    if ahead > MAX_AHEAD and not place.accepts_clock:
        raise RefusedError(
            f"this history ends {ahead // 86_400_000} days from now: it is held back, and nothing of it is lost",
            hint="set the clock of this machine, or of the one it comes from; then bring it again",
        )


def _refuse_private(store: EventStore, ours: Oid, theirs: Oid) -> None:
    # A plain `git push` or `fetch` of all refs carries private lines about, and an id can be of any commit.
    private = {session_of(ref) for ref in store.refs(PRIVATE)}
    if private and any(commit.author.email in private for commit in store.walk([theirs], [ours])):
        raise RefusedError(
            "this history holds what a private session wrote", hint="copy what all may see: ledger share KEY"
        )


def require_sound(store: ObjectStore, known: Sequence[Oid], oid: Oid) -> int:
    """How many commits are new behind those known; raises DamageError with what is wrong where one breaks the law.

    Raises RefusedError where what it takes to judge it is not installed.
    """
    lineage = Lineage(store)
    order = lineage.order_since([oid], known)
    problems = [problem for swept in sweep(lineage, order) for problem in swept.problems]
    if problems:
        shown = [f"  {p.kind} {p.commit or ''} {p.path or ''}: {p.detail}" for p in problems[:_SHOWN]]
        if all(problem.kind == UNCHECKED for problem in problems):
            raise RefusedError(
                "\n".join(["this history cannot be checked here:", *shown]), hint="install what it names"
            )
        raise DamageError(
            "\n".join([f"this history breaks the law in {len(problems)} places, main is left as it was:", *shown]),
            hint="run `ledger verify --full` where it comes from",
        )
    return len(order)


def _conflicts(store: EventStore, old: Oid, new: Oid) -> tuple[str, ...]:
    changed = [path for path in store.changed_paths(old, new) if path.startswith("conflicts/")]
    return tuple(str(key_of(path)) for path in changed if store.read_file(new, path) is not None)
