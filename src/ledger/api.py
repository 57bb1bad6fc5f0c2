"""The library: `open_ledger() -> Ledger`, and the wiring behind it.

with open_ledger() as ledger:
    me = ledger.session("my-agent", "run-17")
    me.set("auth/decision", "Use the OAuth device flow.")
    print(ledger.get("auth/decision").entry.cell.value)
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.actions import writers
from ledger.actions.append import Appended, Draft, Writer, append_private, append_shared, create_root, publish
from ledger.actions.read import Found, list_conflicts, list_keys, read_key, reader_at
from ledger.actions.roster import find_session, list_sessions
from ledger.actions.tip import Author
from ledger.core import fold
from ledger.core.entry import siblings
from ledger.core.event import Event, Prev
from ledger.core.ids import SessionId
from ledger.core.redaction import Redactor, default_redactor
from ledger.core.state import LEDGER, POLICY, session_path
from ledger.errors import NotALedgerError, UsageError
from ledger.storage import opening
from ledger.storage.config import Config, read_config
from ledger.storage.heads import Heads
from ledger.storage.layout import Layout
from ledger.storage.memory import MemoryStore
from ledger.storage.place import Place

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where time, chance and names come from.

    `now` gives microseconds since 1970, `random62` fresh random bits; `user` and `host` name the person.
    """

    now: Callable[[], int]
    random62: Callable[[], int]
    user: str
    host: str


def system_sources() -> Sources:
    """The sources of a real run: this machine's."""
    host = socket.gethostname().split(".")[0] or "localhost"
    return Sources(lambda: time.time_ns() // 1000, lambda: secrets.randbits(62), _user(), host)


class Ledger:
    """One open ledger; use it as a context manager, or call `close`."""

    def __init__(self, place: Place, sources: Sources | None = None) -> None:
        self.place, self._user = place, (sources or system_sources()).user

    @property
    def path(self) -> Path | None:
        """The ledger's folder; None for one in memory."""
        return None if self.place.layout is None else self.place.layout.root

    @property
    def layout(self) -> Layout:
        """Where its files lie; raises UsageError for a ledger in memory."""
        if self.place.layout is None:
            raise UsageError("a ledger in memory has no files")
        return self.place.layout

    @property
    def id(self) -> str:
        """The ledger's own id, the same in every clone."""
        document = reader_at(self.place).get(LEDGER) or {}
        return str(document.get("id", ""))

    def get(self, key: str, *, at: str | None = None, session: str | None = None) -> Found:
        """What stands at `key`, now or at a REV; raises NotFoundError where no value stands."""
        return read_key(self.place, key, at, session)

    def keys(self, prefix: str = "", *, at: str | None = None, session: str | None = None) -> Iterator[Found]:
        """Everything that stands at `prefix` or below it, sorted by key."""
        return list_keys(self.place, prefix, at, session)

    def conflicts(self) -> Iterator[Found]:
        """Every shared key at which a write was beaten unseen and nobody has settled it."""
        return list_conflicts(self.place)

    def policy(self) -> dict[str, Any]:
        """What the ledger declares of its keys: `policies`, `schemas` and `types`, each by name or pattern."""
        return reader_at(self.place).get(POLICY) or {}

    def agents(self) -> dict[str, str]:
        """The agent of every session on the roster, by session id."""
        return {session: str(entry.get("agent", "")) for session, entry in list_sessions(reader_at(self.place))}

    def session(self, agent: str, key: str, **roster: Any) -> Session:
        """The session of one run of `agent`, by the agent's own id; it enters the roster with its first write."""
        return Session(self.place, Author(str(SessionId.of(agent, key)), agent), {"key": key, **roster})

    def person(self) -> Session:
        """The implicit session of whoever runs this process."""
        return self.session(PERSON, f"{self._user}@{self.place.host}")

    def session_named(self, name: str) -> Session:
        """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

        Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
        """
        return Session(self.place, find_session(self.place, name), {})

    def close(self) -> None:
        """Give back what is held open."""
        self.place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session:
    """Writes to a ledger in the name of one run of one agent.

    What it reads it remembers: a write replaces what the session has seen at that key, so that a write
    of somebody else in between is a conflict and stays visible.
    """

    def __init__(self, place: Place, author: Author, roster: dict[str, Any]) -> None:
        self._place, self.author, self._roster = place, author, roster
        self._seen: dict[str, Prev] = {}

    @property
    def id(self) -> str:
        """The session's id."""
        return self.author.session

    def get(self, key: str) -> Found:
        """What stands at `key` for this session; a later write to it replaces exactly that."""
        found = read_key(self._place, key, session=self.id)
        if found.scope == "shared":
            heads = siblings({"event": found.entry.event}, {"losers": list(found.losers)})
            self._seen[key] = heads[0] if len(heads) == 1 else heads
        return found

    def start(self, **roster: Any) -> Appended:
        """Enter the roster; does nothing where the session is on it already."""
        self._roster |= roster
        return self._append([], shared=True)

    def end(self, reason: str | None = None, leases: Sequence[str] = ()) -> Appended:
        """Leave the roster, with all of the session's own context."""
        data: dict[str, Any] = {"reason": reason} if reason else {}
        if leases:
            data["leases"] = list(leases)
        return self._append([Draft("session.ended", data)], shared=True)

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
        """Append events to main, or to the session's own line for what only it sees."""
        done = self._append(drafts, shared=scope == "shared")
        if key is not None and scope == "shared" and done.events:
            self._seen.pop(key, None)
        return done

    def publish(self) -> str | None:
        """Bring what the session has of its own to main; main's new tip, or None if there was nothing."""
        return publish(self._place, self.author)

    def _append(self, drafts: Sequence[Draft | Writer], *, shared: bool) -> Appended:
        append = append_shared if shared else append_private
        if not self._is_on_roster():
            append_shared(self._place, self.author, [self._entrance()])
        return append(self._place, self.author, drafts) if drafts else Appended()

    def _entrance(self) -> Draft:
        return Draft("session.started", {"agent": self.author.agent, **self._roster})

    def _is_on_roster(self) -> bool:
        return reader_at(self._place).get(session_path(self.id)) is not None

    def _target(self, key: str, policy: str | None, scope: str, ttl: int | None = None) -> writers.Target:
        owner = self.id if scope == "session" else None
        saw = self._seen.get(key) if owner is None else None
        return writers.Target(key, owner, policy, ttl, saw, sees_tip=saw is None)


def open_ledger(
    path: Path | str | None = None,
    *,
    start: Path | None = None,
    uses_queue: bool = True,
    accepts_clock: bool = False,
    durability: str | None = None,
    sources: Sources | None = None,
) -> Ledger:
    """Open the ledger in the folder `path`, or the one that belongs to the project around `start`.

    Raises NotALedgerError where there is none, RefusedError where it belongs to somebody else.
    """
    root = Path(path) if path is not None else opening.find(start or Path.cwd())
    if root is None:
        raise NotALedgerError(
            f"no ledger belongs to {start or Path.cwd()}", hint="`ledger init` makes one for this project"
        )
    layout = opening.require(root)
    config = read_config(layout.config)
    told = sources or system_sources()
    return Ledger(_place(layout, config, durability or config.durability, uses_queue, accepts_clock, told), told)


def create_ledger(
    path: Path | str, *, project: str | None = None, accepts_clock: bool = False, sources: Sources | None = None
) -> tuple[Ledger, bool]:
    """Make a ledger in the folder `path`, or complete one that was left half-made; says whether it is new."""
    layout = opening.create(Path(path))
    config = read_config(layout.config)
    told = sources or system_sources()
    ledger = Ledger(_place(layout, config, config.durability, True, accepts_clock, told), told)
    done = found(ledger, project)
    return ledger, bool(done.events)


def found(ledger: Ledger, project: str | None = None) -> Appended:
    """Write the first event of a ledger; does nothing where it is written already."""
    chance = ledger.place.random62() << 62 | ledger.place.random62()
    data = {"ledger": str(uuid.UUID(int=chance << 4, version=4)), "format": fold.FORMAT, "fold": fold.FOLD}
    data |= {"project": project} if project else {}
    return create_root(ledger.place, ledger.person().author, Draft("ledger.created", data))


def memory_ledger(redactor: Redactor | None = None, sources: Sources | None = None) -> Ledger:
    """A ledger that lives in memory only, under the same law and the same contract tests."""
    told = sources or system_sources()
    place = Place(
        store=MemoryStore(),
        now=told.now,
        random62=told.random62,
        redactor=redactor or default_redactor(),
    )
    ledger = Ledger(place, told)
    found(ledger)
    return ledger


def _place(
    layout: Layout, config: Config, durability: str, uses_queue: bool, accepts_clock: bool, sources: Sources
) -> Place:
    from ledger.storage.git import GitStore
    from ledger.storage.payloads import PayloadStore

    custom = config.redaction_rules or config.redaction_allow
    return Place(
        store=GitStore(layout.git_dir),
        now=sources.now,
        random62=sources.random62,
        redactor=Redactor(config.redaction_rules, config.redaction_allow) if custom else default_redactor(),
        host=sources.host,
        layout=layout,
        payloads=PayloadStore(layout.payloads_dir),
        heads=Heads(layout.heads),
        durability=durability,
        uses_queue=uses_queue,
        accepts_clock=accepts_clock,
    )


def _user() -> str:
    # A container may run under a number that has no name.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}"


__all__ = ["Event", "Ledger", "Session", "Sources", "create_ledger", "memory_ledger", "open_ledger", "system_sources"]
