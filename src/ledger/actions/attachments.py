"""Attachments between machines: the bytes that events name, in branches of their own beside main.

An attachment is taken in only where an event of its session on main names it, with its digest and its size. So nothing
comes by this way that no judged event speaks of, and what was forgotten does not come back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ledger.actions.tip import event_of
from ledger.core.ids import SessionId
from ledger.errors import RefusedError
from ledger.storage.codec import tree_rows
from ledger.storage.exchanged import exchanged, remember_exchanged
from ledger.storage.git import GitStore
from ledger.storage.layered import LayeredStore
from ledger.storage.layout import ATTACHMENTS, MAIN, PRIVATE, SESSIONS, Layout, session_of, session_ref
from ledger.storage.payloads import PayloadStore, attachments_in, is_path_of
from ledger.storage.place import Place
from ledger.storage.remotes import Remote
from ledger.storage.store import EventStore, Kind, Oid
from ledger.storage.transport import Pushed, fetched_aside, push

_TRIES = 3
_WITHOUT = "the events are there; to exchange them alone, name the remote anew without --attachments"
_NAMES = b"\n  attachment:"  # in the canonical text of an event's data

Wanted = Mapping[Oid, str]  # the session of each
Read = Callable[[Oid], bytes]


def exchange_attachments(place: Place, layout: Layout, remote: Remote, seconds: float, *, is_new: bool) -> int:
    """Bring the attachments that the remote has, and give it ours; how many came.

    `is_new` says that events came, which may name some. Raises as `sync` does; what was taken in stays.
    """
    payloads = place.payloads
    if payloads is None:
        return 0
    state = exchanged(layout, remote.name)
    if state.attachments == _digest(place) and not is_new:
        return 0
    came = 0
    for _ in range(_TRIES):
        more, pushed = _exchanged(place, layout, remote, payloads, seconds)
        came += more
        if pushed.is_done:
            state = exchanged(layout, remote.name)
            remember_exchanged(layout, remote.name, state._replace(attachments=_digest(place)))
            return came
        if not pushed.is_stale:
            raise RefusedError(f"{remote.name} refuses attachments:\n  {pushed.said}", hint=_WITHOUT)
    raise RefusedError(
        f"{remote.name} has attachments that have no place here any longer: they were forgotten, or are no event's",
        hint=f"whoever keeps it deletes its branches below {ATTACHMENTS}; each machine gives again what it has",
    )


def count_attachments(place: Place) -> int:
    """How many there are that may leave the machine."""
    store = None if place.payloads is None else place.payloads.store
    return 0 if store is None else sum(len(attachments_in(store, oid)) for oid in _own(place).values())


def named(store: EventStore, main: Oid, wanted: Wanted) -> dict[Oid, dict[str, Any]]:
    """What events of main say of these attachments: those of the session that each is said to be of.

    The newest events are asked first, and no more than it takes.
    """
    left, found = dict(wanted), dict[Oid, dict[str, Any]]()
    sessions = set(left.values())
    for commit in store.walk([main]) if left else ():
        if commit.author.email in sessions and _NAMES in commit.message:
            told = event_of(commit).data.get("attachment")
            if isinstance(told, dict) and left.get(str(told.get("id"))) == commit.author.email:
                found[str(told["id"])] = told
                del left[str(told["id"])]
        if not left:
            break
    return found


class Refused(NamedTuple):
    """A file that is not taken in, and why."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path} {self.why}"


def refusals(store: EventStore, main: Oid, session: str, files: Mapping[str, Oid], read: Read) -> Iterator[Refused]:
    """Which of a session's files may not be taken in."""
    told = named(store, main, dict.fromkeys(files.values(), session))
    for path, oid in sorted(files.items()):
        if not is_path_of(path, oid):
            yield Refused(path, f"is not where an attachment {oid[:10]} lies")
        elif oid not in told:
            yield Refused(path, f"is named by no event of session {session}")
        else:
            data = read(oid)
            if (hashlib.sha256(data).hexdigest(), len(data)) != (told[oid].get("sha256"), told[oid].get("size")):
                yield Refused(path, "is not what its event says")


def _exchanged(
    place: Place, layout: Layout, remote: Remote, payloads: PayloadStore, seconds: float
) -> tuple[int, Pushed]:
    """Take in what is there, put together what both have, and push that; how many came, and how the push went."""
    came, refspecs = 0, list[str]()
    with fetched_aside(layout.payloads_dir, remote, ATTACHMENTS, seconds) as (aside, there):
        sessions = {session_of(ref) or "": oid for ref, oid in _own(place).items()}
        for session in sorted(sessions.keys() | there.keys()):
            if SessionId.form.fullmatch(session):
                meeting = _Meeting(place, payloads, aside, session, there.get(session))
                came += meeting.take_in()
                tip = meeting.put_together()
                if tip is not None and tip != there.get(session):
                    refspecs.append(f"{tip}:{ATTACHMENTS}{session}")
    pushed = push(layout.payloads_dir, remote, refspecs, seconds) if refspecs else Pushed(is_done=True)
    return came, pushed


class _Meeting:
    """The attachments of one session, here and at a remote."""

    def __init__(
        self, place: Place, payloads: PayloadStore, aside: LayeredStore, session: str, theirs: Oid | None
    ) -> None:
        self._payloads, self._aside, self._session, self._theirs = payloads, aside, session, theirs
        store, main = payloads.store, place.store.ref(MAIN) or ""
        tip, last = store.ref(session_ref(session)), store.ref(ATTACHMENTS + session)
        self._ours = {} if tip is None else attachments_in(store, tip)
        known = {} if last is None else attachments_in(store, last)
        self._there = {} if theirs is None else attachments_in(aside, theirs)
        # What was exchanged before has been judged; a new epoch lets go of that branch where it held what is forgotten.
        asked = {path: oid for path, oid in (self._ours | self._there).items() if known.get(path) != oid}
        self._refused = {one.path for one in refusals(place.store, main, session, asked, self._read)}

    def take_in(self) -> int:
        """Keep what is new and named by an event; how many that are."""
        fresh = {path: oid for path, oid in self._there.items() if path not in self._ours and path not in self._refused}
        if fresh:
            self._payloads.take_in(self._session, {path: self._read(oid) for path, oid in fresh.items()})
        return len(fresh)

    def put_together(self) -> Oid | None:
        """The branch to be pushed: what both have and events name; None where there is none."""
        files = {path: oid for path, oid in (self._ours | self._there).items() if path not in self._refused}
        if not files:
            return None
        theirs = self._theirs
        if theirs is not None and not _copied(self._aside, self._payloads.store, theirs):
            theirs = None  # it holds what was refused; nothing of that is to come in by its history
        return self._payloads.put_together(self._session, files, theirs)

    def _read(self, oid: Oid) -> bytes:
        data: bytes = self._aside.read_object("blob", oid)
        return data


def _copied(aside: LayeredStore, store: GitStore, tip: Oid) -> bool:
    """Copy the commits and trees of a branch, so that ours can go on from it; False where they need files not here."""
    to_see, new = [tip], dict[Oid, tuple[Kind, bytes]]()
    while to_see:
        oid = to_see.pop()
        if oid in new or store.has(oid):
            continue
        kind, data = new[oid] = aside.read_any(oid)
        if kind == "commit":
            commit = aside.commit(oid)
            to_see += [*commit.parents, commit.tree]
        elif kind == "tree":
            to_see += [digest.hex() for _, _, digest in tree_rows(oid, data)]
        else:
            return False
    for kind, data in reversed(new.values()):
        store.write_object(kind, data)
    return True


def _own(place: Place) -> dict[str, Oid]:
    """The branches of attachments that may leave the machine: of no private session."""
    if place.payloads is None:
        return {}
    private = {session_of(ref) for ref in place.store.refs(PRIVATE)}
    refs = place.payloads.store.refs(SESSIONS)
    return {ref: oid for ref, oid in refs.items() if session_of(ref) not in private}


def _digest(place: Place) -> str:
    told = "\n".join(f"{ref} {oid}" for ref, oid in sorted(_own(place).items()))
    return hashlib.sha256(told.encode()).hexdigest()
