"""Wanted: which events somebody asks for; every condition that is given has to hold, and one of its alternatives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.core.clock import micros
from ledger.core.columns import files_of, keys_of
from ledger.core.event import Event


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on events; an empty one holds always.

    `types` are types or their families, `keys` keys or what they begin with, `paths` files or folders by the whole
    names at any place in a path, `authors` parts of an agent's, a session's or a machine's name. `since` and `until`
    are microseconds; what happened just then is within. `words` is a query of the full-text index.
    """

    sessions: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    words: str | None = None

    @property
    def is_anything(self) -> bool:
        """Whether no condition is given."""
        return self == Wanted()

    def holds(self, event: Event, agent: str, host: str) -> bool:
        """Whether an event fulfils every condition but `words`."""
        return (
            _one_of(event.session, self.sessions)
            and _one_of(agent, self.agents)
            and (not self.types or any(is_in_family(event.type, name) for name in self.types))
            and (not self.keys or any(is_below(key, top) for key in keys_of(event) for top in self.keys))
            and (not self.paths or any(is_within(path, part) for path in files_of(event) for part in self.paths))
            and (
                not self.authors
                or any(is_part(part, name) for part in self.authors for name in (agent, event.session, host))
            )
            and self._is_in_time(event)
        )

    def _is_in_time(self, event: Event) -> bool:
        if self.since is None and self.until is None:
            return True
        happened = micros(event.time)
        return (self.since is None or self.since <= happened) and (self.until is None or happened <= self.until)


def is_in_family(kind: str, name: str) -> bool:
    """Whether a type is the one that is named, or of the family: `context.` and `context` hold `context.set`."""
    return kind == name or kind.startswith(f"{name.rstrip('.')}.")


def is_below(key: str, top: str) -> bool:
    """Whether a key is the one that is named, or below it."""
    return key == top or key.startswith(f"{top.rstrip('/')}/")


def is_within(path: str, part: str) -> bool:
    """Whether whole names of a path are those of `part`: `src/auth` is within `/home/ann/src/auth/login.py`."""
    return f"/{part.strip('/')}/" in f"/{path.strip('/')}/"


def is_part(part: str, name: str) -> bool:
    """Whether a name holds `part`, in large letters or small."""
    return part.casefold() in name.casefold()


def _one_of(value: str, wanted: Iterable[str]) -> bool:
    return not wanted or value in wanted
