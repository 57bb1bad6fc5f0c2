"""Access: which key, or which user of the transport, may write in the name of which sessions, and to which keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ledger.core.event import Event
from ledger.core.fold import footprint
from ledger.core.state import key_of

_ALL = ("*",)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may write; `keys` are what their shared keys begin with, the others are patterns as in a shell."""

    name: str
    public_key: bytes | None = None
    user: str | None = None
    sessions: tuple[str, ...] = _ALL
    agents: tuple[str, ...] = _ALL
    keys: tuple[str, ...] | None = None
    is_administrator: bool = False

    def problems(self, event: Event, agent: str) -> Iterator[str]:
        """Why an event of this agent's is not theirs to write."""
        if not any(fnmatchcase(event.session, pattern) for pattern in self.sessions):
            yield f"{self.name} may not write in the name of session {event.session}"
        if not any(fnmatchcase(agent, pattern) for pattern in self.agents):
            yield f"{self.name} may not write in the name of {agent}"
        if self.keys is None:
            return
        for key in sorted(_written(event)):
            if not any(_begins(key, prefix) for prefix in self.keys):
                yield f"{self.name} may not write to {key}"


@dataclass(frozen=True, slots=True)
class Access:
    """All who may write to one ledger; nobody named means that everybody may whom the transport lets in."""

    people: tuple[Person, ...] = ()
    needs_signature: bool = False

    def by_key(self, public_key: bytes) -> Person | None:
        """Whose key it is; None where nobody here has it."""
        return next((one for one in self.people if one.public_key == public_key), None)

    def by_user(self, user: str) -> Person | None:
        """Who comes by the transport under that name; `*` stands for anybody."""
        named = [one for one in self.people if one.user == user and user]
        return next(iter([*named, *(one for one in self.people if one.user == "*")]), None)


def access_of(told: Mapping[str, Any], keys: Sequence[bytes | None]) -> Access:
    """The access that a valid document tells; `keys` are the public keys of its people, in their order."""
    people = tuple(
        Person(
            name=one["name"],
            public_key=key,
            user=one.get("user"),
            sessions=tuple(one.get("sessions", _ALL)),
            agents=tuple(one.get("agents", _ALL)),
            keys=tuple(one["keys"]) if "keys" in one else None,
            is_administrator=one.get("administrator", False),
        )
        for one, key in zip(told.get("who", ()), keys, strict=True)
    )
    return Access(people, told.get("signatures") == "required")


def _written(event: Event) -> set[str]:
    """The shared keys that an event touches."""
    paths = (path for path in footprint(event) if path.startswith(("context/", "conflicts/")))
    return {key for path in paths if (key := key_of(path))}


def _begins(key: str, prefix: str) -> bool:
    whole = prefix.rstrip("/")
    return key == whole or key.startswith(f"{whole}/") or prefix == "*"
