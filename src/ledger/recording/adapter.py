"""What a transcript is once it is read: units of raw bytes, each with the facts found in it.

A reader per agent (`claude_code`, `codex`, `gemini`) is a module that fits `Adapter`. It turns one
parsed record after another into drafts. Drafts are not events yet: they carry no id, nothing is
redacted, and nothing is known of storage.

Refs name a fact in the agent's own terms, so that a hook and a transcript mean the same one:

    session.started            the start of the session
    prompt:<prompt or turn id> what was asked; its words where the agent has no id for prompts (`naming`)
    turn:<prompt or turn id>   the end of a turn
    tool:<call id>             one finished tool call; what it was given where hooks learn of no id
    usage:<message id>         the tokens of one message of the model
    subagent:<id>:started      and `:ended`
    compaction:<id>            one compaction

A further fact of the same name in one session gets `.2`, `.3` and so on.

Tokens mean the same for every agent: `input` is what was neither read from nor written to a cache,
`output` holds everything the model wrote, `reasoning` is the part of `output` that was thought.
So `input + cache_read + cache_write + output` is the agent's own total.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """One fact found in a transcript.

    `time` is UTC with microseconds (`2026-11-22T15:13:04.123456Z`), `session` the agent's own id of
    the session, `ref` unique within it.
    """

    type: str
    time: str
    data: dict[str, Any]
    ref: str
    session: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of a JSONL transcript, or one message (number 0: the head) of a JSON document.

    `raw` holds its exact bytes; those of all units together are the transcript. `problem` says why
    it could not be read. An over-long line comes in several units of the same number.
    """

    number: int
    raw: bytes
    session: str | None
    drafts: tuple[Draft, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript being read: the agent that wrote it, its form ("jsonl" or "json"), its units."""

    agent: str
    form: str
    units: Iterator[Unit]


class Reader(Protocol):
    """Follows one transcript from its first record to its last."""

    @property
    def session(self) -> str:
        """The session that the latest record belongs to."""
        ...

    def drafts(self, record: Record) -> tuple[Draft, ...]:
        """The facts that are known for certain with this record."""
        ...

    def rest(self) -> tuple[Draft, ...]:
        """The facts that were waiting for more, when there is no more."""
        ...


class Adapter(Protocol):
    """What a module for one agent offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The agent's name in events: "claude-code"."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802 - a module's constant
        """The agent's name for people: "Claude Code"."""
        ...

    def owns(self, record: Record) -> bool:
        """True if the record has a shape that only this agent writes."""
        ...

    def session_of(self, record: Record) -> str | None:
        """The session that the record names, or None."""
        ...

    def reader(self, session: str) -> Reader:
        """A reader that uses `session` for records that name none."""
        ...
