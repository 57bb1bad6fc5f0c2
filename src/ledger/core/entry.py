"""An entry: the value of a key with the write that put it there, and the siblings that it beat unseen.

The rule of conflicts: when a write arrives, the siblings are what stood there, less what its writer saw
(`prev`), plus the write itself; the greatest id wins, and as the fold goes in the order of ids that is the
write that arrives. Policies that combine keep all siblings in one value instead, as far as they can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.core.event import Event
from ledger.core.policies import folding_policy
from ledger.core.policies.policy import EMPTY, Cell, Value, Write
from ledger.core.state import Changes, Document, Reader, conflicts_path, context_path, session_path

MAX_LOSERS = 64  # the newest are kept in the state; all are in the events


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of a key: who wrote it when, under which policy, and the greatest id folded into it (`last`)."""

    cell: Cell
    policy: str
    event: str
    session: str
    time: str
    last: str
    deleted: bool = False
    ttl: int | None = None

    def document(self) -> Document:
        """The entry as it lies in its state file; a deleted one is a tombstone."""
        document: Document = {
            "event": self.event,
            "last": self.last,
            "policy": self.policy,
            "session": self.session,
            "time": self.time,
        }
        if self.deleted:
            document["deleted"] = True
            return document
        document["value"] = self.cell.value
        if self.cell.marks:
            document["marks"] = self.cell.marks
        if self.ttl is not None:
            document["ttl"] = self.ttl
        return document


def entry_of(document: Document | None) -> Entry | None:
    """Read the document of an entry."""
    if document is None:
        return None
    return Entry(
        cell=Cell(document.get("value"), document.get("marks", {})),
        policy=document["policy"],
        event=document["event"],
        session=document["session"],
        time=document["time"],
        last=document["last"],
        deleted=document.get("deleted", False),
        ttl=document.get("ttl"),
    )


def siblings(entry: Document | None, conflicts: Document | None) -> list[str]:
    """The ids of the writes that stand at a key: the winner and the losers, sorted; what a writer names in `prev`."""
    heads = {loser["event"] for loser in (conflicts or {}).get("losers", ())}
    return sorted(heads | ({entry["event"]} if entry else set()))


def combine(reader: Reader, event: Event, key: str, fields: dict[str, Any]) -> Changes:
    """The changes of a write that its policy combines with what stands at `key`."""
    return _Slot(reader, event, key).write(fields, fields.get("policy", "lww"))


def assign(
    reader: Reader, event: Event, key: str, value: Value, policy: str, seen: frozenset[str]
) -> Changes:
    """The changes of a write that replaces what stands at `key` as a whole, under any policy."""
    wanted = folding_policy(policy)
    fields = wanted.diff(EMPTY, value).fields if not wanted.problems(value) else {"value": value}
    return _Slot(reader, event, key, seen).replace(fields, policy)


def delete(reader: Reader, event: Event, key: str, seen: frozenset[str]) -> Changes:
    """The changes of a delete: a small tombstone."""
    return _Slot(reader, event, key, seen).delete()


class _Slot:
    """One key in one state, and one event that writes it."""

    def __init__(self, reader: Reader, event: Event, key: str, seen: frozenset[str] | None = None) -> None:
        session = event.session if event.data.get("scope") == "session" else None
        # An event of a session that has no entry changes nothing in it.
        self.is_void = session is not None and reader.get(session_path(session)) is None
        self.event, self.key = event, key
        self.seen = event.seen if seen is None else seen
        self.path, self.conflicts = context_path(key, session), conflicts_path(key, session)
        self.entry = entry_of(reader.get(self.path))
        self.stood: Document | None = reader.get(self.conflicts)
        losers = (self.stood or {}).get("losers", [])
        self.losers: list[Document] = [loser for loser in losers if loser["event"] not in self.seen]

    def write(self, fields: dict[str, Any], name: str) -> Changes:
        policy, entry = folding_policy(name), self.entry
        if entry is None or entry.deleted or entry.policy != name or not policy.combines:
            return self.replace(fields, name)
        saw_all = entry.event in self.seen
        cell, lost = policy.apply(entry.cell, Write(self.event.id, saw_all, fields))
        for value in lost:
            self._lose(entry, value)
        return self._changes(cell, name, fields)

    def replace(self, fields: dict[str, Any], name: str) -> Changes:
        cell, _ = folding_policy(name).apply(EMPTY, Write(self.event.id, True, fields))
        self._lose_unseen()
        return self._changes(cell, name, fields)

    def delete(self) -> Changes:
        self._lose_unseen()
        name = self.entry.policy if self.entry else "lww"
        return self._changes(EMPTY, name, {}, deleted=True)

    def _lose_unseen(self) -> None:
        if self.entry is not None and self.entry.event not in self.seen:
            self._lose(self.entry, self.entry.cell.value)

    def _lose(self, entry: Entry, value: Value) -> None:
        loser: Document = {
            "event": entry.event,
            "policy": entry.policy,
            "session": entry.session,
            "time": entry.time,
        }
        loser |= {"deleted": True} if entry.deleted else {"value": value}
        self.losers.append(loser)

    def _changes(self, cell: Cell, name: str, fields: dict[str, Any], *, deleted: bool = False) -> Changes:
        if self.is_void:
            return {}
        event = self.event
        entry = Entry(
            cell=cell,
            policy=name,
            event=event.id,
            session=event.session,
            time=event.time,
            last=event.id,
            deleted=deleted,
            ttl=fields.get("ttl"),
        )
        changes: Changes = {self.path: entry.document()}
        losers = self.losers[-MAX_LOSERS:]
        if losers:
            changes[self.conflicts] = {"key": self.key, "last": event.id, "losers": losers}
        elif self.stood is not None:
            changes[self.conflicts] = None
        return changes
