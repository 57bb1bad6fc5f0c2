"""Gemini CLI: one JSON document a session (`messages`), or since 0.4x JSONL: a header, messages, and
`{"$set": …}` lines that change fields of the session.

What the format asks for:
- A message is written again under its id once its tools have answered; a resumed session gets a
  second header and a `$set` with all its messages so far. A message's usage, and the end of the turn
  with it, are noted when the next message comes.
- `input` counts cached tokens, `output` leaves out the thoughts; both are put right here.
- Hooks are given no ids of prompts and calls: what these say is their name here too, and they are counted.
- Hooks put `<hook_context>` into a person's message, and the program its `<session_context>`.
"""

from __future__ import annotations

from typing import Any

from ledger.recording.adapter import Draft, Record
from ledger.recording.calls import Outcome, call, told
from ledger.recording.cutting import LABEL, PROMPT, cut
from ledger.recording.moment import moment
from ledger.recording.naming import call_of, words_of
from ledger.recording.payloads.fence import without_fence
from ledger.recording.payloads.reading import exit_code_in
from ledger.recording.scribe import Scribe
from ledger.recording.shapes import count, listing, mapping, name, texts, without_blocks, word

NAME = "gemini"
TITLE = "Gemini CLI"

_TYPES = frozenset(["user", "gemini", "info", "error", "warning"])
_ENDED = frozenset(["success", "error", "cancelled"])
_INSERTED = ("hook_context", "session_context")
_SUMMARY = "<state_snapshot>"


def owns(record: Record) -> bool:
    """True for a header, a message or a change of the session."""
    if "projectHash" in record or "$set" in record or "$rewindTo" in record:
        return True
    return word(record.get("type")) in _TYPES and "id" in record and "timestamp" in record and "message" not in record


def session_of(record: Record) -> str | None:
    """The session that a header names; messages name none."""
    return name(record.get("sessionId")) or name(mapping(record.get("$set")).get("sessionId")) or None


def reader(session: str) -> GeminiReader:
    """A reader for one session; `session` serves a transcript without a header."""
    return GeminiReader(session)


class GeminiReader:
    """Follows one Gemini CLI session."""

    def __init__(self, session: str) -> None:
        self._scribe = Scribe(NAME, session)
        self._waiting: Record | None = None
        self._done: set[int] = set()
        self._turn = ""
        self._last_said = ""
        self._answered: str | None = None

    @property
    def session(self) -> str:
        """The session that the latest header named."""
        return self._scribe.session

    def drafts(self, record: Record) -> tuple[Draft, ...]:
        """The facts that are known for certain with this record."""
        change = mapping(record.get("$set"))
        self._scribe.session = session_of(record) or self._scribe.session
        for message in listing(change.get("messages")):
            self._message(mapping(message))
        if "type" in record:
            self._message(record)
        elif "$set" not in record and session_of(record):
            self._header(record)
        return self._scribe.take()

    def rest(self) -> tuple[Draft, ...]:
        """The usage of the last message, and the end of the turn if it is one."""
        self._settle()
        if self._last_said:
            self._end_turn(self._last_said, "end_turn")
        return self._scribe.take()

    def _header(self, record: Record) -> None:
        self._scribe.at(record.get("startTime"))
        self._scribe.open()

    def _message(self, message: Record) -> None:
        kind, key = word(message.get("type")), name(message.get("id"))
        if not key or kind not in _TYPES or hash(key) in self._done:
            return
        if self._waiting is not None and name(self._waiting.get("id")) != key:
            self._settle()
        self._scribe.at(message.get("timestamp"))
        if kind == "gemini":
            self._waiting = message
            self._answer(message)
        else:
            self._done.add(hash(key))
            self._other(kind, key, message)

    def _other(self, kind: str, key: str, message: Record) -> None:
        shown = texts(message.get("displayContent") or message.get("content"))
        said = without_blocks("\n".join(shown), *_INSERTED).strip()
        if kind == "user" and said.startswith(_SUMMARY):
            self._scribe.note("compaction.started", f"compaction:{key}", {"text": cut(said, PROMPT)})
        elif kind == "user" and said:
            self._end_turn(self._last_said, "end_turn" if self._last_said else None, self._answered)
            asked = cut(without_fence(said), PROMPT)
            self._turn = words_of(asked)
            self._scribe.note("prompt.submitted", f"prompt:{self._turn}", {"text": asked, "by": "user"}, again=True)
        elif kind == "error":
            self._end_turn(said, "error")
        elif kind == "info" and said.startswith("Request cancelled"):
            self._end_turn("", "aborted")

    def _answer(self, message: Record) -> None:
        for done in listing(message.get("toolCalls")):
            self._tool(mapping(done))

    def _tool(self, done: Record) -> None:
        key, status = name(done.get("id")), word(done.get("status"))
        if not key or hash(key) in self._done or (status not in _ENDED and "result" not in done):
            return
        self._done.add(hash(key))
        made = call(word(done.get("name")) or "unknown", done.get("args"), self._scribe.time)
        time = moment(done.get("timestamp")) or self._scribe.time
        kind, data = told(key, made, _outcome(done, status))
        self._scribe.note(kind, f"tool:{call_of(made.tool, done.get('args'))}", data, time=time, again=True)

    def _settle(self) -> None:
        """Note what a message of the model meant, now that it will not be written again."""
        message, self._waiting = self._waiting, None
        if message is None:
            return
        key = name(message.get("id"))
        self._done.add(hash(key))
        self._answered = moment(message.get("timestamp")) or self._scribe.time
        tokens = _tokens(mapping(message.get("tokens")))
        if tokens:
            data = {"message": key, "model": cut(word(message.get("model")), LABEL), **tokens}
            self._scribe.note("usage.reported", f"usage:{key}", data, time=self._answered)
        said = "\n".join(texts(message.get("content"))).strip()
        # With tool calls the turn goes on; without, it may: only the next prompt tells.
        self._last_said = "" if listing(message.get("toolCalls")) else said

    def _end_turn(self, said: str, reason: str | None, time: str | None = None) -> None:
        if self._turn:
            ended = {"text": cut(said, PROMPT), "reason": reason}
            self._scribe.note("turn.ended", f"turn:{self._turn}", ended, time=time, again=True)
        self._turn = self._last_said = ""


def _outcome(done: Record, status: str) -> Outcome:
    response = _response(done.get("result"))
    text = _first_text(response.get("error"), response.get("output"), done.get("resultDisplay"))
    code = exit_code_in(text)
    failed = status in ("error", "cancelled") or "error" in response or bool(code)
    return Outcome(text=text, failed=failed, exit_code=code)


def _response(result: Any) -> Record:
    """What the tool answered: of several parts the first."""
    parts = result if isinstance(result, list) else [result]
    for part in parts:
        response = mapping(mapping(mapping(part).get("functionResponse")).get("response"))
        if response:
            return response
    return {}


def _first_text(*values: Any) -> str:
    for value in values:
        text = word(value) or word(mapping(value).get("message"))
        if text:
            return text
    return ""


def _tokens(tokens: Record) -> dict[str, int]:
    if not tokens:
        return {}
    given = {field: count(tokens.get(field)) or 0 for field in ("input", "cached", "tool", "output", "thoughts")}
    return {
        "input": max(0, given["input"] - given["cached"]) + given["tool"],
        "output": given["output"] + given["thoughts"],
        "cache_read": given["cached"],
        "reasoning": given["thoughts"],
    }
