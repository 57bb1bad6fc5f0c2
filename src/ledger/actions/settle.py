"""Settle: a session whose process went while it waited for somebody has ended; its agent only did not say so.

Many agents tell their hooks nothing when they are closed or killed. Nobody was in the middle of anything then. One
whose process went while it worked has crashed, and stays that way until somebody looks after it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from ledger.actions.roster import all_sessions
from ledger.actions.tip import Author
from ledger.core.state import Reader
from ledger.storage import live
from ledger.storage.layout import Layout
from ledger.storage.place import Place

if TYPE_CHECKING:
    from ledger.actions.append import Draft, Writer

# What writes is imported where it is used: most often everybody lives, and whoever asks only reads.

REASON = "its process is gone"


def settle(place: Place) -> list[str]:
    """End the sessions, recorded by hooks, whose process is proven dead and that waited; gives back their ids.

    Raises what `append_shared` raises.
    """
    layout = place.layout
    if layout is None:
        return []
    left = [session for session, found in live.look_at_all(layout).items() if _waited(found)]
    return _end_all(place, layout, left) if left else []


def _end_all(place: Place, layout: Layout, sessions: Collection[str]) -> list[str]:
    from ledger.recording.payloads.dialects import DIALECTS

    roster = all_sessions(place)
    agents = {session: str(roster[session].get("agent")) for session in sessions if session in roster}
    return [s for s, agent in agents.items() if agent in DIALECTS and _end(place, layout, s, agent)]


def _waited(found: live.Live) -> bool:
    claim = found.claim
    return found.verdict == "dead" and claim is not None and claim.doing == "waiting" and not claim.lasting


def _end(place: Place, layout: Layout, session: str, agent: str) -> bool:
    from ledger.actions.append import append_shared

    done = append_shared(place, Author(session, agent), [_unless_back(layout, session)])
    found = live.look(layout, session)
    if found is not None and found.claim is not None and _waited(found):
        live.leave(layout, session, found.claim.nonce)
    return bool(done.events)


def _unless_back(layout: Layout, session: str) -> Writer:
    """The end of a session, unless somebody has begun to go on with it: a claim comes before what it writes."""
    from ledger.actions.session import ending

    end = ending(session, REASON)

    def write(reader: Reader) -> Draft | None:
        found = live.look(layout, session)
        return end(reader) if found is not None and _waited(found) else None

    return write
