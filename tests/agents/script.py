"""What a scripted model does: for each prompt a list of steps, one a request of the agent's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Say:
    """Answers, which ends the turn; in so many pieces as there are."""

    pieces: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Shell:
    """Calls the agent's shell."""

    command: str


@dataclass(frozen=True, slots=True)
class Write:
    """Writes a new file with the agent's own tool."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces a line of a file with the agent's own tool."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """Starts a subagent, which is given a prompt; the prompt has steps of its own."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Await:
    """Waits for the subagents that were started."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Fails as an API does, with an HTTP status."""

    status: int


Move = Say | Shell | Write | Edit | Delegate | Await | Refuse


@dataclass(frozen=True, slots=True)
class Later:
    """Thinks so many seconds before it does something."""

    seconds: float
    move: Move


Step = Move | Later
Script = Mapping[str, Sequence[Step]]


def say(*pieces: str) -> Say:
    """Answers in so many pieces."""
    return Say(pieces)
