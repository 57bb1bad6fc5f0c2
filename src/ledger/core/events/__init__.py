"""Event types: one file each, found by its name; what several share lies in a file named for the noun."""

from __future__ import annotations

import functools
import importlib
from typing import cast

from ledger.core.event import Event, subject
from ledger.core.events.kind import Kind
from ledger.core.upcast import upcast

TYPES = (
    "ledger.created",
    "ledger.upgraded",
    "policy.set",
    "session.started",
    "session.resumed",
    "session.ended",
    "session.crashed",
    "session.recovered",
    "prompt.submitted",
    "turn.ended",
    "tool.completed",
    "tool.failed",
    "subagent.started",
    "subagent.ended",
    "compaction.started",
    "usage.reported",
    "transcript.appended",
    "agent.other",
    "context.set",
    "context.deleted",
    "context.added",
    "context.removed",
    "context.incremented",
    "context.restored",
    "context.read",
    "note.added",
    "decision.recorded",
    "task.created",
    "task.assigned",
    "task.started",
    "task.completed",
    "task.failed",
    "lease.acquired",
    "lease.renewed",
    "lease.released",
    "checkpoint.created",
    "sync.merged",
    "conflict.resolved",
    "git.committed",
    "git.checked-out",
    "git.merged",
    "git.rewritten",
    "git.pushed",
    "recording.paused",
    "recording.resumed",
    "epoch.started",
    "redaction.applied",
    "switch.set",
)


@functools.cache
def find_kind(name: str) -> Kind | None:
    """The kind of that type, or None where this program does not know it."""
    if name not in TYPES:
        return None
    module = importlib.import_module(f"ledger.core.events.{name.replace('.', '_').replace('-', '_')}")
    return cast(Kind, module.KIND)


def kind_of(event: Event) -> Kind | None:
    """The kind of an event, or None where this program does not know its type, or not in that version."""
    kind = find_kind(event.type)
    return kind if kind is not None and 1 <= event.v <= kind.version else None


def subject_of(event: Event) -> str:
    """The subject line of an event, of an unknown type too: one way only, never parsed back."""
    kind = kind_of(event)
    return subject(event.type, "", "") if kind is None else subject(event.type, *kind.titles(upcast(event).data))


def message_of(event: Event) -> bytes:
    """The whole commit message that carries the event: subject line, blank line, canonical body."""
    return f"{subject_of(event)}\n\n{event.body()}".encode()
