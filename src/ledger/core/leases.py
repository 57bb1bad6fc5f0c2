"""Leases as they are judged: which are live, which exclude one another, and who holds.

Judged by readers, never by the fold, from the leases of a state and a moment alone: whoever has the same state
and the same moment comes to the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ledger.core.clock import MAX_AHEAD, micros
from ledger.core.ids import EventId
from ledger.core.state import Document, Reader, session_path
from ledger.errors import InvalidError, Problem

SECOND = 1_000_000
DEFAULT_TTL = 600  # seconds
MAX_TTL = 604_800

_FOLDER = "leases/"
_EVERYTHING = "."
# Clocks may differ by so much before a writer is refused; beyond it, nobody can still believe a lease live.
_FORGOTTEN = MAX_AHEAD * 1000


class Moment(NamedTuple):
    """When leases are judged, in microseconds since 1970: by the local clock, and by the newest event of the ledger."""

    clock: int
    newest: int

    @classmethod
    def of(cls, clock: int, newest: EventId) -> Moment:
        """The moment of a clock and a ledger's newest event."""
        return cls(clock, newest.millis * 1000)

    @property
    def latest(self) -> int:
        """The later of the two."""
        return max(self)


class Claim(Protocol):
    """What decides whether two exclude one another: a lease, or the wish for one."""

    @property
    def session(self) -> str:
        """Whose it is."""

    @property
    def on(self) -> tuple[str, ...]:
        """The names."""

    @property
    def is_shared(self) -> bool:
        """Whether others may share it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease of a state; `ttl` in seconds, `acquired` and `renewed` in microseconds since 1970."""

    id: str
    session: str
    on: tuple[str, ...]
    mode: str
    ttl: int
    acquired: int
    renewed: int
    event: EventId
    because: str = ""

    @property
    def is_shared(self) -> bool:
        """Whether others may share it."""
        return self.mode == "shared"

    @property
    def stamped(self) -> int:
        """When it was acquired or renewed last, by the id of that event: by the latest clock its writer knew of."""
        return self.event.millis * 1000


def lease_of(path: str, document: Document) -> Lease:
    """The lease that a document of a state is."""
    return Lease(
        id=path[len(_FOLDER) : -len(".yaml")],
        session=document["session"],
        on=tuple(document["on"]),
        mode=document["mode"],
        ttl=document["ttl"],
        acquired=micros(document["acquired"]),
        renewed=micros(document["renewed"]),
        event=EventId(document["event"]),
        because=document.get("because", ""),
    )


def leases_in(reader: Reader) -> Iterator[Lease]:
    """Every lease of a state, live or not, in the order of ids."""
    return (lease_of(path, document) for path, document in reader.under(_FOLDER))


def live_in(reader: Reader, moment: Moment) -> list[Lease]:
    """The leases of a state that are live: not run out, and of a session that has not ended; in the order of ids."""
    return live_among(leases_in(reader), reader, moment)


def live_among(leases: Iterable[Lease], reader: Reader, moment: Moment) -> list[Lease]:
    """Those of a state's leases that are live; to read them all takes longer than to judge them."""
    return [lease for lease in leases if is_live(lease, moment) and is_owned(lease, reader)]


def is_owned(lease: Lease, reader: Reader) -> bool:
    """Whether the owner is still on the roster: the end of a session ends what it held."""
    return reader.get(session_path(lease.session)) is not None


def is_live(lease: Lease, moment: Moment) -> bool:
    """Whether a lease has not run out.

    Where all clocks agree, both halves say the same. Where the local clock is ahead, the ids of the others' events
    have followed it (they never sort before what their writer saw), so the first half keeps what they renew. Where
    somebody else's clock is ahead, the second half keeps what was acquired before that clock was known.
    """
    return moment.latest < lease.stamped + _span(lease) or moment.clock < _told(lease) + _span(lease)


def ends_at(lease: Lease, moment: Moment) -> int:
    """When the lease runs out unless it is renewed, in microseconds since 1970."""
    is_stamp_later = moment.latest < lease.stamped + _span(lease)
    return (lease.stamped if is_stamp_later else _told(lease)) + _span(lease)


def is_due(lease: Lease, moment: Moment) -> bool:
    """Whether its owner should renew it: half of its time is over, by either clock."""
    half = _span(lease) // 2
    return moment.latest >= lease.stamped + half or moment.clock >= _told(lease) + half


def is_forgotten(lease: Lease, moment: Moment) -> bool:
    """Whether it ran out so long ago that whatever clock a writer has, it is over."""
    return min(moment) >= lease.stamped + _span(lease) + _FORGOTTEN


def before(lease: Lease, live: Iterable[Lease]) -> list[Lease]:
    """The live leases that it waits for: smaller ids that exclude it. It holds where there is none.

    A lease waits for those too that wait themselves: else it would hold now and lose what it holds when the one
    that both wait for is given back.
    """
    return [other for other in live if other.id < lease.id and do_exclude(other, lease)]


def do_exclude(one: Claim, two: Claim) -> bool:
    """Whether two cannot hold together: not of one session, one of them exclusive, and they overlap."""
    is_shared = one.is_shared and two.is_shared
    return one.session != two.session and not is_shared and do_overlap(one.on, two.on)


def do_overlap(one: Iterable[str], two: Sequence[str]) -> bool:
    """Whether two lists of names have something in common: a name that is equal, or lies below one of the other."""
    return any(_do_meet(_segments(a), _segments(b)) for a in one for b in two)


def plain_names(names: Sequence[str]) -> list[str]:
    """The names as a lease keeps them, each once: `./src//a/` and `src/a/**` are `src/a`, and `.` is everything.

    Raises InvalidError with every name that cannot be one.
    """
    broken = [Problem(name, rule) for name in names for rule in _rules_against(name)]
    if broken:
        raise InvalidError(
            "a lease cannot be on this:", broken, hint="name a file or a folder as seen from the project's root"
        )
    return list(dict.fromkeys(plain_name(name) for name in names))


def plain_name(name: str) -> str:
    """One name as a lease keeps it."""
    return "/".join(_segments(name)) or _EVERYTHING


def _rules_against(name: str) -> Iterator[str]:
    if not name.strip():
        yield "is empty"
    if name.startswith("/"):
        yield "begins with a slash"
    segments = _segments(name)
    if ".." in segments:
        yield "leads upwards ('..')"
    # A folder covers all below it, so patterns would only add ways to be wrong: two of them can overlap unseen.
    if any("*" in segment for segment in segments):
        yield "is a pattern; a folder covers all that lies below it"


def _segments(name: str) -> tuple[str, ...]:
    segments = [segment for segment in name.split("/") if segment not in ("", ".")]
    while segments and segments[-1] == "**":
        segments.pop()
    return tuple(segments)


def _do_meet(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(two))
    return one[:shorter] == two[:shorter]


def _span(lease: Lease) -> int:
    return lease.ttl * SECOND


def _told(lease: Lease) -> int:
    # A time can be told, an id comes from a clock: one that was told ahead of it counts no further.
    return min(lease.renewed, lease.stamped)
