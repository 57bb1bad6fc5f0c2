"""Ahead: what the next hooks that answer would have to find out, found out while nobody waits for it.

Before an edit there is nothing to say while nobody holds a lease, nor at a prompt while nobody else has written. Where
that is noted for the commit at which main stands, a hook sees it in a millisecond, and the ledger is not opened.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.actions.find import main_tip
from ledger.actions.news import since
from ledger.actions.read import reader_at
from ledger.api import Ledger
from ledger.errors import NotFoundError
from ledger.storage import live, told
from ledger.storage.store import Oid
from ledger.storage.told import Told


def look_ahead(ledger: Ledger) -> None:
    """Note for main as it stands that nobody holds a lease, and for which living sessions there is nothing new."""
    layout, tip = ledger.layout, main_tip(ledger.place)
    if told.without_leases(layout) != tip and not any(reader_at(ledger.place, tip).under("leases/")):
        told.remember_without_leases(layout, tip)
    for session, before in _behind(ledger, tip):
        if _has_no_news(ledger, session, before.tip):
            told.remember(layout, session, before._replace(tip=tip))


def _behind(ledger: Ledger, tip: Oid) -> Iterator[tuple[str, Told]]:
    """The sessions that live and were told last of an older commit."""
    found = live.look_at_all(ledger.layout)
    for session, before in told.all_told(ledger.layout):
        one = found.get(session)
        if before.tip not in ("", tip) and one is not None and one.verdict != "dead":
            yield session, before


def _has_no_news(ledger: Ledger, session: str, seen: Oid) -> bool:
    try:
        return since(ledger.place, session, seen).is_empty
    except NotFoundError:  # a commit of another ledger, or of an epoch that is over
        return False
