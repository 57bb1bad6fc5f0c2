"""Lease: claim paths or names for a time, so that two sessions do not work on the same thing unawares.

Whether something is free is judged under the queue lock, on the very state that the lease is appended to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from ledger.actions.append import Appended, Draft, Writer, stays_apart
from ledger.actions.find import main_tip
from ledger.actions.holding import Standing, live_leases, moment_at, standing
from ledger.actions.owner import shown, why_gone
from ledger.actions.read import reader_at, seen_by
from ledger.core.clock import stamp
from ledger.core.ids import EventId
from ledger.core.leases import (
    DEFAULT_TTL,
    Lease,
    Moment,
    do_exclude,
    ends_at,
    is_due,
    is_forgotten,
    is_live,
    is_owned,
    lease_of,
    leases_in,
    live_among,
    live_in,
    plain_name,
    plain_names,
)
from ledger.core.state import Reader, lease_path
from ledger.errors import AmbiguousError, BusyError, NotFoundError, RefusedError, UsageError
from ledger.storage.place import Place
from ledger.storage.switches import SYNC, require_on
from ledger.storage.tree import TreeReader

if TYPE_CHECKING:
    from ledger.actions.session import Session

_PAUSE = 0.1  # seconds between two looks at main's ref while waiting
_PATIENCE = 1.0  # seconds after which it is judged again though main has not moved: an owner may have died
_SWEPT = 64  # leases that are over, freed by one acquisition at most


class HeldError(RefusedError):
    """Another session's lease stands in the way; `holders` are those leases (exit 4)."""

    def __init__(self, message: str, holders: Sequence[Lease], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.holders = tuple(holders)


def acquire(
    place: Place,
    session: Session,
    on: Sequence[str],
    *,
    shared: bool = False,
    ttl: int = DEFAULT_TTL,
    because: str | None = None,
    wait: float = 0,
) -> Standing:
    """Claim paths or names for `ttl` seconds; what the session holds in just this way already is renewed.

    Leases in the way whose owner has ended, or is proven dead, are released first. Raises HeldError where another
    session's stands in the way, with `wait` BusyError when it still does after so many seconds; InvalidError for
    names that cannot be leased; RefusedError where nobody else would see it: the session is private, or sync is off.
    """
    wish = _Wish(session.id, tuple(plain_names(on)), shared, ttl, because)
    deadline = time.monotonic() + wait
    while True:
        try:
            return _acquire(place, session, wish)
        except HeldError as held:
            if wait <= 0:
                raise
            _await_change(place, held, deadline, wait)


def renew(
    place: Place, session: Session, names: Sequence[str] = (), ttl: int | None = None, *, only_due: bool = False
) -> list[Standing]:
    """Renew the session's leases of these names or ids, all that have not run out unless some are named.

    With `only_due`, of these the ones of which half of the time is over. Raises NotFoundError for what is not
    there, RefusedError for what is another's, HeldError where it ran out and somebody else holds now.
    """
    leases = _named(place, session, names) if names else _own_live(place, session)
    if only_due:
        leases = [lease for lease in leases if is_due(lease, moment_at(place))]
    done = session.write([_renewing(place, session, lease, ttl) for lease in leases]) if leases else Appended()
    return [_written(place, done, lease.id) for lease in leases]


def renew_if_due(place: Place, session: Session, lease: Lease) -> bool:
    """Renew one of the session's leases if half of its time is over; whether it was renewed."""
    document = seen_by(place, session.id).get(lease_path(lease.id))
    if document is not None and not is_due(lease_of(lease_path(lease.id), document), moment_at(place)):
        return False
    renew(place, session, [lease.id])
    return True


def release(
    place: Place, session: Session, names: Sequence[str] = (), *, force: bool = False, because: str | None = None
) -> list[Lease]:
    """Give leases back, those of these names or ids, all of the session's unless some are named; gives those back.

    Of others, it releases those whose owner has ended or is proven dead; any other only with `force`, and then
    `because` says why. Raises NotFoundError, AmbiguousError, RefusedError.
    """
    if force and not because:
        raise UsageError("to take a lease by force, say why", hint="--because 'its agent hangs'")
    leases = _named(place, session, names) if names else _own(place, session)
    if leases:
        session.write([_releasing(place, session.id, lease, because, force=force) for lease in leases])
    return leases


@contextmanager
def leased(
    place: Place,
    session: Session,
    on: Sequence[str],
    *,
    shared: bool = False,
    ttl: int = DEFAULT_TTL,
    because: str | None = None,
    wait: float = 0,
) -> Iterator[Lease]:
    """Hold a lease for the block, and give it back at the end; work that takes longer calls `renew_if_due`.

    What the session held before the block in just this way, it keeps after it.
    """
    lease = acquire(place, session, on, shared=shared, ttl=ttl, because=because, wait=wait).lease
    is_new = lease.event == lease.id
    try:
        yield lease
    finally:
        if is_new:
            session.write([_releasing(place, session.id, lease)])


class _Wish(NamedTuple):
    session: str
    on: tuple[str, ...]
    is_shared: bool
    ttl: int
    because: str | None

    def is_met_by(self, lease: Lease) -> bool:
        is_same = lease.session == self.session and set(lease.on) == set(self.on)
        return is_same and lease.is_shared == self.is_shared and self.because in (None, lease.because)

    def draft(self) -> Draft:
        data = {"on": list(self.on), "mode": "shared" if self.is_shared else "exclusive", "ttl": self.ttl}
        return Draft("lease.acquired", data | ({"because": self.because} if self.because else {}))


def _acquire(place: Place, session: Session, wish: _Wish) -> Standing:
    _refuse_unseen(place, session)
    reader, moment = reader_at(place), moment_at(place)
    leases = list(leases_in(reader))
    over = [lease for lease in leases if _why_over(place, reader, moment, lease, wish)][:_SWEPT]
    # Asked before the lock is taken too: whoever waits for long asks often.
    _refuse_held(reader, moment, wish, live_among([lease for lease in leases if lease not in over], reader, moment))
    done = session.write([*(_sweeping(place, lease, wish) for lease in over), _acquiring(place, session, wish)])
    event = done.events[-1]
    return _written(place, done, str(event.data.get("lease", event.id)), live=())


def _acquiring(place: Place, session: Session, wish: _Wish) -> Writer:
    def write(reader: Reader) -> Draft:
        _refuse_unseen(place, session)
        moment = moment_at(place)
        live = live_in(reader, moment)
        _refuse_held(reader, moment, wish, live)
        held = next((lease for lease in live if wish.is_met_by(lease)), None)
        return wish.draft() if held is None else Draft("lease.renewed", {"lease": held.id, "ttl": wish.ttl})

    return write


def _refuse_unseen(place: Place, session: Session) -> None:
    """Raise RefusedError where what the session writes stays on its own line: a lease unseen keeps nobody out."""
    if not stays_apart(place, session.author):
        return
    require_on(place.layout, SYNC)
    raise RefusedError(
        "a private session cannot hold a lease: nobody else would see it",
        hint="acquire it as another session: ledger lease acquire … --session ID",
    )


def _refuse_held(reader: Reader, moment: Moment, wish: _Wish, live: Sequence[Lease]) -> None:
    in_the_way = [lease for lease in live if do_exclude(lease, wish)]
    if in_the_way:
        raise _held(reader, moment, in_the_way)


def _why_over(place: Place, reader: Reader, moment: Moment, lease: Lease, wish: _Wish) -> str | None:
    """Why a lease is to be freed first: in the way, though its owner is gone; or over, and nobody asks for it."""
    is_own = lease.session == wish.session
    if is_forgotten(lease, moment) or (is_own and not is_live(lease, moment)):
        return "it has run out"
    # One of another session that ran out by this clock stays: where this clock is wrong, its owner still renews it.
    if is_owned(lease, reader) and not (is_live(lease, moment) and do_exclude(lease, wish)):
        return None
    return why_gone(place, reader, lease.session)


def _sweeping(place: Place, lease: Lease, wish: _Wish) -> Writer:
    def write(reader: Reader) -> Draft | None:
        now = _still(reader, lease)
        why = None if now is None else _why_over(place, reader, moment_at(place), now, wish)
        return Draft("lease.released", {"lease": lease.id, "because": why}) if why else None

    return write


def _renewing(place: Place, session: Session, lease: Lease, ttl: int | None) -> Writer:
    def write(reader: Reader) -> Draft:
        _refuse_unseen(place, session)
        now, moment = _still(reader, lease), moment_at(place)
        if now is None:
            raise NotFoundError(f"lease {lease.id} is no longer there", hint="acquire it again: ledger lease acquire")
        if lease.session != session.id:
            raise RefusedError(
                f"{', '.join(lease.on)} is leased by {shown(reader, lease.session)}: only its owner renews it",
                hint="`ledger lease acquire` says when it may be free",
            )
        live = live_in(reader, moment)
        if now not in live and any(do_exclude(other, now) for other in live):
            raise _held(reader, moment, [other for other in live if do_exclude(other, now)])
        return Draft("lease.renewed", {"lease": lease.id} | ({"ttl": ttl} if ttl is not None else {}))

    return write


def _releasing(place: Place, session: str, lease: Lease, because: str | None = None, *, force: bool = False) -> Writer:
    def write(reader: Reader) -> Draft | None:
        if _still(reader, lease) is None:
            return None
        why = because
        if lease.session != session and not force:
            why = _require_gone(place, reader, lease)
        return Draft("lease.released", {"lease": lease.id} | ({"because": why} if why else {}))

    return write


def _require_gone(place: Place, reader: Reader, lease: Lease) -> str:
    why = why_gone(place, reader, lease.session)
    if why is None:
        raise RefusedError(
            f"{', '.join(lease.on)} is leased by {shown(reader, lease.session)}, which is not known to be dead",
            hint=f"where it cannot go on: ledger lease release {lease.id[:18]} --force --because WHY",
        )
    return why


def _still(reader: Reader, lease: Lease) -> Lease | None:
    document = reader.get(lease_path(lease.id))
    return None if document is None else lease_of(lease_path(lease.id), document)


def _held(reader: Reader, moment: Moment, holders: Sequence[Lease]) -> HeldError:
    told = [_told(reader, moment, lease) for lease in holders]
    return HeldError(
        "\n".join([f"{', '.join(holders[0].on)} is leased by {shown(reader, holders[0].session)}:", *told]),
        holders,
        hint=f"wait with --wait 10m, or {_otherwise(holders)}",
    )


def _otherwise(holders: Sequence[Lease]) -> str:
    release = f"ledger lease release {holders[0].id[:18]} --force --because WHY"
    return f"work on something else; where its owner cannot go on: {release}"


def _told(reader: Reader, moment: Moment, lease: Lease) -> str:
    who, since, until = shown(reader, lease.session), _minute(lease.acquired), _minute(ends_at(lease, moment))
    reason = f": {lease.because}" if lease.because else ""
    return f"  {', '.join(lease.on)}, {lease.mode}, by {who} since {since} until {until} at least{reason}"


def _minute(moment: int) -> str:
    return f"{stamp(moment)[:19]}Z"


def _await_change(place: Place, held: HeldError, deadline: float, wait: float) -> None:
    """Return when the lease may be free by now; raises BusyError after the deadline."""
    tip, judged = main_tip(place), time.monotonic()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            hint = f"wait longer, or {_otherwise(held.holders)}"
            raise BusyError(f"{held.message}\n  still so after {wait:g} s", hint=hint) from held
        time.sleep(min(left, _PAUSE))
        if main_tip(place) != tip or time.monotonic() - judged >= _PATIENCE:
            return


def _own(place: Place, session: Session) -> list[Lease]:
    return [lease for lease in leases_in(seen_by(place, session.id)) if lease.session == session.id]


def _own_live(place: Place, session: Session) -> list[Lease]:
    return [lease for lease in _own(place, session) if is_live(lease, moment_at(place))]


def _named(place: Place, session: Session, names: Sequence[str]) -> list[Lease]:
    leases = list(leases_in(seen_by(place, session.id)))
    found = [_find(leases, session.id, name) for name in names]
    return list({lease.id: lease for lease in found}.values())


def _find(leases: Sequence[Lease], session: str, name: str) -> Lease:
    """The lease that a name means: on just that, the session's own before others'; or by its id, from the start."""
    fitting = [lease for lease in leases if plain_name(name) in lease.on]
    found = [lease for lease in fitting if lease.session == session] or fitting
    if not found:
        found = [lease for lease in leases if len(name) >= 4 and lease.id.startswith(name.lower())]
    if not found:
        raise NotFoundError(f"no lease is on {name!r}, or has that id", hint="`ledger lease list` lists them")
    if len(found) > 1:
        raise AmbiguousError(
            f"{name!r} fits {len(found)} leases: {', '.join(lease.id for lease in found[:5])}",
            matches=[lease.id for lease in found],
            hint="give the id of the one you mean",
        )
    return found[0]


def _written(place: Place, done: Appended, lease: str, live: Sequence[Lease] | None = None) -> Standing:
    """A lease as a write left it; `live`, those that it may wait for, where that is known already."""
    reader = TreeReader(place.store, place.store.commit(done.commits[-1]).tree)
    moment = Moment.of(place.now(), EventId(done.events[-1].id))
    found = lease_of(lease_path(lease), reader.get(lease_path(lease)) or {})
    return standing(reader, moment, found, live_in(reader, moment) if live is None else live)


__all__ = [
    "HeldError",
    "Standing",
    "acquire",
    "leased",
    "live_leases",
    "moment_at",
    "release",
    "renew",
    "renew_if_due",
]
