"""The library: `open_ledger() -> Ledger`, and the wiring behind it.

with open_ledger() as ledger:
    me = ledger.session("my-agent", "run-17")
    me.set("auth/decision", "Use the OAuth device flow.")
    print(ledger.get("auth/decision").entry.cell.value)
"""

from __future__ import annotations

import functools
import getpass
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ledger.actions.read import Found, list_conflicts, list_keys, read_key, reader_at
from ledger.actions.roster import all_sessions, find_session
from ledger.actions.soundness import mend_entrance, needs_restoring
from ledger.actions.tip import PERSON, Author
from ledger.core import fold
from ledger.core.ids import SessionId
from ledger.core.policies import find_vendored_with
from ledger.core.state import LEDGER, POLICY
from ledger.errors import LedgerError, NotALedgerError, UsageError
from ledger.storage import opening
from ledger.storage.config import Config, read_config
from ledger.storage.heads import Heads
from ledger.storage.installed import find_policy
from ledger.storage.layout import Layout
from ledger.storage.place import Place
from ledger.storage.queue import Queue
from ledger.storage.switches import ALL, is_off, require_on

if TYPE_CHECKING:
    from ledger.actions.append import Appended
    from ledger.actions.drain import Drained
    from ledger.actions.log import Logged
    from ledger.actions.restore_journal import Restored
    from ledger.actions.session import Session
    from ledger.core.redaction import Redactor
    from ledger.running import RunningSession
    from ledger.storage.plain import Plain

# What only writers need (schemas, policies, redaction) is imported where it is used: without it a reader starts
# in half the time.

# The core knows nothing of installed packages; it is asked only for policies named `vendor.name`.
find_vendored_with(find_policy)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where time, chance and names come from.

    `now` gives microseconds since 1970, `random62` fresh random bits; `user` and `host` name the person.
    """

    now: Callable[[], int]
    random62: Callable[[], int]
    user: str
    host: str

    @property
    def person(self) -> str:
        """The key of the person's own session."""
        return f"{self.user}@{self.host}"


def system_sources() -> Sources:
    """The sources of a real run: this machine's."""
    host = os.uname().nodename.split(".")[0] or "localhost"
    return Sources(lambda: time.time_ns() // 1000, _random62, _user(), host)


class Ledger:
    """One open ledger; use it as a context manager, or call `close`."""

    def __init__(self, place: Place, again: Callable[[], Place] | None = None) -> None:
        self.place = place
        self._again = again or (lambda: place)
        self.restored: Restored | None = None
        self.unrestored: LedgerError | None = None

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
        """What stands at `key`, now or at a REV; now, in the ledger of the user's own where this one has nothing.

        Raises NotFoundError where no value stands.
        """
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

    def watch(self, *, since: str | None = None, session: str | None = None, own: bool = False) -> Iterator[Logged]:
        """The events of others as they land, each once: those behind `since`, a REV, or from this call on.

        What `session` wrote is left out, unless `own`; private sessions are told to themselves alone. Raises
        CannotWatchError where the system gives no word of changes, and UsageError for a ledger in memory.
        """
        from ledger.actions.watch import Watched, watch

        return watch(self.place, Watched(since, session, own))

    def awatch(
        self, *, since: str | None = None, session: str | None = None, own: bool = False
    ) -> AsyncIterator[Logged]:
        """The same for asyncio, from the first step on: `async for one in ledger.awatch()`."""
        from ledger.actions.watch import Watched, awatch

        return awatch(self._again, Watched(since, session, own))

    def agents(self) -> dict[str, str]:
        """The agent of every session on the roster, by session id."""
        return {session: str(entry.get("agent", "")) for session, entry in all_sessions(self.place).items()}

    def session(self, agent: str, key: str, **roster: Any) -> Session:
        """The session of one run of `agent`, by the agent's own id; it enters the roster with its first write."""
        from ledger.actions.session import Session

        return Session(self.place, Author(str(SessionId.of(agent, key)), agent), {"key": key, **roster})

    def run(self, agent: str, key: str, *, end: bool = True, **roster: Any) -> RunningSession:
        """A session for as long as a program works in it: `with ledger.run("my-agent", "run-17") as me`.

        Within the block others see it alive, its leases are renewed, and what it writes of its own is published;
        at the end it ends, or with `end=False` stays on the roster, to be gone on with. Entering the block raises
        BusyError, naming the process, where the session runs already.
        """
        from ledger.running import RunningSession

        author = Author(str(SessionId.of(agent, key)), agent)
        return RunningSession(self._again, author, {"key": key, **roster}, ends=end)

    def person(self) -> Session:
        """The implicit session of whoever runs this process."""
        return self.session(PERSON, self.place.person)

    def session_named(self, name: str) -> Session:
        """The session on the roster that `name` means: its id, the id's first characters, or the agent's own id.

        Raises NotFoundError with what to do, AmbiguousError with the sessions that it fits.
        """
        from ledger.actions.session import Session

        return Session(self.place, find_session(self.place, name), {})

    def drain(self, *, wait: float = 60.0, most_tail: int | None = None) -> Drained:
        """Turn what hooks captured into events, and end the sessions whose process went while they waited.

        While writing is turned off nothing is done. Transcripts that grew by more than `most_tail` bytes are left to
        the next drain. Raises BusyError while somebody else drains for longer than `wait` seconds, NewerFormatError,
        RefusedError for a clock that jumped, and StorageError; what was captured is safe then, and waits.
        """
        from ledger.actions.drain import drain

        done = drain(self.place, wait=wait, most_tail=most_tail)
        return replace(done, ended=tuple(self.settle()))

    def settle(self) -> list[str]:
        """End the sessions, recorded by hooks, whose process went while they waited; gives back their ids.

        Raises what a write raises; while writing is turned off nothing is done.
        """
        from ledger.actions.settle import settle

        return [] if is_off(self.place.layout, ALL) else settle(self.place)

    def restore_if_needed(self, rewritten: Sequence[Path] = ()) -> None:
        """After an unclean stop, bring back from the journal what was acknowledged; see `restored`.

        Where that is refused (a read-only disk, a writer that does not end, writing turned off, damage that the journal
        does not mend) reading goes on; `unrestored` says why.
        """
        layout = self.place.layout
        if layout is None or not (rewritten or needs_restoring(layout)):
            return
        from ledger.actions.restore_journal import restore_journal

        try:
            require_on(layout, ALL)
            self.restored = restore_journal(self.place, lambda: bool(rewritten) or needs_restoring(layout))
        except LedgerError as error:
            self.unrestored = error
        if self.restored is not None:
            self.restored.rewritten += rewritten

    def close(self) -> None:
        """Give back what is held open."""
        self.place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
    rewritten = mend_entrance(Layout(root))
    layout = opening.require(root)
    config = read_config(layout.config)
    told = sources or system_sources()
    opened = functools.partial(_place, layout, config, durability or config.durability, uses_queue, accepts_clock, told)
    ledger = Ledger(opened(), opened)
    ledger.restore_if_needed(rewritten)
    return ledger


def open_plain(plain: Plain, *, accepts_clock: bool = False, sources: Sources | None = None) -> Ledger:
    """Open the ledger that an ordinary clone holds, to read it and to write events on its main.

    It has no locks, queue or journal: git itself, which people use beside it, knows none either. Everything is synced.
    """
    from ledger.storage.git import GitStore
    from ledger.storage.plain import signing_key

    told = sources or system_sources()
    key = signing_key(plain.git_dir)
    place = Place(
        store=GitStore(plain.git_dir, durable=True),
        now=told.now,
        random62=told.random62,
        find_redactor=_usual_redactor,
        host=told.host,
        person=told.person,
        accepts_clock=accepts_clock,
        sign=functools.partial(_signed, key) if key else None,
    )
    return Ledger(place)


def create_ledger(
    path: Path | str, *, project: str | None = None, accepts_clock: bool = False, sources: Sources | None = None
) -> tuple[Ledger, bool]:
    """Make a ledger in the folder `path`, or complete one that was left half-made; says whether it is new."""
    layout = opening.create(Path(path))
    config = read_config(layout.config)
    told = sources or system_sources()
    opened = functools.partial(_place, layout, config, config.durability, True, accepts_clock, told)
    ledger = Ledger(opened(), opened)
    ledger.restore_if_needed()
    done = found(ledger, project)
    return ledger, bool(done.events)


def user_folder() -> Path:
    """Where the ledger of the user's own lies, which counts in every project: in the data directory."""
    import platformdirs  # only who asks for this scope waits for it

    return Path(platformdirs.user_data_dir("context-ledger", appauthor=False)) / "user"


def user_ledger(*, sources: Sources | None = None) -> Ledger:
    """Open the ledger of the user's own; where there is none it is made."""
    folder = user_folder()
    return open_ledger(folder, sources=sources) if folder.is_dir() else create_ledger(folder, sources=sources)[0]


def found(ledger: Ledger, project: str | None = None) -> Appended:
    """Write the first event of a ledger; does nothing where it is written already."""
    import uuid

    from ledger.actions.append import Draft, create_root

    chance = ledger.place.random62() << 62 | ledger.place.random62()
    data = {"ledger": str(uuid.UUID(int=chance << 4, version=4)), "format": fold.FORMAT, "fold": fold.FOLD}
    data |= {"project": project} if project else {}
    return create_root(ledger.place, ledger.person().author, Draft("ledger.created", data))


def memory_ledger(redactor: Redactor | None = None, sources: Sources | None = None) -> Ledger:
    """A ledger that lives in memory only, under the same law and the same contract tests."""
    from ledger.storage.memory import MemoryStore

    told = sources or system_sources()
    place = Place(
        store=MemoryStore(),
        now=told.now,
        random62=told.random62,
        find_redactor=(lambda: redactor) if redactor else _usual_redactor,
        person=f"{told.user}@localhost",
    )
    ledger = Ledger(place)
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
        find_redactor=functools.cache(lambda: _own_redactor(config)) if custom else _usual_redactor,
        host=sources.host,
        person=sources.person,
        find_users=functools.partial(_users_place, layout.root, sources),
        layout=layout,
        payloads=PayloadStore(layout.payloads_dir, limit=config.max_attachment, durability=durability),
        heads=Heads(layout.heads),
        durability=durability,
        queue=Queue(layout.queue_lock) if uses_queue else None,
        accepts_clock=accepts_clock,
        sign=functools.partial(_signed, config.signing_key) if config.signing_key else None,
    )


def _signed(key: str, raw: bytes) -> bytes:
    from ledger.storage.signing import sign

    return sign(raw, key)


def _users_place(root: Path, sources: Sources, create: bool) -> Place | None:
    folder = user_folder()
    if root.resolve() == folder.resolve() or not (create or folder.is_dir()):
        return None
    return user_ledger(sources=sources).place


def _usual_redactor() -> Redactor:
    from ledger.core.redaction import default_redactor

    return default_redactor()


def _own_redactor(config: Config) -> Redactor:
    from ledger.core.redaction import Redactor

    return Redactor(config.redaction_rules, config.redaction_allow)


def _random62() -> int:
    # What `secrets` would give, which takes 5 ms to load.
    return int.from_bytes(os.urandom(8)) >> 2


def _user() -> str:
    # A container may run under a number that has no name.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user-{os.getuid()}"


__all__ = [
    "Ledger",
    "Sources",
    "create_ledger",
    "memory_ledger",
    "open_ledger",
    "system_sources",
    "user_ledger",
]
