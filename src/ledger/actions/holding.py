"""Holding: which leases are live, who holds and who waits. Only read here; actions/lease.py writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.actions.find import main_tip
from ledger.actions.owner import agent_of
from ledger.actions.read import reader_at
from ledger.actions.tip import event_id, newest_id
from ledger.core.leases import Lease, Moment, before, ends_at, live_in
from ledger.core.state import Reader
from ledger.storage.place import Place


@dataclass(frozen=True, slots=True)
class Standing:
    """A live lease as it was judged: when it runs out (microseconds since 1970), and the leases that it waits for."""

    lease: Lease
    agent: str
    ends: int
    waits_for: tuple[Lease, ...]

    @property
    def holds(self) -> bool:
        """Whether it is its owner's turn."""
        return not self.waits_for


def live_leases(place: Place) -> list[Standing]:
    """Every live lease of main, in the order of ids, with who holds and who waits."""
    reader, moment = reader_at(place), moment_at(place)
    live = live_in(reader, moment)
    return [standing(reader, moment, lease, live) for lease in live]


def moment_at(place: Place) -> Moment:
    """The moment at which leases are judged now: by the local clock, and by main's newest event."""
    newest = newest_id(reader_at(place), event_id(place.store.commit(main_tip(place))))
    return Moment.of(place.now(), newest)


def standing(reader: Reader, moment: Moment, lease: Lease, live: Sequence[Lease]) -> Standing:
    """A lease as it is judged, among the live ones of its state."""
    return Standing(lease, agent_of(reader, lease.session), ends_at(lease, moment), tuple(before(lease, live)))
