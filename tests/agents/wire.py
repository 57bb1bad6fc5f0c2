"""What one API for models offers to the scripted one: how to read a request, and how to word a step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from tests.agents.script import Move

Body = dict[str, Any]


class Told(NamedTuple):
    """One text that a request hands to the model, and in whose name."""

    role: str
    text: str


class Wire(Protocol):
    """One API, with the tools of the agent that speaks it."""

    def owns(self, path: str) -> bool:
        """True for the path of a request to the model."""
        ...

    def told(self, body: Body) -> Iterator[Told]:
        """All that a request hands to the model, in order."""
        ...

    def tools(self, body: Body) -> list[str]:
        """The names of the tools that the agent offers with a request."""
        ...

    def words(self, move: Move, body: Body, number: int) -> Iterator[Any]:
        """The documents of a streamed reply; `number` tells one reply from another."""
        ...


def event(document: Any) -> bytes:
    """A document as one server-sent event; those that name their type are told by it too."""
    kind = f"event: {document['type']}\n" if isinstance(document, dict) and "type" in document else ""
    data = document if isinstance(document, str) else json.dumps(document)
    return f"{kind}data: {data}\n\n".encode()
