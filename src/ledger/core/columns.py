"""Columns: one event as one row of plain, typed fields, for everything that counts, filters or searches events.

A row holds what figures are made of and never the whole event: long texts are measured, not copied. Times are
microseconds since 1970, durations microseconds, sizes bytes of UTF-8, all of them integers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ledger.core.clock import micros
from ledger.core.event import Event
from ledger.core.events import kind_of
from ledger.core.ids import EventId

Kind = Literal["text", "integer", "real"]
Value = str | int | float | None

_LARGEST = 1 << 63  # databases count in 64 bits
_BRIEF = 120  # characters


class Column(NamedTuple):
    """One field of a row: its name, its type, and what it tells. `few` says that few different texts stand in it."""

    name: str
    kind: Kind
    tells: str
    few: bool = False


COLUMNS = (
    Column("id", "text", "the event's id"),
    Column("commit_id", "text", "the commit that carries it"),
    Column("type", "text", "the event's type, such as `tool.failed`", few=True),
    Column("session", "text", "the session's id", few=True),
    Column("agent", "text", "whose run the session is, such as `claude-code`; `person` for people", few=True),
    Column("host", "text", "the machine on which it was recorded", few=True),
    Column("time_us", "integer", "when it happened"),
    Column("recorded_us", "integer", "when it was recorded, to the millisecond: the time of its id"),
    Column("origin", "text", "which fact it is, as a digest; the same wherever it was recorded"),
    Column("source", "text", "which way it came: hook, transcript, import, call, git", few=True),
    Column("brief", "text", "what was called, asked, answered or decided: its first 120 characters"),
    Column("key_name", "text", "the key that it writes or resolves", few=True),
    Column("scope", "text", "whose the key is: shared or session", few=True),
    Column("policy", "text", "the policy that it was written under", few=True),
    Column("value_bytes", "integer", "the size of what was written, as JSON"),
    Column("value_digest", "text", "a digest of what was written: equal values have equal ones"),
    Column("seen", "integer", "how many writes its writer saw and replaces"),
    Column("replaces", "text", "the write that it saw and replaces, where that is one"),
    Column("tool", "text", "the tool that was called", few=True),
    Column("call_id", "text", "the agent's own id of the call"),
    Column("input_digest", "text", "a digest of the whole input: equal calls have equal ones"),
    Column("output_bytes", "integer", "the size of the call's output and error"),
    Column("duration_us", "integer", "how long the call took, where the agent says so"),
    Column("exit_code", "integer", "the exit code of the command"),
    Column("subagent", "text", "the subagent whose call it was, or that began or ended", few=True),
    Column("model", "text", "the model that answered, or that the session began with", few=True),
    Column("message_id", "text", "the model's message that the tokens belong to"),
    Column("tokens_input", "integer", "tokens read that no cache held"),
    Column("tokens_output", "integer", "tokens written"),
    Column("tokens_cache_read", "integer", "tokens read from a cache"),
    Column("tokens_cache_write", "integer", "tokens written to a cache"),
    Column("tokens_reasoning", "integer", "tokens of thought, which are among those written"),
    Column("cost_usd", "real", "what the agent itself says that the message cost"),
    Column("text_chars", "integer", "the length of a prompt, an answer, a note or a decision"),
    Column("said_by", "text", "who asked: user, system or subagent", few=True),
    Column("task", "text", "the task that it is about", few=True),
    Column("lease", "text", "the lease that is renewed or released; a new lease has its event's id", few=True),
    Column("reason", "text", "why it happened: of an end, a crash, a checkpoint, a failure; 120 characters", few=True),
    Column("layer", "text", "what a crash was found by: process, heartbeat, integrity, disk, orphaned", few=True),
    Column("events", "integer", "how many events were merged, replayed or pinned"),
    Column("lost", "integer", "how many acknowledged events a recovery could not bring back"),
    Column("branch", "text", "the project's branch", few=True),
    Column("worktree", "text", "the worktree that the session works in", few=True),
    Column("parent", "text", "the session that it was begun by, as the agent names it", few=True),
    Column("project_commit", "text", "the commit in the project's own repository", few=True),
    Column("file_count", "integer", "how many files it touches or names"),
)

Row = tuple[Value, ...]
NAMES = tuple(column.name for column in COLUMNS)

# A session that was forked repeats its parent's history under an id of its own. What has a random id, or a UUID, is one
# fact in both; what is known by a number, or a digest of its content, may be two.
_UNIQUE = re.compile(
    r"(?:tool|usage|prompt|turn):(?:[a-z]+_)?"
    r"(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[A-Za-z0-9]{20,})(?:@[0-9]+)?"
)
_WORDS_OF_INPUT = ("command", "file_path", "path", "pattern", "query", "url", "prompt")
_REASONS = ("reason", "because", "outcome", "trigger", "missing")
_WRITTEN = ("value", "fields", "add", "values", "decision", "by")
_TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
_TEXTS = ("text", "decision")
# Random ids, of which nobody searches the words; and the marks of structure.
_NO_WORDS = frozenset(
    {"agent_id", "at", "by", "call", "event", "head", "lease", "message", "mode", "policy", "scope", "seen", "tree"}
)


def row_of(event: Event, commit: str, agent: str, host: str) -> Row:
    """The row of an event that the given commit carries; the values in the order of `COLUMNS`."""
    data = event.data
    told: dict[str, Value] = {
        "id": str(event.id),
        "commit_id": commit,
        "type": event.type,
        "session": str(event.session),
        "agent": agent,
        "host": host,
        "time_us": _micros(event.time),
        "recorded_us": EventId(event.id).millis * 1000,
        "file_count": len(files_of(event)) or None,
    }
    if event.origin is not None:
        told["origin"] = _fact(event.session, str(event.origin.get("ref", "")))
        told["source"] = _text(event.origin.get("source"))
    if event.changes_state:
        told["seen"] = len(event.seen)
        told["replaces"] = str(event.prev) if isinstance(event.prev, str) else None
    family = _OF_FAMILY.get(event.type.partition(".")[0])
    if kind_of(event) is not None:  # what others declare, or a newer program wrote, is counted and not read into
        told |= {} if family is None else family(data)
        told["reason"] = _brief(next((data[name] for name in _REASONS if data.get(name)), None))
    return tuple(map(told.get, NAMES))


def keys_of(event: Event) -> list[str]:
    """The keys that an event writes, resolves, restores or hands to an agent."""
    data = event.data
    if kind_of(event) is None or event.type.startswith("session."):
        return []
    restored = [entry["key"] for entry in data.get("entries", ()) if "key" in entry]
    return list(dict.fromkeys([*([data["key"]] if "key" in data else []), *data.get("keys", ()), *restored]))


def files_of(event: Event) -> list[str]:
    """The paths that an event touches: a call's files, a commit's, what a lease is on."""
    if kind_of(event) is None:
        return []
    named = event.data.get("on" if event.type == "lease.acquired" else "files")
    return list(dict.fromkeys(named)) if isinstance(named, list) else []  # a checkpoint has a number of files


def words_of(event: Event) -> str:
    """Every text in an event that somebody may look for, a line each."""
    return "\n".join(_strings(event.data))


def digest_of(text: str) -> str:
    """16 hex digits that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@functools.lru_cache(maxsize=64)
def _day(date: str) -> int:
    return micros(f"{date}T00:00:00.000000Z")


def _micros(text: str) -> int:
    """What `micros` gives for a time that was proven one before, at a fifth of the cost."""
    seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return _day(text[:10]) + seconds * 1_000_000 + int(text[20:26])


def _fact(session: str, ref: str) -> str:
    return digest_of(ref if _UNIQUE.fullmatch(ref) else f"{session} {ref}")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _NO_WORDS:
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _context(data: Mapping[str, Any]) -> dict[str, Value]:
    told: dict[str, Value] = {name: _text(data.get(name)) for name in ("scope", "policy")}
    told["key_name"] = _text(data.get("key"))
    written = next(
        (data[name] for name in ("value", "fields", "add", "values", "decision", "by") if name in data), None
    )
    if written is not None:
        text = written if isinstance(written, str) else _json(written)
        told |= {"value_bytes": _size(text), "value_digest": digest_of(text)}
    return told


def _tool(data: Mapping[str, Any]) -> dict[str, Value]:
    given = data.get("input")
    spelled = given if isinstance(given, str) else _json(given)
    taken = data.get("duration_ms")
    return {
        "tool": _text(data.get("tool")),
        "call_id": _text(data.get("call")),
        "brief": _brief(_command(given)),
        "input_digest": None if given is None else digest_of(spelled),
        "output_bytes": _size(str(data.get("output", ""))) + _size(str(data.get("error", ""))),
        "duration_us": None if taken is None else round(taken * 1000),
        "exit_code": _count(data.get("exit_code")),
        "subagent": _text(data.get("agent_id")),
    }


def _command(given: Any) -> Any:
    if isinstance(given, Mapping):
        return next((given[name] for name in _WORDS_OF_INPUT if given.get(name)), None)
    return given


def _usage(data: Mapping[str, Any]) -> dict[str, Value]:
    told: dict[str, Value] = {"model": _text(data.get("model")), "message_id": _text(data.get("message"))}
    told |= {f"tokens_{name}": _count(data.get(name)) for name in _TOKENS}
    cost = data.get("cost")
    return told | {"cost_usd": None if cost is None else float(cost)}


def _said(data: Mapping[str, Any]) -> dict[str, Value]:
    text = next((data[name] for name in _TEXTS if name in data), None)
    told: dict[str, Value] = {"brief": _brief(text), "said_by": _text(data.get("by"))}
    return told if text is None else told | {"text_chars": len(text)}


def _session(data: Mapping[str, Any]) -> dict[str, Value]:
    told: dict[str, Value] = {name: _text(data.get(name)) for name in ("branch", "worktree", "parent", "model")}
    evidence = data.get("evidence")
    if isinstance(evidence, Mapping):
        told["layer"] = _text(evidence.get("layer"))
    return told | {"events": data.get("events_replayed"), "lost": data.get("lost")}


def _git(data: Mapping[str, Any]) -> dict[str, Value]:
    return {"project_commit": _text(data.get("commit")), "branch": _text(data.get("branch"))}


def _decision(data: Mapping[str, Any]) -> dict[str, Value]:
    return _context(data) | _said(data)


def _subagent(data: Mapping[str, Any]) -> dict[str, Value]:
    return {"subagent": _text(data.get("agent_id"))} | _said(data)


def _task(data: Mapping[str, Any]) -> dict[str, Value]:
    return {"task": _text(data.get("task"))}


def _lease(data: Mapping[str, Any]) -> dict[str, Value]:
    return {"lease": _text(data.get("lease"))}


def _counted(data: Mapping[str, Any]) -> dict[str, Value]:
    return {"events": _count(data.get("events"))}


def _checkpoint(data: Mapping[str, Any]) -> dict[str, Value]:
    return _counted(data) | {"file_count": _count(data.get("files"))}


_OF_FAMILY: dict[str, Callable[[Mapping[str, Any]], dict[str, Value]]] = {
    "checkpoint": _checkpoint,
    "compaction": _said,
    "conflict": _context,
    "context": _context,
    "decision": _decision,
    "git": _git,
    "lease": _lease,
    "note": _said,
    "prompt": _said,
    "session": _session,
    "subagent": _subagent,
    "sync": _counted,
    "task": _task,
    "tool": _tool,
    "turn": _said,
    "usage": _usage,
}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and -_LARGEST <= value < _LARGEST else None


def _brief(value: Any) -> str | None:
    return None if value is None else str(value)[:_BRIEF]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
