"""Claude Code: JSONL under `projects/<folder>/<session>.jsonl`, subagents in files of their own, and
the JSON document (`loglines`) of its web sessions.

What the format asks for:
- One message of the model is written as several lines, a content block each, all with the message's
  id; its token counts may grow from line to line. Its usage is noted when the next message begins.
- History is copied: into a resumed or forked session's file with the older session's id or a
  `forkedFrom`, and within one file by a second compaction, each copy with its old uuid. A copy is
  the old fact of the old session.
- User lines hold far more than prompts: tool results, reminders, output of local commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ledger.recording.adapter import Draft, Record
from ledger.recording.calls import Call, Outcome, call, note_outcome
from ledger.recording.cutting import LABEL, PROMPT, cut
from ledger.recording.scribe import Scribe
from ledger.recording.shapes import (
    block,
    count,
    listing,
    mapping,
    name,
    texts,
    whole,
    without_blocks,
    word,
)

NAME = "claude-code"
TITLE = "Claude Code"

# Line types that no other agent writes; the others are known by their fields.
_TYPES = frozenset(
    [
        "agent-name", "ai-title", "attachment", "custom-title", "file-history-delta", "file-history-snapshot",
        "last-prompt", "mode", "permission-mode", "pr-link", "progress", "queue-operation", "summary",
        "system", "tag",
    ]
)  # fmt: skip
_MARKS = ("sessionId", "parentUuid", "uuid", "leafUuid", "snapshot", "isSidechain")
_SUBAGENT_TOOLS = frozenset(["Task", "Agent"])
_FINAL = frozenset(["end_turn", "stop_sequence", "max_tokens", "refusal"])
_TURN_CLOSERS = frozenset(["turn_duration", "stop_hook_summary"])
_INTERRUPTED = "[Request interrupted by user"
_CONTINUED = "This session is being continued from a previous conversation"
_CAVEATS = ("Caveat: The messages below were generated", "<local-command-caveat>")
_LOCAL = ("<local-command-", "<bash-input>", "<bash-stdout>", "<bash-stderr>")
_FROM_SYSTEM = ("<task-notification>", "<teammate-message")
# Blocks that the program puts into a person's message.
_INSERTED = ("system-reminder", "ide_opened_file", "ide_selection", "ide_diagnostics", "local-command-caveat")
_EXIT_CODE = re.compile(r"\A(?:Error: )?Exit code (\d{1,9})\b")


def owns(record: Record) -> bool:
    """True for a line of a Claude Code session; web sessions have only a type, a time and a message."""
    kind = word(record.get("type"))
    if kind in ("user", "assistant"):
        return isinstance(record.get("message"), dict) or "parentUuid" in record
    return kind in _TYPES and any(mark in record for mark in _MARKS)


def session_of(record: Record) -> str | None:
    """The session that the record names: the older one for a line copied by a fork."""
    original = mapping(record.get("forkedFrom")).get("sessionId")
    return name(original) or name(record.get("sessionId")) or None


def reader(session: str) -> ClaudeCodeReader:
    """A reader for one file; `session` serves web sessions, whose messages name none."""
    return ClaudeCodeReader(session)


@dataclass(slots=True)
class _Turn:
    """The turn of the main conversation: what it is called, what was said last, whether it still runs."""

    key: str = ""
    text: str = ""
    time: str = ""
    running: bool = False
    closed_by: str = ""


@dataclass(slots=True)
class _Spent:
    """The usage of a message whose lines may not all have come."""

    message: str
    session: str
    time: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Boundary:
    """A compaction whose summary has not come yet."""

    key: str
    trigger: str
    time: str


class ClaudeCodeReader:
    """Follows one Claude Code transcript."""

    def __init__(self, session: str) -> None:
        self._scribe = Scribe(NAME, session)
        self._calls: dict[str, Call] = {}
        self._spent: dict[str, _Spent] = {}
        self._turn = _Turn()
        self._boundary: _Boundary | None = None
        self._copied: set[int] = set()
        self._parents: dict[str, str] = {}
        self._title = ""
        self._source = ""
        self._after_caveat = False
        self._follow: dict[str, Callable[[Record], None]] = {
            "user": self._user,
            "assistant": self._assistant,
            "attachment": self._attachment,
            "system": self._system,
        }

    @property
    def session(self) -> str:
        """The session of the latest line that named one."""
        return self._scribe.session

    def drafts(self, record: Record) -> tuple[Draft, ...]:
        """The facts that are known for certain with this line."""
        self._place(record)
        follow = self._follow.get(word(record.get("type")))
        if follow:
            follow(record)
        return self._scribe.take()

    def rest(self) -> tuple[Draft, ...]:
        """The usage of the last messages, and a compaction whose summary did not come."""
        self._settle_all()
        return self._scribe.take()

    def _settle_all(self) -> None:
        self._settle_compaction()
        for chain in list(self._spent):
            self._settle_usage(chain)

    # Where a record belongs

    def _place(self, record: Record) -> None:
        before = self._scribe.session
        now = session_of(record) or before
        if now != before:
            self._leave()
        self._scribe.session = now
        self._scribe.at(record.get("timestamp"))
        self._remember_parent(record, before)
        if not self._scribe.is_open():
            self._learn(record)
            if record.get("cwd") and record.get("timestamp"):
                self._open(record)

    def _leave(self) -> None:
        """Another session goes on from here: what was copied of this one ends in a file of its own."""
        self._settle_all()
        self._turn = _Turn()

    def _learn(self, record: Record) -> None:
        """Facts about the session that come before its first full line."""
        for title in ("customTitle", "aiTitle", "summary"):
            self._title = word(record.get(title)) or self._title
        hook = mapping(record.get("attachment")) or mapping(record.get("data"))
        kind, _, source = word(hook.get("hookName")).partition(":")
        if kind == "SessionStart":
            self._source = source

    def _remember_parent(self, record: Record, before: str) -> None:
        own = name(record.get("sessionId"))
        if own and own != self._scribe.session:
            self._parents[own] = self._scribe.session  # a forked line names both
        elif self._scribe.session != before and hash(word(record.get("parentUuid"))) in self._copied:
            self._parents.setdefault(self._scribe.session, before)

    def _open(self, record: Record) -> None:
        parent = self._parents.get(self._scribe.session)
        self._scribe.open(
            cwd=record.get("cwd"),
            branch=record.get("gitBranch"),
            version=record.get("version"),
            source=self._source or ("fork" if parent else None),
            parent=parent,
            title=self._title or None,
        )
        self._source = self._title = ""  # of this session, not of the next one in the file

    def _is_copy(self, record: Record) -> bool:
        """True if a line with this uuid was read before; it is remembered from now on."""
        original = mapping(record.get("forkedFrom")).get("messageUuid")
        uuid = word(original) or word(record.get("uuid"))
        if not uuid:
            return False
        known = hash(uuid) in self._copied
        self._copied.add(hash(uuid))
        return known

    def _key(self, record: Record) -> str:
        """What to call a fact of this record: its uuid, or its time where it has none."""
        original = mapping(record.get("forkedFrom")).get("messageUuid")
        return name(original) or name(record.get("uuid")) or self._scribe.time

    # What was asked, and what tools answered

    def _user(self, record: Record) -> None:
        message = record.get("message")
        if not isinstance(message, dict) or self._is_copy(record):
            return
        content = message.get("content")
        results = [part for part in listing(content) if mapping(part).get("type") == "tool_result"]
        for result in results:
            self._result(record, result)
        said = "\n".join(texts(content, "text"))
        if record.get("isCompactSummary") or said.startswith(_CONTINUED):
            self._compacted(record, said)
        elif said:
            self._said(record, said, is_prompt=not (record.get("isMeta") or results))

    def _said(self, record: Record, said: str, *, is_prompt: bool) -> None:
        if said.startswith(_INTERRUPTED):
            self._end_turn("aborted")
            return
        after_caveat, self._after_caveat = self._after_caveat, said.startswith(_CAVEATS)
        if not is_prompt or self._after_caveat:
            return
        asked = _asked(said, after_caveat=after_caveat)
        if asked:
            self._prompt(record, asked)

    def _prompt(self, record: Record, asked: str) -> None:
        self._settle_compaction()
        if record.get("isSidechain"):
            self._subagent_prompt(record, asked)
            return
        self._settle_usage("")
        self._end_turn(None, self._turn.time)
        key = name(record.get("promptId"))
        if not key or self._scribe.knows(f"prompt:{key}"):
            key = self._key(record)
        self._turn = _Turn(key, time=self._scribe.time, running=True)
        self._ask(f"prompt:{key}", asked, _author(record.get("origin"), asked))

    def _subagent_prompt(self, record: Record, asked: str) -> None:
        agent_id = name(record.get("agentId"))
        if agent_id:
            told = {"agent_id": agent_id, "kind": _kind(record), "text": cut(asked, PROMPT)}
            self._scribe.note("subagent.started", f"subagent:{agent_id}:started", told)
        self._ask(f"prompt:{self._key(record)}", asked, "subagent")

    def _ask(self, ref: str, asked: str, author: str) -> None:
        self._scribe.note("prompt.submitted", ref, {"text": cut(asked, PROMPT), "by": author}, again=True)

    def _attachment(self, record: Record) -> None:
        """A prompt typed while the agent worked comes as an attachment, within the running turn."""
        attached = mapping(record.get("attachment"))
        if attached.get("type") != "queued_command" or self._is_copy(record):
            return
        asked = _asked("\n".join(texts(attached.get("prompt"), "text")), after_caveat=False)
        if asked and not record.get("isSidechain"):
            author = _author(attached.get("origin"), asked)
            self._ask(f"prompt:{self._key(record)}", asked, author)

    def _result(self, record: Record, result: Record) -> None:
        key = name(result.get("tool_use_id"))
        made = self._calls.pop(key, None)
        if made is None:
            return
        details = mapping(record.get("toolUseResult"))
        outcome = _outcome(result, record.get("toolUseResult"))
        note_outcome(self._scribe, key, made, outcome)
        if made.tool in _SUBAGENT_TOOLS:
            self._subagent(key, made, details, outcome)

    def _subagent(self, key: str, made: Call, details: Record, outcome: Outcome) -> None:
        agent_id = name(details.get("agentId")) or key
        started = {"agent_id": agent_id, "kind": made.kind, "text": made.text}
        self._scribe.note("subagent.started", f"subagent:{agent_id}:started", started, time=made.time)
        if details.get("status") != "async_launched":
            said = "\n".join(texts(details.get("content"), "text")) or outcome.text
            ended = {"agent_id": agent_id, "text": cut(said, PROMPT)}
            self._scribe.note("subagent.ended", f"subagent:{agent_id}:ended", ended)

    # What the model said

    def _assistant(self, record: Record) -> None:
        message = record.get("message")
        if not isinstance(message, dict) or self._is_copy(record):
            return
        self._settle_compaction()
        self._spend(record, message)
        for part in listing(message.get("content")):
            self._call(record, mapping(part))
        said = "\n".join(texts(message.get("content"), "text")).strip()
        if record.get("isSidechain"):
            self._subagent_said(record, message, said)
        else:
            self._main_said(record, message, said)

    def _call(self, record: Record, part: Record) -> None:
        key = name(part.get("id"))
        if part.get("type") != "tool_use" or not key:
            return
        tool, given = word(part.get("name")) or "unknown", part.get("input")
        task = mapping(given) if tool in _SUBAGENT_TOOLS else {}
        asked = word(task.get("prompt")) or word(task.get("description"))
        self._calls[key] = call(
            tool,
            given,
            self._scribe.time,
            agent_id=name(record.get("agentId")) or None,
            kind=cut(word(task.get("subagent_type")), LABEL) or None,
            text=cut(asked, PROMPT) or None,
        )

    def _main_said(self, record: Record, message: Record, said: str) -> None:
        turn, message_id = self._turn, word(message.get("id"))
        if not message_id or message_id != turn.closed_by:
            turn.running = True
        turn.key = turn.key or self._key(record)
        turn.text, turn.time = said or turn.text, self._scribe.time
        reason = word(message.get("stop_reason"))
        if record.get("isApiErrorMessage"):
            self._end_turn("error")
        elif said and reason in _FINAL:
            self._end_turn(reason)
            turn.closed_by = message_id

    def _subagent_said(self, record: Record, message: Record, said: str) -> None:
        agent_id = name(record.get("agentId"))
        if agent_id and said and word(message.get("stop_reason")) in _FINAL:
            ended = {"agent_id": agent_id, "text": cut(said, PROMPT)}
            self._scribe.note("subagent.ended", f"subagent:{agent_id}:ended", ended)

    def _end_turn(self, reason: str | None, time: str | None = None) -> None:
        turn = self._turn
        if turn.running:
            turn.running = False
            ended = {"text": cut(turn.text, PROMPT), "reason": reason}
            self._scribe.note("turn.ended", f"turn:{turn.key}", ended, time=time or None, again=True)

    # Tokens

    def _spend(self, record: Record, message: Record) -> None:
        usage = mapping(message.get("usage"))
        key = name(message.get("id")) or name(record.get("requestId")) or self._key(record)
        chain = name(record.get("agentId")) or ("sidechain" if record.get("isSidechain") else "")
        waiting = self._spent.get(chain)
        if waiting and waiting.message != key:
            self._settle_usage(chain)
        # Messages by "<synthetic>" are the program's own words; no model was asked.
        if usage and message.get("model") != "<synthetic>":
            spent = _tokens(usage, word(message.get("model")))
            self._spent[chain] = _Spent(key, self._scribe.session, self._scribe.time, spent)

    def _settle_usage(self, chain: str) -> None:
        spent = self._spent.pop(chain, None)
        if spent:
            data = {"message": spent.message, **spent.data}
            ref = f"usage:{spent.message}"
            self._scribe.note("usage.reported", ref, data, time=spent.time, session=spent.session)

    # System lines

    def _system(self, record: Record) -> None:
        subtype = word(record.get("subtype"))
        if subtype == "compact_boundary" and not self._is_copy(record):
            self._settle_compaction()
            trigger = word(mapping(record.get("compactMetadata")).get("trigger"))
            self._boundary = _Boundary(self._key(record), cut(trigger, LABEL), self._scribe.time)
        elif subtype in _TURN_CLOSERS and not record.get("isSidechain"):
            self._end_turn("end_turn")

    def _compacted(self, record: Record, summary: str) -> None:
        if record.get("isSidechain"):
            return
        waiting = self._boundary or _Boundary(self._key(record), "", self._scribe.time)
        self._boundary = None
        self._note_compaction(waiting, summary)

    def _settle_compaction(self) -> None:
        """Note a compaction whose summary does not follow it."""
        waiting, self._boundary = self._boundary, None
        if waiting:
            self._note_compaction(waiting, "")

    def _note_compaction(self, boundary: _Boundary, summary: str) -> None:
        told = {"trigger": boundary.trigger, "text": cut(summary, PROMPT)}
        self._scribe.note("compaction.started", f"compaction:{boundary.key}", told, time=boundary.time)


def _asked(said: str, *, after_caveat: bool) -> str:
    """What a person asked with this text, or nothing if it is the program's own."""
    text = without_blocks(said, *_INSERTED).strip()
    if text.startswith(_LOCAL):
        return ""
    if text.startswith(("<command-name>", "<command-message>")):
        return "" if after_caveat else _command(text)
    return text


def _command(text: str) -> str:
    """A slash command as it was typed. One that ran locally comes after a caveat and asks nothing."""
    return f"{block(text, 'command-name')} {block(text, 'command-args')}".strip()


def _author(origin: Any, asked: str) -> str:
    kind = word(mapping(origin).get("kind"))
    return "system" if kind not in ("", "human") or asked.startswith(_FROM_SYSTEM) else "user"


def _kind(record: Record) -> str:
    return cut(word(record.get("attributionAgent")) or word(record.get("agentType")), LABEL)


def _outcome(result: Record, details: Any) -> Outcome:
    text = "\n".join(texts(result.get("content"), "text")) or word(details)
    failed = result.get("is_error") is True
    code = _EXIT_CODE.match(text) if failed else None
    fields = mapping(details)
    return Outcome(
        text=text,
        failed=failed,
        exit_code=int(code.group(1)) if code else whole(fields.get("exitCode")),
        duration_ms=count(fields.get("durationMs")) or count(fields.get("totalDurationMs")),
    )


def _tokens(usage: Record, model: str) -> dict[str, Any]:
    details = mapping(usage.get("output_tokens_details"))
    return {
        "model": cut(model, LABEL),
        "input": count(usage.get("input_tokens")) or 0,
        "output": count(usage.get("output_tokens")) or 0,
        "cache_read": count(usage.get("cache_read_input_tokens")),
        "cache_write": count(usage.get("cache_creation_input_tokens")),
        "reasoning": count(details.get("thinking_tokens")),
    }
