"""Export as JSON: the whole state of one moment, with the events that led to it where asked."""

from __future__ import annotations

from typing import Any

from ledger.actions.find import find_commit
from ledger.actions.log import list_events
from ledger.actions.tip import event_id
from ledger.core.state import LEDGER, POLICY
from ledger.storage.place import Place
from ledger.storage.tree import TreeReader

FOLDERS = ("context", "conflicts", "sessions", "tasks", "leases")

Document = dict[str, Any]


def export_json(place: Place, at: str | None = None, *, with_events: bool = False) -> Document:
    """The state at a REV (main without one) as one document; the same state gives the same document.

    Each part maps a name (a key, an id, a path within a session) to its state file. `events` lists the
    envelopes, the oldest first.
    """
    oid = find_commit(place, at or "main")
    commit = place.store.commit(oid)
    reader = TreeReader(place.store, commit.tree)
    document: Document = {
        "format": 1,
        "commit": oid,
        "event": str(event_id(commit)),
        "tree": commit.tree,
        "ledger": reader.get(LEDGER),
        "policy": reader.get(POLICY),
    }
    document |= {folder: _under(reader, f"{folder}/") for folder in FOLDERS}
    if with_events:
        events = [logged.event.document() for logged in list_events(place, oid)]
        document["events"] = sorted(events, key=_id)
    return document


def _under(reader: TreeReader, folder: str) -> Document:
    return {path[len(folder) : -len(".yaml")]: document for path, document in reader.under(folder)}


def _id(event: Document) -> str:
    return str(event["id"])
