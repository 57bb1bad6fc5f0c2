"""Exchange: sync with every remote that is due, without anybody asking.

Due is what the remote has not got, some seconds after the last exchange, so that many events go with one push; and
every minute or so a look at what is there. Hosted servers advise a few pushes a minute.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.actions.find import main_tip
from ledger.actions.presence import presence
from ledger.actions.sync import sync
from ledger.errors import LedgerError
from ledger.storage.exchanged import Exchanged, exchanged
from ledger.storage.layout import Layout
from ledger.storage.place import Place
from ledger.storage.remotes import Remote, list_remotes
from ledger.storage.store import Oid
from ledger.storage.switches import ALL, REMOTE, SYNC, is_off

GIVES_AFTER = 15_000_000  # microseconds from one exchange to the next where there is something to give
LOOKS_AFTER = 60_000_000  # and where there is nothing


def is_due(main: Oid, state: Exchanged, now: int) -> bool:
    """Whether a remote is to be met now, by what is remembered of it."""
    if state.breaker.state(now) == "open":
        return False
    since = now - max(state.tried, state.synced)
    # A clock that was set back must not keep us from it for longer.
    # Where many push, each push that is in vain makes the next one of others more likely so: all step back.
    return since < 0 or since >= (LOOKS_AFTER if main == state.seen else GIVES_AFTER << state.crowd)


def due_remotes(place: Place, layout: Layout) -> list[Remote]:
    """The remotes that are to be met now."""
    if any(is_off(layout, switch) for switch in (ALL, SYNC, REMOTE)):
        return []
    main, now = main_tip(place), place.now()
    return [one for one in list_remotes(layout.git_dir) if is_due(main, exchanged(layout, one.name), now)]


def exchange(place: Place, layout: Layout) -> Iterator[LedgerError]:
    """Meet each remote that is due; gives what went wrong, where that is not what went wrong the last time."""
    for remote in due_remotes(place, layout):
        before = exchanged(layout, remote.name).error
        try:
            sync(place, remote)
        except LedgerError as error:
            if exchanged(layout, remote.name).error != before:
                yield error


def has_ungiven(place: Place, layout: Layout) -> bool:
    """Whether some remote lacks what main has, and could be asked now."""
    main, now = main_tip(place), place.now()
    states = (exchanged(layout, one.name) for one in list_remotes(layout.git_dir))
    return any(state.seen != main and state.breaker.state(now) != "open" for state in states)


def is_anybody_there(place: Place) -> bool:
    """Whether a session is alive on this machine."""
    return any(one.state in ("working", "waiting") for one in presence(place))
