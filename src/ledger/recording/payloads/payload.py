"""What a module for one agent offers, and what it makes of a payload. Pure: no files, no clock, no storage.

A module fits `Dialect`. It knows an agent by the payload's own keys, never by the name of the hook that ran: one
agent also runs the hooks that were installed for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ledger.recording.adapter import Draft

Payload = Mapping[str, Any]

# What an agent does once a payload has been sent: None where it says nothing about that.
Doing = Literal["working", "waiting", "ended"]

# Where an agent can be answered: the start of a session, a prompt, an edit that is about to be made.
Moment = Literal["start", "prompt", "edit"]


@dataclass(frozen=True, slots=True)
class Heard:
    """What one payload says.

    `session` is the agent's own id of the session. `drafts` are the facts, their refs as in `adapter`, the same that
    the session's transcript would give; a ref that ends with "#" is told apart by counting (`numbered`), because the
    agent gives no id. `transcript` is the path of the session's transcript where it should be read to its end now.
    `ends_turn` says that what the session has of its own may be published.
    """

    session: str
    drafts: tuple[Draft, ...] = ()
    doing: Doing | None = None
    transcript: str | None = None
    cwd: str = ""
    ends_turn: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """One hook as it is written into an agent's settings: the agent's event, and its matcher where it takes one.

    `seconds` is the time after which the agent may stop waiting; `answers` says that the agent reads what the hook
    prints.
    """

    event: str
    matcher: str | None = None
    seconds: int = 10
    answers: Moment | None = None


class Dialect(Protocol):
    """What a module for one agent offers."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The agent's name in events, on the command line and in file names: "claude-code"."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802 - a module's constant
        """The agent's name for people: "Claude Code"."""
        ...

    @property
    def HOOKS(self) -> tuple[Registration, ...]:  # noqa: N802 - a module's constant
        """The hooks that are registered with the agent."""
        ...

    def owns(self, payload: Payload) -> bool:
        """True if the payload has keys that only this agent sends."""
        ...

    def hear(self, payload: Payload, time: str) -> Heard:
        """What a payload says; `time` is when it was captured, for one that does not say when it was sent.

        Raises InvalidError, naming every field at fault, for one that names no session, or is not as this agent's are.
        """
        ...

    def moment(self, payload: Payload) -> Moment | None:
        """Where the agent can be answered with this payload; None where it would not listen."""
        ...

    def inject(self, payload: Payload, text: str) -> str:
        """What the hook prints so that the agent reads `text`, in the one dialect that this agent takes."""
        ...

    def deny(self, payload: Payload, because: str) -> str:
        """What the hook prints so that the agent does not do what it is about to do, and reads why."""
        ...
