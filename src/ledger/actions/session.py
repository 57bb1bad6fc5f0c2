"""Session: writes to a ledger in the name of one run of one agent."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ledger.actions import writers
from ledger.actions.append import Appended, Draft, Writer, append_private, append_shared, publish
from ledger.actions.read import Found, read_key, reader_at
from ledger.actions.tip import Author, is_private
from ledger.core.entry import Entry, siblings
from ledger.core.event import Prev
from ledger.core.leases import DEFAULT_TTL
from ledger.core.state import Reader, session_path
from ledger.errors import BusyError, FencedError, NotFoundError, StorageError, UsageError
from ledger.storage.files import touch
from ledger.storage.place import Place

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.actions.checkpoint import Checkpoint
    from ledger.actions.lease import Standing
    from ledger.core.leases import Lease
    from ledger.storage import live

# What proves who lives is imported where it is used: it takes 5 ms, and most writes only give a sign of life.

_LEASE_FOLDER = "leases/"
_LEASES = 256  # that one `session.ended` may list


class Session:
    """Writes to a ledger in the name of one run of one agent.

    What it reads it remembers: a write replaces what the session has seen at that key, so that a write
    of somebody else in between is a conflict and stays visible.
    """

    # A lasting claim has a thread that beats for it. Nobody would end that of a session that is merely started; the
    # process that its claim names is proof enough of life.
    _is_lasting = False

    def __init__(self, place: Place, author: Author, roster: dict[str, Any]) -> None:
        self._place, self.author, self._roster = place, author, dict[str, Any]()
        self._know(roster)
        self._seen: dict[str, tuple[Prev, Entry]] = {}
        self._held: live.Held | None = None

    @property
    def id(self) -> str:
        """The session's id."""
        return self.author.session

    def get(self, key: str) -> Found:
        """What stands at `key` for this session; a later write to it replaces exactly that."""
        found = read_key(self._place, key, session=self.id)
        if found.scope == "shared":
            heads = siblings(found.entry.document(), {"losers": list(found.losers)})
            self._seen[key] = heads[0] if len(heads) == 1 else heads, found.entry
        return found

    def start(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """Claim the session for this process, or for process `pid`, and enter the roster.

        Writes nothing where it is on the roster already. Raises BusyError while another process runs it.
        """
        self._know(roster)
        with self._claiming(pid):
            return self._append([], shared=True)

    def resume(self, *, pid: int | None = None, **roster: Any) -> Appended:
        """Go on with a session that crashed, was interrupted or has ended; claims it as `start` does.

        Raises NotFoundError for a session that is not on the roster and whose key is not known.
        """
        self._know(roster)
        with self._claiming(pid):
            return append_shared(self._place, self.author, [self._resumption])

    def end(self, reason: str | None = None) -> Appended:
        """Leave the roster, with all of the session's own context, and free its leases.

        What it had not published yet is. Writes nothing where it has ended already. One event frees 256 leases;
        more than these run out.
        """
        done = append_shared(self._place, self.author, [self._let_in, ending(self.id, reason)])
        self._leave()
        return done

    def tell(self, doing: live.Doing) -> None:
        """Say that the session is working, or waiting for somebody; heard by who asks for the sessions."""
        from ledger.storage import live

        if self._place.layout is not None:
            live.tell(self._place.layout, self.id, doing)

    def set(
        self, key: str, value: Any, *, policy: str | None = None, scope: str = "shared", ttl: int | None = None
    ) -> Appended:
        """Give a key a value."""
        target = self._target(key, policy, scope, ttl)
        return self.write([writers.setting(target, value)], scope, key)

    def add(self, key: str, *values: Any, policy: str | None = None, scope: str = "shared") -> Appended:
        """Add elements to a set, or items to a log."""
        return self.write([writers.adding(self._target(key, policy, scope), values)], scope, key)

    def remove(self, key: str, *values: Any, scope: str = "shared") -> Appended:
        """Take elements from a set, or fields from a map."""
        return self.write([writers.removing(self._target(key, None, scope), values)], scope, key)

    def increment(self, key: str, by: int = 1, *, scope: str = "shared") -> Appended:
        """Add to a counter."""
        return self.write([writers.incrementing(self._target(key, None, scope), by)], scope, key)

    def delete(self, key: str, because: str | None = None, *, scope: str = "shared") -> Appended:
        """Take a key's value away."""
        return self.write([writers.deleting(self._target(key, None, scope), because)], scope, key)

    def decide(self, key: str, decision: str, because: str | None = None, instead_of: Sequence[str] = ()) -> Appended:
        """Record a decision at a key."""
        target = self._target(key, None, "shared")
        return self.write([writers.deciding(target, decision, because, instead_of)], "shared", key)

    def resolve(self, key: str, *, take: str | None = None, value: Any = None) -> Appended:
        """Settle a conflict: take a sibling by its event id, or a value of one's own."""
        return self.write([writers.resolving(writers.Target(key), take, value)], "shared", key)

    def note(self, text: str, about: str | None = None) -> Appended:
        """Leave a remark in the log."""
        data = {"text": text} | ({"about": about} if about else {})
        return self.write([Draft("note.added", data)], "shared")

    def record(self, drafts: Sequence[Draft | Writer]) -> Appended:
        """Append events to the session's own line; `publish` or the next shared write brings them to main."""
        return self._append(drafts, shared=False)

    def write(self, drafts: Sequence[Draft | Writer], scope: str = "shared", key: str | None = None) -> Appended:
        """Append events to main; to the session's own line for what only it sees (`session`); or to the ledger of the
        user's own (`user`), in the name of the person.
        """
        if scope == "user":
            return self._of_user().write(drafts)
        done = self._append(drafts, shared=scope == "shared")
        if key is not None and scope == "shared" and done.events:
            self._seen.pop(key, None)
        return done

    def acquire(
        self,
        *on: str,
        shared: bool = False,
        ttl: int = DEFAULT_TTL,
        because: str | None = None,
        wait: float = 0,
    ) -> Standing:
        """Claim paths or names for `ttl` seconds; what it holds in just this way already is renewed.

        Raises HeldError (exit 4), with `wait` BusyError after so many seconds, while another session holds them.
        """
        from ledger.actions.lease import acquire

        return acquire(self._place, self, on, shared=shared, ttl=ttl, because=because, wait=wait)

    def renew(self, *names: str, only_due: bool = False) -> list[Standing]:
        """Renew the session's leases of these names or ids, all that have not run out unless some are named.

        With `only_due`, of these the ones of which half of the time is over.
        """
        from ledger.actions.lease import renew

        return renew(self._place, self, names, only_due=only_due)

    def release(self, *names: str) -> list[Lease]:
        """Give back the leases of these names or ids, all of the session's unless some are named."""
        from ledger.actions.lease import release

        return release(self._place, self, names)

    def lease(
        self,
        *on: str,
        shared: bool = False,
        ttl: int = DEFAULT_TTL,
        because: str | None = None,
        wait: float = 0,
    ) -> AbstractContextManager[Lease]:
        """Hold a lease for a block: `with session.lease("src/"):`; what takes longer than `ttl` calls `renew`."""
        from ledger.actions.lease import leased

        return leased(self._place, self, on, shared=shared, ttl=ttl, because=because, wait=wait)

    def checkpoint(self, title: str = "", *, worktree: Path | None = None) -> Checkpoint:
        """Pin where the session stands, verified, with the code of the working tree that begins at `worktree`.

        Raises DamageError, and writes nothing, where what is stored is not what the events say. A working tree that
        cannot be kept is no error: `missing` says why.
        """
        from ledger.actions.checkpoint import BY_HAND, checkpoint

        def append(writer: Writer) -> Appended:
            return self.write([writer])

        return checkpoint(self._place, self.author, BY_HAND, worktree, title=title, append=append)

    def publish(self) -> str | None:
        """Bring what the session has of its own to main; main's new tip, or None if there was nothing."""
        return publish(self._place, self.author)

    def _append(self, drafts: Sequence[Draft | Writer], *, shared: bool) -> Appended:
        append = append_shared if shared else append_private
        try:
            done = append(self._place, self.author, [self._let_in, self._entrance, *drafts])
        except FencedError as error:
            self._keep_aside(drafts, error)
            raise
        if self._place.layout is not None:
            touch(self._place.layout.live_of(self.id))
        return _without_entrance(done) if drafts else done

    def _let_in(self, _: Reader) -> None:
        # Asked under the session's lock: whoever declares this process dead writes under the same one.
        layout = self._place.layout
        if layout is not None and os.path.exists(layout.fence_path(self.id)):  # noqa: PTH110 - a Path takes longer
            from ledger.actions.fence import require_let_in

            require_let_in(layout, self.id)

    def _keep_aside(self, drafts: Sequence[Draft | Writer], error: FencedError) -> None:
        from ledger.actions.fence import keep_aside

        reader = reader_at(self._place)
        meant = [draft for one in drafts if (draft := one(reader) if callable(one) else one) is not None]
        if meant and self._place.layout is not None:
            keep_aside(self._place, self._place.layout, self.author.agent, meant, error.message)

    def _entrance(self, reader: Reader) -> Draft | None:
        # Written with the first event, or not at all: a write that is refused leaves no trace.
        if reader.get(session_path(self.id)) is not None:
            return None
        return Draft("session.started", self._told())

    def _resumption(self, reader: Reader) -> Draft:
        entry = reader.get(session_path(self.id)) or {}
        key = self._roster.get("key") or entry.get("key")
        if key is None:
            raise NotFoundError(
                f"session {self.id} is not on the roster", hint="`ledger sessions --all` lists those that have ended"
            )
        return Draft("session.resumed", self._told() | {"key": key})

    def _told(self) -> dict[str, Any]:
        private = self.author.wants_privacy or is_private(self._place.store, self.id)
        told = {"agent": self.author.agent, **self._roster}
        return told | ({"private": True} if private else {})

    def _know(self, roster: dict[str, Any]) -> None:
        self._roster |= roster
        if self._roster.get("private"):
            self.author = self.author._replace(wants_privacy=True)

    @contextmanager
    def _claiming(self, pid: int | None) -> Iterator[None]:
        """Hold the session for a process; a claim whose event is refused is given back."""
        from ledger.storage import live

        if self._place.layout is None:
            yield
            return
        held = live.claim(self._place.layout, self.id, pid=pid, lasting=self._is_lasting and pid is None)
        try:
            yield
        except BaseException:
            held.leave()
            raise
        earlier, self._held = self._held, held
        if earlier is not None:
            earlier.leave()

    def _leave(self) -> None:
        from ledger.storage import live

        # The end is acknowledged by now: a live file that stays behind is shown to nobody, so it is no error.
        with suppress(BusyError, StorageError):
            if self._held is not None:  # nothing but its own: somebody may begin the session anew at this moment
                self._held.leave()
            elif self._place.layout is not None:
                live.leave(self._place.layout, self.id)
        self._held = None

    def _of_user(self) -> Session:
        """The person's session in the user's own ledger; agents come and go, and would fill its roster."""
        place = self._place.users_own(create=True)
        if place is None:
            raise UsageError("a ledger in memory has no user scope", hint="`user_ledger()` opens the one on disk")
        return Session(place, Author.person(place), {"key": place.person})

    def _target(self, key: str, policy: str | None, scope: str, ttl: int | None = None) -> writers.Target:
        owner = self.id if scope == "session" else None
        saw, base = (self._seen.get(key) if scope == "shared" else None) or (None, None)
        return writers.Target(key, owner, policy, ttl, saw, sees_tip=saw is None, base=base)


def ending(session: str, reason: str | None = None) -> Writer:
    """The end of a session, which frees every lease that it holds; None where it is not on the roster."""

    def write(reader: Reader) -> Draft | None:
        if reader.get(session_path(session)) is None:
            return None
        leases = reader.under(_LEASE_FOLDER)
        held = [path[len(_LEASE_FOLDER) : -len(".yaml")] for path, lease in leases if lease["session"] == session]
        data: dict[str, Any] = {"reason": reason} if reason else {}
        return Draft("session.ended", data | ({"leases": held[:_LEASES]} if held else {}))

    return write


def _without_entrance(done: Appended) -> Appended:
    is_first = bool(done.events) and done.events[0].type == "session.started"
    return replace(done, events=done.events[1:], commits=done.commits[1:]) if is_first else done
