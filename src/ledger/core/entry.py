"""An entry: the value of a key with the write that put it there, and the siblings that it beat unseen.

The rule of conflicts: when a write arrives, the siblings are what stood there, less what its writer saw
(`prev`), plus the write itself; the greatest id wins, and as the fold goes in the order of ids that is the
write that arrives. Policies that combine keep all siblings in one value instead, as far as they can; the
entry then names them in `merged`, or a writer who saw only one of them could undo the others unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.core.event import Event
from ledger.core.policies import DEFAULT, folding_policy
from ledger.core.policies.policy import EMPTY, Cell, Outcome, Value, Write
from ledger.core.state import Changes, Document, Reader, conflicts_path, context_path, session_path

MAX_LOSERS = 64  # the newest are kept in the state; all are in the events

Head = dict[str, str]  # a write that stands at a key: its event, session and time


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of a key: who wrote it when, under which policy, and the greatest id folded into it (`last`).

    `merged` names the writes that are combined into the value although its last writer had not seen them.
    """

    cell: Cell
    policy: str
    event: str
    session: str
    time: str
    last: str
    deleted: bool = False
    ttl: int | None = None
    merged: tuple[Head, ...] = ()

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
        if self.merged:
            document["merged"] = list(self.merged)
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
        merged=tuple(document.get("merged", ())),
    )


def siblings(entry: Document | None, conflicts: Document | None) -> list[str]:
    """The ids of the writes that stand at a key, sorted: what a writer who sees them names in `prev`.

    They are the winner, the writes combined into its value unseen, and the losers.
    """
    stand = [] if entry is None else [entry, *entry.get("merged", ())]
    return sorted({write["event"] for write in [*stand, *(conflicts or {}).get("losers", ())]})


def combine(reader: Reader, event: Event, key: str, fields: dict[str, Any]) -> Changes:
    """The changes of a write that its policy combines with what stands at `key`."""
    return _Slot(reader, event, key).write(fields, fields.get("policy", DEFAULT))


def assign(reader: Reader, event: Event, key: str, value: Value, policy: str, seen: frozenset[str]) -> Changes:
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
        self.path, self.conflicts = context_path(key, session), conflicts_path(key, session)
        self.entry = entry_of(reader.get(self.path))
        self.stood: Document | None = reader.get(self.conflicts)
        seen = event.seen if seen is None else seen
        self.unseen = tuple(head for head in _heads(self.entry) if head["event"] not in seen)
        losers = (self.stood or {}).get("losers", [])
        self.losers: list[Document] = [loser for loser in losers if loser["event"] not in seen]

    def write(self, fields: dict[str, Any], name: str) -> Changes:
        policy, entry = folding_policy(name), self.entry
        if entry is None or entry.deleted or entry.policy != name or not policy.combines:
            return self.replace(fields, name)
        outcome = policy.apply(entry.cell, Write(self.event.id, not self.unseen, fields))
        for value in outcome.lost:
            self._lose(entry, value)
        # A step says nothing of the time that the whole value has, so what was said before goes on to count.
        return self._changes(self._settled(outcome, name), name, {"ttl": entry.ttl, **fields}, merged=self.unseen)

    def replace(self, fields: dict[str, Any], name: str) -> Changes:
        outcome = folding_policy(name).apply(EMPTY, Write(self.event.id, True, fields))
        self._lose_unseen()
        return self._changes(self._settled(outcome, name), name, fields)

    def delete(self) -> Changes:
        self._lose_unseen()
        name = self.entry.policy if self.entry else DEFAULT
        return self._changes(EMPTY, name, {}, deleted=True)

    def _lose_unseen(self) -> None:
        if self.entry is not None and self.unseen:
            self._lose(self.entry, self.entry.cell.value)

    def _lose(self, entry: Entry, value: Value) -> None:
        author = self.unseen[-1] if self.unseen else _head(entry)
        what: Document = {"deleted": True} if entry.deleted else {"value": value}
        self.losers.append({**author, "policy": entry.policy, **what})

    def _settled(self, outcome: Outcome, name: str) -> Cell:
        for value in outcome.refused:
            self.losers.append({**_head(self.event), "policy": name, "value": value})
        return outcome.cell

    def _changes(
        self,
        cell: Cell,
        name: str,
        fields: dict[str, Any],
        *,
        deleted: bool = False,
        merged: tuple[Head, ...] = (),
    ) -> Changes:
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
            merged=merged[-MAX_LOSERS:],
        )
        changes: Changes = {self.path: entry.document()}
        losers = self.losers[-MAX_LOSERS:]
        if losers:
            changes[self.conflicts] = {"key": self.key, "last": event.id, "losers": losers}
        elif self.stood is not None:
            changes[self.conflicts] = None
        return changes


def _head(write: Event | Entry) -> Head:
    event = write.id if isinstance(write, Event) else write.event
    return {"event": event, "session": write.session, "time": write.time}


def _heads(entry: Entry | None) -> tuple[Head, ...]:
    """The writes that stand in an entry, the winner last."""
    return () if entry is None else (*entry.merged, _head(entry))
