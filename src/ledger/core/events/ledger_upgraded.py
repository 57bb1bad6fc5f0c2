"""`ledger.upgraded`: from here on the ledger needs a newer fold or format; older programs read, but never write."""

from __future__ import annotations

from ledger.core.event import Event
from ledger.core.events.kind import Data, Kind, Titles
from ledger.core.state import LEDGER, Changes, Reader


def titles(data: Data) -> Titles:
    return f"fold {data['fold']}", f"format {data['format']}"


def footprint(event: Event) -> tuple[str, ...]:
    return (LEDGER,)


def apply(reader: Reader, event: Event) -> Changes:
    document = reader.get(LEDGER)
    if document is None:
        return {}
    raised = {name: max(document[name], event.data[name]) for name in ("fold", "format")}
    return {LEDGER: document | raised | {"event": event.id, "last": event.id}}


KIND = Kind(
    type="ledger.upgraded",
    titles=titles,
    footprint=footprint,
    apply=apply,
    by_ledger="when a newer program raises its format",
)
