"""One event of every type, as it might really be; their bytes are pinned in golden/events."""

from __future__ import annotations

from typing import Any

from ledger.core.clock import next_id, stamp
from ledger.core.event import Event, Prev
from ledger.core.events import find_kind
from ledger.core.ids import SessionId

START = 1_795_360_384_123  # 2026-11-22T15:13:04.123Z
SESSION = str(SessionId.of("claude-code", "7d1f9b0e"))
COMMIT = "5f2c0a3d9be1476c8d0a4b6f1e2d3c4b5a697887"
OTHER = "0c1d2e3f405162738495a6b7c8d9eafb0c1d2e3f"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def _id(number: int) -> str:
    return str(next_id(START + number, None, 0x0123456789ABCDE0 + number))


FIRST, SECOND, LEASE = _id(-3), _id(-2), _id(-1)

_DATA: dict[str, dict[str, Any]] = {
    "ledger.created": {"ledger": "0b5ad3f2-6c1e-4f0a-9d2e-7a1b2c3d4e5f", "format": 1, "fold": 1, "project": "shop"},
    "ledger.upgraded": {"format": 1, "fold": 2},
    "policy.set": {"pattern": "metrics/*", "policy": "counter"},
    "session.started": {
        "agent": "claude-code",
        "key": "7d1f9b0e",
        "cwd": "/project",
        "branch": "main",
        "model": "opus",
        "source": "startup",
        "version": "2.1.0",
    },
    "session.resumed": {"agent": "claude-code", "key": "7d1f9b0e", "source": "resume"},
    "session.ended": {"reason": "exit", "leases": [LEASE]},
    "session.crashed": {"reason": "process is gone", "evidence": {"pid": 4242, "boot": "other"}},
    "session.recovered": {
        "checkpoint": FIRST,
        "events_replayed": 12,
        "rescued_from_spool": 1,
        "lost": 0,
        "quarantined": [],
    },
    "prompt.submitted": {"text": "Which flow do we use?\nThe old one broke.", "by": "user"},
    "turn.ended": {"text": "The device flow.", "reason": "end_turn"},
    "tool.completed": {
        "tool": "Bash",
        "call": "toolu_01",
        "input": {"command": "make test", "timeout": 60},
        "output": "42 passed\n",
        "exit_code": 0,
        "duration_ms": 1520.5,
    },
    "tool.failed": {
        "tool": "Edit",
        "call": "toolu_02",
        "input": {"file_path": "src/a.py"},
        "error": "String to replace not found: 'x'",
        "files": ["src/a.py"],
    },
    "subagent.started": {"agent_id": "a1", "kind": "explore", "text": "Find every caller."},
    "subagent.ended": {"agent_id": "a1", "text": "Three callers."},
    "compaction.started": {"trigger": "auto", "text": "So far: the flow is chosen."},
    "usage.reported": {
        "message": "msg_01",
        "model": "opus",
        "input": 10,
        "output": 25,
        "cache_read": 9000,
        "cost": 0.0125,
    },
    "transcript.appended": {
        "form": "jsonl",
        "attachment": {"id": COMMIT, "sha256": DIGEST, "size": 5321},
        "first": 0,
        "lines": 12,
    },
    "agent.other": {"name": "queue-operation", "payload": {"op": "enqueue", "n": 1}},
    "context.set": {"key": "auth/decision", "policy": "lww", "value": "Use the OAuth device flow."},
    "context.deleted": {"key": "auth/decision", "because": "superseded"},
    "context.added": {"key": "constraints", "policy": "set", "values": ["no network in tests", "Python 3.11"]},
    "context.removed": {"key": "constraints", "policy": "set", "values": ["Python 3.11"], "seen": [FIRST]},
    "context.incremented": {"key": "metrics/retries", "policy": "counter", "by": -2},
    "context.restored": {
        "entries": [
            {"key": "auth/decision", "policy": "lww", "value": "Use the OAuth device flow."},
            {"key": "constraints", "deleted": True},
        ],
        "to": FIRST,
    },
    "context.read": {"keys": ["auth/decision", "constraints"]},
    "note.added": {"text": "The token expires after 15 minutes.", "about": "auth/decision"},
    "decision.recorded": {
        "key": "auth/decision",
        "decision": "Use the OAuth device flow.",
        "because": "No browser on the build machines.",
        "instead_of": ["password grant"],
    },
    "task.created": {"task": "port-auth", "title": "Port the login", "about": "All three clients.", "role": "dev"},
    "task.assigned": {"task": "port-auth", "to": SESSION},
    "task.started": {"task": "port-auth"},
    "task.completed": {"task": "port-auth", "outcome": "merged"},
    "task.failed": {"task": "port-auth", "because": "the API is gone"},
    "lease.acquired": {"on": ["src/auth/**"], "mode": "exclusive", "ttl": 900, "because": "rewrite"},
    "lease.renewed": {"lease": LEASE, "ttl": 900},
    "lease.released": {"lease": LEASE, "because": "done"},
    "checkpoint.created": {"reason": "turn", "title": "login works", "tree": COMMIT, "events": 12},
    "sync.merged": {"ours": COMMIT, "theirs": OTHER, "events": 3, "refolded": ["context/auth/decision.yaml"]},
    "conflict.resolved": {"key": "auth/decision", "value": "Use the OAuth device flow.", "take": FIRST},
    "git.committed": {"commit": COMMIT, "subject": "feat: log in by device", "branch": "main", "parents": [OTHER]},
    "git.checked-out": {"commit": COMMIT, "branch": "login", "from": OTHER},
    "git.merged": {"commit": COMMIT, "subject": "Merge branch 'login'", "squash": False},
    "git.rewritten": {"by": "rebase", "commits": [{"old": OTHER, "new": COMMIT}]},
    "git.pushed": {"remote": "origin", "refs": ["refs/heads/main"]},
    "recording.paused": {"because": "secrets on the screen"},
    "recording.resumed": {},
    "epoch.started": {
        "epoch": 2,
        "digest": DIGEST,
        "superseded": [COMMIT],
        "forgotten": [FIRST],
        "because": "a customer's name",
    },
    "redaction.applied": {"events": [FIRST], "because": "a customer's name"},
    "switch.set": {"switch": "sync", "on": False, "because": "a merge went wrong"},
}

_PREV: dict[str, Prev] = {"context.set": FIRST, "conflict.resolved": [FIRST, SECOND]}
_ORIGIN = {"tool.completed": {"source": "hook", "ref": "toolu_01"}}


def _event(number: int, name: str) -> Event:
    kind = find_kind(name)
    return Event(
        id=_id(number),
        type=name,
        v=1,
        session=SESSION,
        time=stamp((START + number) * 1000 + 456),
        data=_DATA[name],
        prev=_PREV.get(name),
        changes_state=kind is not None and kind.changes_state,
        origin=_ORIGIN.get(name),
    )


EVENTS = {name: _event(number, name) for number, name in enumerate(_DATA)}
