"""Find: the commit that a REV names."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ledger.actions.tip import event_id, event_of
from ledger.core.ids import EventId, SessionId, is_prefix
from ledger.core.moment import moment_of
from ledger.errors import AmbiguousError, DamageError, NotALedgerError, NotFoundError, RefusedError, UsageError
from ledger.storage.layout import MAIN, PRIVATE, session_of
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid

# 27 years and more: sooner the first characters of a commit or an event than an age.
_OLD = re.compile(r"\d{5,}d")
_HEX = re.compile(r"[0-9a-f]{4,40}")
_SHORTEST = 4
_FORMS = (
    "main, an event id, a commit, a session, a checkpoint (each by its first 4 characters or more), "
    "the agent's own id of a session in full, or a time such as '2h ago'"
)


def find_commit(place: Place, rev: str) -> Oid:
    """The commit that `rev` names: `main`, an event id, a commit or a session (each by a unique prefix), or a time.

    A session goes by the agent's own id too, in full. A time names the newest commit on main's own line that was
    written by then. Raises NotFoundError, AmbiguousError (with the matches), UsageError for what has none of these
    forms.
    """
    text = rev.strip().lower()
    if text in ("", "main", "head", "@"):
        return main_tip(place)
    if not tips(place):
        return main_tip(place)
    moment = moment_of(text, place.now())
    if moment is not None and not _OLD.fullmatch(text):
        return _at_time(place, rev, moment)
    is_start = len(text) >= _SHORTEST and bool(is_prefix(text) or _HEX.fullmatch(text))
    # Sessions last, and only where nothing else fits: to find one that has ended takes a walk through all history.
    found = _by_event(place, text) | _by_commit(place, text) if is_start else {}
    found = found or _by_session(place, rev.strip(), text if is_start else None)
    if not found and moment is not None:
        return _at_time(place, rev, moment)
    if not found and not is_start:
        raise UsageError(f"{rev!r} is not a REV", hint=f"a REV is {_FORMS}")
    if not found:
        raise NotFoundError(f"{rev!r} names nothing in this ledger", hint=f"a REV is {_FORMS}")
    if len(set(found.values())) > 1:
        raise AmbiguousError(
            f"{rev!r} fits {len(found)} things: {', '.join(sorted(found)[:5])}",
            matches=sorted(found),
            hint="give more characters of the one you mean",
        )
    return next(iter(found.values()))


def find_on_main(place: Place, rev: str) -> Oid:
    """The first commit on main's own line that holds what `rev` names: that itself, or the merge that brought it in.

    A session's own line lacks what others wrote meanwhile, so its states were never those of main. Raises as
    `find_commit` does, and RefusedError for what main does not hold yet.
    """
    wanted = place.store.commit(find_commit(place, rev))
    line: list[Oid] = []
    for commit in place.store.walk([main_tip(place)], first_parent=True, order="newest"):
        if commit.oid == wanted.oid:
            return wanted.oid
        if commit.committer.time < wanted.committer.time:
            break
        line.append(commit.oid)
    line.reverse()
    first = bisect_left(line, True, key=lambda oid: place.store.is_ancestor(wanted.oid, oid))
    if first == len(line):
        raise RefusedError(
            f"{rev!r} is on its session's own line, and main does not hold it yet",
            hint="`ledger log --at main` shows what main holds; the session's next shared write brings its line there",
        )
    return line[first]


def main_tip(place: Place) -> Oid:
    """The tip of main; raises NotALedgerError in a ledger that has no event yet: one that was left half-made."""
    tip = place.store.ref(MAIN)
    if tip is None:
        raise NotALedgerError("this ledger has no events yet", hint="`ledger init` completes it")
    return tip


def tips(place: Place) -> list[Oid]:
    """Every tip there is: main, and each session's own line; main first."""
    refs = place.store.refs()
    return list(dict.fromkeys([*([refs[MAIN]] if MAIN in refs else []), *refs.values()]))


def open_tips(place: Place, session: str | None = None) -> list[Oid]:
    """The same without the lines of private sessions, but for that of `session`."""
    refs = place.store.refs()
    shown = {ref: oid for ref, oid in refs.items() if not ref.startswith(PRIVATE) or session_of(ref) == session}
    return list(dict.fromkeys([*([refs[MAIN]] if MAIN in refs else []), *shown.values()]))


def walk(place: Place, heads: Sequence[Oid]) -> Iterator[Commit]:
    """Every commit that the heads reach, the newest first; raises DamageError where a ref or a parent names none."""
    try:
        yield from place.store.walk(heads, order="newest")
    except NotFoundError as error:
        raise DamageError(
            f"a ref or a parent names no commit: {error.message}", hint="`ledger verify` names all that is wrong"
        ) from error


def _by_event(place: Place, prefix: str) -> dict[str, Oid]:
    # A commit's date is its event id's time: the first 8 digits of an id are the top 32 of 48 bits of milliseconds.
    digits = prefix.replace("-", "")[:12]
    first, last = int(digits.ljust(12, "0"), 16) // 1000, int(digits.ljust(12, "f"), 16) // 1000
    found: dict[str, Oid] = {}
    for commit in walk(place, tips(place)):
        event = _event_in(commit) if commit.committer.time <= last + 1 else ""
        if event and commit.committer.time < first - 1:
            break
        if event.startswith(prefix):
            found[event] = commit.oid
            if len(prefix) == 36:
                break
    return found


def _event_in(commit: Commit) -> str:
    # A commit of somebody else's making hides no event beside it, or below it, whatever time it claims.
    try:
        return str(event_id(commit))
    except DamageError:
        return ""


def _by_commit(place: Place, prefix: str) -> dict[str, Oid]:
    return {oid: oid for oid in place.store.find(prefix)} if _HEX.fullmatch(prefix) else {}


def _by_session(place: Place, own: str, prefix: str | None) -> dict[str, Oid]:
    """The last commit of each session that an agent calls `own`; where none does, of those whose id starts so."""
    last: dict[str, Commit] = {}
    for commit in walk(place, tips(place)):
        last.setdefault(commit.author.email, commit)
        if commit.author.email == prefix:
            break
    called = {s: c.oid for s, c in last.items() if SessionId.of(c.author.name, own) == s}
    return called or {s: c.oid for s, c in last.items() if prefix and s.startswith(prefix)}


def _at_time(place: Place, rev: str, moment: int) -> Oid:
    # Not all that main reaches: a session's own line, once merged, has states that lack what others wrote meanwhile.
    for commit in place.store.walk([main_tip(place)], first_parent=True, order="newest"):
        if event_id(commit).millis <= moment // 1000:
            _refuse_cut(commit, rev, moment)
            return commit.oid
    raise NotFoundError(f"this ledger is younger than {rev!r}", hint="`ledger log` shows its events, the newest first")


def _refuse_cut(commit: Commit, rev: str, moment: int) -> None:
    """The root of an epoch stands for all that was cut off: only its last state is known."""
    through = "" if commit.parents else str(event_of(commit).data.get("through", ""))
    if through and EventId(through).millis > moment // 1000:
        raise NotFoundError(
            f"what stood there at {rev!r} was cut off from this ledger",
            hint="what was kept lies in `archive/` of the ledger's folder: ledger restore FILE --to DIR",
        )
