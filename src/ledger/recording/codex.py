"""Codex: rollouts, JSONL under `sessions/<year>/<month>/<day>/rollout-<time>-<id>.jsonl`.

What the format asks for:
- A record is `{timestamp, type, payload}`; rollouts of early 2025 hold the bare payloads.
- A prompt is written up to three times (`response_item`, `user_message`, `item_completed`), and
  `response_item` also holds what the program tells the model in a user's name.
- Tokens come as running totals (`token_count`), repeated when nothing was spent; since 0.16x also as
  `token_usage_record`, one per answer of the model, before the `token_count` of the same answer.
  Usage is the growth of the total, so a repeat counts nothing and a lost line loses nothing.
- A fork, and a subagent that was given its parent's history, begin with a copy of it, stamped with
  the time of the fork. Nothing is noted until the first turn of their own; ids of turns and sessions
  are UUIDv7, so a turn that is older than the session is not its own.
- A subagent has a rollout of its own; as in its hooks, its facts belong to the parent's session.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from ledger.recording.adapter import Draft, Record
from ledger.recording.calls import Call, Outcome, call, note_outcome
from ledger.recording.codex_output import Seen, milliseconds, outcome_of, parsed
from ledger.recording.codex_tokens import counts_of, growth, tokens_of
from ledger.recording.cutting import LABEL, PROMPT, cut
from ledger.recording.moment import moment
from ledger.recording.scribe import Scribe
from ledger.recording.shapes import count, listing, mapping, name, texts, whole, word

NAME = "codex"
TITLE = "Codex"

_BARE_ITEMS = frozenset(
    [
        "message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
        "custom_tool_call_output", "local_shell_call", "local_shell_call_output", "web_search_call",
    ]
)  # fmt: skip
_TURN_STARTS = frozenset(["task_started", "turn_started"])
_CONTEXT_BLOCK = re.compile(r"\A<([A-Za-z_][\w-]{0,60})\b[^>]*>.*</\1>\s*\Z", re.DOTALL)
_CONTEXT_STARTS = (
    "# AGENTS.md instructions",
    "<user_instructions>",
    "<environment_context>",
    "<INSTRUCTIONS>",
)
_WAITS = frozenset(["wait", "wait_agent", "multi_agent_v1wait_agent", "close_agent"])


def owns(record: Record) -> bool:
    """True for a rollout's record of any generation."""
    kind = word(record.get("type"))
    if isinstance(record.get("payload"), dict):
        return bool(kind)
    if kind:
        return kind in _BARE_ITEMS and "message" not in record and _is_bare_item(kind, record)
    return record.get("record_type") == "state" or {"id", "timestamp", "instructions"} <= record.keys()


def session_of(record: Record) -> str | None:
    """The session that the record names: for a subagent's, its parent's."""
    payload = mapping(record.get("payload"))
    if record.get("type") == "session_meta":
        return _root(payload) or None
    if not payload and "instructions" in record:
        return name(record.get("id")) or None
    return name(payload.get("session_id")) or name(payload.get("thread_id")) or None


def reader(session: str) -> CodexReader:
    """A reader for one rollout; `session` serves one whose first line is lost."""
    return CodexReader(session)


_Follow = dict[str, Callable[[Record], None]]


class CodexReader:
    """Follows one rollout."""

    def __init__(self, session: str) -> None:
        self._scribe = Scribe(NAME, session)
        self._calls: dict[str, Call] = {}
        self._seen: dict[str, Seen] = {}
        self._thread = ""
        self._agent_id: str | None = None
        self._born = ""
        self._copying = False
        self._turn = ""
        self._said = ""
        self._error = False
        self._model = ""
        self._total: dict[str, int] | None = None
        self._told: Counter[tuple[str, int]] = Counter()
        self._asked: Counter[int] = Counter()
        self._records, self._items = self._record_steps(), self._item_steps()
        self._events, self._done_items = self._event_steps(), self._done_item_steps()

    @property
    def session(self) -> str:
        """The session of this rollout: for a subagent's, its parent's."""
        return self._scribe.session

    def drafts(self, record: Record) -> tuple[Draft, ...]:
        """The facts that are known for certain with this record."""
        kind, payload = _layers(record)
        self._scribe.at(record.get("timestamp"))
        if self._copying and not self._is_own(kind, payload):
            self._follow_copy(kind, payload)
        else:
            _dispatch(self._records, kind, payload)
        return self._scribe.take()

    def rest(self) -> tuple[Draft, ...]:
        """Nothing: every fact of a rollout is certain when it is written."""
        return ()

    def _record_steps(self) -> _Follow:
        return {
            "session_meta": self._meta,
            "turn_context": self._context,
            "response_item": self._item,
            "event_msg": self._event,
            "compacted": self._compacted,
            "token_usage_record": self._record_usage,
        }

    def _item_steps(self) -> _Follow:
        return {
            "message": self._message,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "tool_call": self._call,
            "local_shell_call": self._shell_call,
            "web_search_call": self._web_search,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
            "local_shell_call_output": self._output,
            "tool_result": self._output,
        }

    def _event_steps(self) -> _Follow:
        return {
            "task_started": self._begin_turn,
            "turn_started": self._begin_turn,
            "task_complete": self._complete,
            "turn_complete": self._complete,
            "turn.completed": self._complete_legacy,
            "turn_aborted": self._abort,
            "error": self._fail,
            "user_message": self._user_message,
            "agent_message": self._agent_message,
            "item_completed": self._item_completed,
            "exec_command_end": self._see,
            "patch_apply_end": self._see,
            "token_count": self._count,
            "thread_settings_applied": self._settings,
        }

    def _done_item_steps(self) -> _Follow:
        return {
            "UserMessage": self._user_item,
            "CommandExecution": self._see,
            "FileChange": self._see,
        }

    def _event(self, payload: Record) -> None:
        _dispatch(self._events, payload.get("type"), payload)

    # The session and its turns

    def _meta(self, payload: Record) -> None:
        if self._thread:
            return
        self._thread, self._born = name(payload.get("id")), self._scribe.time
        self._scribe.session = _root(payload) or self._scribe.session
        forked_from = name(payload.get("forked_from_id"))
        self._copying = bool(forked_from or _parent(payload))
        self._scribe.open(
            time=moment(payload.get("timestamp")),
            cwd=payload.get("cwd"),
            branch=mapping(payload.get("git")).get("branch"),
            version=payload.get("cli_version"),
            source="fork" if forked_from and not _parent(payload) else None,
            parent=None if _parent(payload) else forked_from or None,
        )
        if self._thread and self._thread != self._scribe.session:
            self._begin_subagent(payload)

    def _begin_subagent(self, payload: Record) -> None:
        self._agent_id = self._thread
        spawn = _spawn(payload)
        kind = word(spawn.get("agent_role")) or word(spawn.get("agent_type"))
        told = {"agent_id": self._agent_id, "kind": cut(kind, LABEL)}
        self._scribe.note("subagent.started", f"subagent:{self._agent_id}:started", told)

    def _is_own(self, kind: str, payload: Record) -> bool:
        """True once a copied history is over: with the first turn that began in this session."""
        if kind == "turn_context" or (kind == "event_msg" and word(payload.get("type")) in _TURN_STARTS):
            began, born = _uuid7_time(payload.get("turn_id")), _uuid7_time(self._thread)
            # Without such ids: the copies carry the second in which the file was made.
            own = began >= born if began and born else self._scribe.time[:19] > self._born[:19]
            self._copying = not own
        return not self._copying

    def _follow_copy(self, kind: str, payload: Record) -> None:
        """Of a copied history only the running total and the model matter to what comes after."""
        if kind == "event_msg" and payload.get("type") == "token_count":
            self._total = counts_of(mapping(payload.get("info")).get("total_token_usage")) or self._total
        elif kind == "token_usage_record":
            self._total = counts_of(payload.get("thread_token_usage")) or self._total
        elif kind == "turn_context":
            self._model = word(payload.get("model")) or self._model

    def _context(self, payload: Record) -> None:
        self._model = word(payload.get("model")) or self._model
        self._begin_turn(payload)

    def _begin_turn(self, payload: Record) -> None:
        turn = name(payload.get("turn_id"))
        if turn and turn != self._turn:
            self._turn, self._said, self._error = turn, "", False

    def _complete(self, payload: Record) -> None:
        text = word(payload.get("last_agent_message"))
        failed = (self._error or bool(mapping(payload.get("error")))) and not text
        self._end_turn(payload, text, "error" if failed else "end_turn")

    def _abort(self, payload: Record) -> None:
        self._end_turn(payload, "", "aborted")

    def _end_turn(self, payload: Record, text: str, reason: str) -> None:
        said = cut(text or self._said, PROMPT)
        if self._agent_id:
            ended = {"agent_id": self._agent_id, "text": said}
            self._scribe.note("subagent.ended", f"subagent:{self._agent_id}:ended", ended)
        else:
            turn = name(payload.get("turn_id")) or self._turn or self._scribe.time
            self._scribe.note("turn.ended", f"turn:{turn}", {"text": said, "reason": reason}, again=True)
        self._said = ""

    def _fail(self, _payload: Record) -> None:
        self._error = True

    def _settings(self, payload: Record) -> None:
        self._model = word(mapping(payload.get("thread_settings")).get("model")) or self._model

    def _compacted(self, payload: Record) -> None:
        key = self._turn or self._scribe.time
        told = {"text": cut(word(payload.get("message")), PROMPT)}
        self._scribe.note("compaction.started", f"compaction:{key}", told, again=True)

    # What was asked and said

    def _message(self, payload: Record) -> None:
        role = payload.get("role")
        if role == "assistant":
            self._said = "\n".join(texts(payload.get("content"), "output_text", "text")).strip() or self._said
        elif role == "user":
            self._ask("item", "\n".join(_own_words(payload)))

    def _user_message(self, payload: Record) -> None:
        if word(payload.get("kind")) in ("", "plain"):
            self._ask("event", word(payload.get("message")))

    def _ask(self, way: str, text: str) -> None:
        """Note a prompt, however many of the ways of writing it down were used."""
        text = text.strip()
        if not text:
            return
        print_ = hash(text)
        self._told[way, print_] += 1
        if self._told[way, print_] <= self._asked[print_]:
            return
        self._asked[print_] += 1
        key = self._turn or self._scribe.time
        asked = {"text": cut(text, PROMPT), "by": "subagent" if self._agent_id else "user"}
        self._scribe.note("prompt.submitted", f"prompt:{key}", asked, again=True)

    def _agent_message(self, payload: Record) -> None:
        self._said = word(payload.get("message")).strip() or self._said

    def _item_completed(self, payload: Record) -> None:
        item = mapping(payload.get("item"))
        _dispatch(self._done_items, item.get("type"), item)

    def _user_item(self, item: Record) -> None:
        self._ask("done", "\n".join(texts(item.get("content"), "text", "Text")))

    # Tools

    def _item(self, payload: Record) -> None:
        _dispatch(self._items, payload.get("type"), payload)

    def _call(self, payload: Record) -> None:
        tool = word(payload.get("name")) or word(mapping(payload.get("function")).get("name")) or "unknown"
        key = name(payload.get("call_id")) or f"{name(tool)}@"  # a generation without ids: one call at a time
        given = _arguments(payload)
        task = mapping(given) if tool.endswith("spawn_agent") else {}
        self._calls[key] = call(
            tool,
            given,
            self._scribe.time,
            agent_id=self._agent_id,
            kind=cut(word(task.get("agent_type")), LABEL) or None,
            text=cut(word(task.get("message")), PROMPT) or None,
        )

    def _shell_call(self, payload: Record) -> None:
        key = name(payload.get("call_id")) or name(payload.get("id"))
        if key:
            given = mapping(payload.get("action"))
            self._calls[key] = call("local_shell", given, self._scribe.time, agent_id=self._agent_id)

    def _web_search(self, payload: Record) -> None:
        """A search is written once, when it is done; its results are not."""
        if payload.get("status") in ("completed", "failed"):
            key = name(payload.get("id")) or f"web_search@{self._scribe.time}"
            made = call("web_search", payload.get("action"), self._scribe.time, agent_id=self._agent_id)
            note_outcome(self._scribe, key, made, Outcome("", payload.get("status") == "failed"))

    def _output(self, payload: Record) -> None:
        tool = name(payload.get("name"))
        key = name(payload.get("call_id")) or f"{tool}@"
        made = self._calls.pop(key, None)
        seen = self._seen.pop(key, Seen())
        if made is None:
            return
        outcome = outcome_of(payload, seen)
        note_outcome(self._scribe, key if payload.get("call_id") else f"{key}{made.time}", made, outcome)
        self._note_subagents(made, outcome)

    def _note_subagents(self, made: Call, outcome: Outcome) -> None:
        if made.tool.endswith("spawn_agent"):
            agent_id = name(parsed(outcome.text).get("agent_id"))
            if agent_id:
                told = {"agent_id": agent_id, "kind": made.kind, "text": made.text}
                self._scribe.note("subagent.started", f"subagent:{agent_id}:started", told, time=made.time)
        elif made.tool in _WAITS:
            for agent_id, status in mapping(parsed(outcome.text).get("status")).items():
                self._end_subagent(name(agent_id), status)

    def _end_subagent(self, agent_id: str, status: Any) -> None:
        said = mapping(status).get("completed")
        if agent_id and said is not None:
            ended = {"agent_id": agent_id, "text": cut(word(said), PROMPT)}
            self._scribe.note("subagent.ended", f"subagent:{agent_id}:ended", ended)

    def _see(self, payload: Record) -> None:
        """`exec_command_end`, `patch_apply_end` and their newer items: facts that the output may lack."""
        key = name(payload.get("call_id")) or name(payload.get("id"))
        if key in self._calls:
            status = word(payload.get("status"))
            self._seen[key] = Seen(
                exit_code=whole(payload.get("exit_code")),
                duration_ms=milliseconds(payload.get("duration")),
                failed=payload.get("success") is False or status in ("failed", "declined"),
                files=tuple(mapping(payload.get("changes"))),
            )

    # Tokens

    def _record_usage(self, payload: Record) -> None:
        spent = counts_of(payload.get("usage"))
        self._total = counts_of(payload.get("thread_token_usage")) or self._total
        if spent:
            self._spend(name(payload.get("response_id")) or self._total_name(), spent, again=False)

    def _count(self, payload: Record) -> None:
        info = mapping(payload.get("info"))
        total = counts_of(info.get("total_token_usage"))
        if total is None:
            self._count_legacy(info)
        elif total != self._total:
            spent = growth(self._total, total, counts_of(info.get("last_token_usage")))
            self._total = total
            self._spend(self._total_name(), spent)

    def _count_legacy(self, info: Record) -> None:
        if "prompt" in info or "completion" in info:
            spent = {
                "input_tokens": count(info.get("prompt")) or 0,
                "output_tokens": count(info.get("completion")) or 0,
            }
            self._spend(self._scribe.time, spent)

    def _complete_legacy(self, payload: Record) -> None:
        """`turn.completed` of late 2025: the end of a turn, with the tokens of that turn."""
        spent = counts_of(payload.get("usage"))
        if spent:
            self._spend(self._scribe.time, spent)
        self._end_turn(payload, "", "end_turn")

    def _total_name(self) -> str:
        """A name for usage that has none: the running total that it led to."""
        total = self._total or {}
        grown = total.get("input_tokens", 0) + total.get("output_tokens", 0)
        return f"{self._agent_id or self._turn or 'session'}@{grown}"

    def _spend(self, message: str, spent: dict[str, int], *, again: bool = True) -> None:
        tokens = tokens_of(spent)
        if any(tokens.values()):
            data = {"message": message, "model": cut(self._model, LABEL), **tokens}
            self._scribe.note("usage.reported", f"usage:{message}", data, again=again)


def _dispatch(follow: _Follow, kind: Any, payload: Record) -> None:
    step = follow.get(word(kind))
    if step:
        step(payload)


def _is_bare_item(kind: str, record: Record) -> bool:
    return kind != "message" or (isinstance(record.get("content"), list) and "role" in record)


def _layers(record: Record) -> tuple[str, Record]:
    """The record's type and payload; bare ones of early 2025 are given the layer that came later."""
    if isinstance(record.get("payload"), dict):
        return word(record.get("type")), record["payload"]
    if record.get("type"):
        return "response_item", record
    return ("session_meta" if "instructions" in record else ""), record


def _spawn(payload: Record) -> Record:
    return mapping(mapping(mapping(payload.get("source")).get("subagent")).get("thread_spawn"))


def _parent(payload: Record) -> str:
    """The thread that started this one as its subagent, or nothing."""
    own, root = name(payload.get("id")), name(payload.get("session_id"))
    above = name(payload.get("parent_thread_id")) or name(_spawn(payload).get("parent_thread_id"))
    return above or (root if root != own else "")


def _root(payload: Record) -> str:
    """The session of a thread: the one it names, else its parent, else itself."""
    own, root = name(payload.get("id")), name(payload.get("session_id"))
    return root if root and root != own else (_parent(payload) or own or root)


def _uuid7_time(value: Any) -> int:
    """The milliseconds in a UUIDv7, or 0."""
    digits = word(value).replace("-", "")
    if len(digits) != 32 or digits[12] != "7":
        return 0
    try:
        return int(digits[:12], 16)
    except ValueError:
        return 0


def _own_words(payload: Record) -> list[str]:
    """The parts of a user's message that a person wrote."""
    content = payload.get("content")
    about = mapping(payload.get("internal_chat_message_metadata_passthrough"))
    kinds = [word(kind) for kind in listing(about.get("content_item_kinds"))]
    if kinds and len(kinds) == len(listing(content)):
        content = [part for part, kind in zip(listing(content), kinds, strict=True) if kind.startswith("user.")]
    said = texts(content, "input_text", "text")
    return [text for text in said if not text.startswith(_CONTEXT_STARTS) and not _CONTEXT_BLOCK.match(text)]


def _arguments(payload: Record) -> Any:
    given = payload.get("arguments", payload.get("input"))
    if isinstance(given, str):
        return parsed(given) or {"input": given}
    return given if given is not None else {}
