"""A place: one ledger as a process holds it open, with everything that an action needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.storage.heads import Heads
from ledger.storage.journal import Journal
from ledger.storage.layout import Layout
from ledger.storage.queue import Queue
from ledger.storage.store import EventStore, Oid
from ledger.storage.tree import TreeReader

if TYPE_CHECKING:
    from ledger.core.redaction import Redactor
    from ledger.storage.payloads import PayloadStore


@dataclass(slots=True)
class Place:
    """One open ledger.

    `now` gives microseconds since 1970 and `random62` fresh random bits: the core takes both as
    arguments; `person` is the key of the session of whoever runs this process. `find_users` opens the
    ledger of the user's own, and makes it if it is told so. A ledger in memory has no layout, hence no
    locks, queue, journal, heads or payloads. `patience` is how long a write waits for another in seconds, where that is
    not the usual time: who ends in a hurry has little of it, and then goes on out of turn. `sign` puts a signature into
    the bytes of a commit, where the user has commits signed.
    """

    store: EventStore
    now: Callable[[], int]
    random62: Callable[[], int]
    find_redactor: Callable[[], Redactor]
    host: str = "localhost"
    person: str = "user@localhost"
    layout: Layout | None = None
    payloads: PayloadStore | None = None
    heads: Heads | None = None
    durability: str = "full"
    queue: Queue | None = None
    accepts_clock: bool = False
    patience: float | None = None
    find_users: Callable[[bool], Place | None] = lambda _: None
    sign: Callable[[bytes], bytes] | None = None
    journals: dict[str, Journal] = field(default_factory=dict)
    _reader: TreeReader | None = None
    _users: Place | None = None

    def users_own(self, *, create: bool) -> Place | None:
        """The ledger of this user's own, across projects, opened once; None where there is none, or can be none."""
        if self._users is None:
            self._users = self.find_users(create)
        return self._users

    @property
    def redactor(self) -> Redactor:
        """What takes secrets out of every event; made when it is first asked for.

        Its rules take 75 ms to compile, and whoever only reads needs none of them.
        """
        return self.find_redactor()

    def journal(self, session: str) -> Journal | None:
        """The write-ahead log of a session, opened once."""
        if self.layout is None or self.durability == "none":
            return None
        if session not in self.journals:
            self.journals[session] = Journal(self.layout.journal_of(session), self.durability)
        return self.journals[session]

    def reader(self, tree: Oid) -> TreeReader:
        """The state of a tree; that of the last one written is still known."""
        if self._reader is None or self._reader.tree != tree:
            self._reader = TreeReader(self.store, tree)
        return self._reader

    def keep(self, reader: TreeReader) -> None:
        """Remember a state that the next write will most likely start from."""
        self._reader = reader

    def signed(self, raw: bytes) -> bytes:
        """The bytes of a commit as they are stored: with the user's signature where there is to be one."""
        return raw if self.sign is None else self.sign(raw)

    def close(self) -> None:
        """Give back what is held open; acknowledged events are safe without it."""
        for journal in self.journals.values():
            journal.close()
        self.journals.clear()
        self.store.close()
        if self._users is not None:
            self._users.close()
