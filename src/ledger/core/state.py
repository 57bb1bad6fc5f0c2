"""State: all that the events fold into, as documents named by the path they have in a commit's tree.

This module is the one place that spells the paths of a state. The unit of footprint and of merge
(`unit_of`) is the state file, where a key's entry with its conflicts file is one unit, and a
session's folder is one unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ledger.core.policies.policy import text_of

Document = dict[str, Any]

# path -> the new document, or None where it is removed; a path that ends in "/" removes the folder, before
# any document is put into it.
Changes = dict[str, Document | None]

LEDGER = "ledger.yaml"
POLICY = "policy.yaml"


class Reader(Protocol):
    """Read access to one state: a commit's tree, or documents in memory."""

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document whose path starts with `folder` (which ends in "/"), sorted by path."""


class State:
    """A state held in memory; equal states have equal documents."""

    __slots__ = ("documents",)

    def __init__(self, documents: Mapping[str, Document] | None = None) -> None:
        self.documents: dict[str, Document] = dict(documents or {})

    def get(self, path: str) -> Document | None:
        """The document at `path`, or None."""
        return self.documents.get(path)

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document whose path starts with `folder`, sorted by path."""
        for path in sorted(p for p in self.documents if p.startswith(folder)):
            yield path, self.documents[path]

    def update(self, changes: Changes) -> None:
        """Make the changes of one event or one merge."""
        for folder in (path for path in changes if path.endswith("/")):
            for inside in [p for p in self.documents if p.startswith(folder)]:
                del self.documents[inside]
        for path, document in changes.items():
            if document is not None:
                self.documents[path] = document
            else:
                self.documents.pop(path, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and is_same(self.documents, other.documents)

    __hash__ = None  # type: ignore[assignment]  # a state is a value that changes: it has no hash

    def __repr__(self) -> str:
        return f"State({sorted(self.documents)})"


class Overlay:
    """A reader that shows changes not yet written over the state below them."""

    __slots__ = ("_below", "_changes")

    def __init__(self, below: Reader, changes: Changes) -> None:
        self._below, self._changes = below, changes

    def get(self, path: str) -> Document | None:
        """The changed document if there is one, else the one below."""
        if path in self._changes:
            return self._changes[path]
        if any(p.endswith("/") and d is None and path.startswith(p) for p, d in self._changes.items()):
            return None
        return self._below.get(path)

    def under(self, folder: str) -> Iterator[tuple[str, Document]]:
        """Every document under `folder`, changed ones in their new form, sorted by path."""
        state = State(dict(self._below.under(folder)))
        state.update(self._changes)
        return state.under(folder)


def is_same(one: object, two: object) -> bool:
    """Whether two values have the same text: to Python 1, 1.0 and true are equal, in a file they are not."""
    return one == two and text_of(one) == text_of(two)


def context_path(key: str, session: str | None = None) -> str:
    """Where the entry of `key` lies: shared, or in the folder of one session."""
    return f"{_scope(session)}context/{key}.yaml"


def conflicts_path(key: str, session: str | None = None) -> str:
    """Where the losers of `key` lie."""
    return f"{_scope(session)}conflicts/{key}.yaml"


def session_folder(session: str) -> str:
    """The folder of a session that has not ended."""
    return f"sessions/{session}/"


def session_path(session: str) -> str:
    """The roster entry of a session."""
    return f"sessions/{session}/session.yaml"


def task_path(task: str) -> str:
    """Where a task lies."""
    return f"tasks/{task}.yaml"


def lease_path(lease: str) -> str:
    """Where a lease lies."""
    return f"leases/{lease}.yaml"


def key_of(path: str) -> str | None:
    """The key whose shared entry or conflicts lie at `path`, or None for any other path."""
    for folder in ("context/", "conflicts/"):
        if path.startswith(folder):
            return path[len(folder) : -len(".yaml")]
    return None


def unit_of(path: str) -> str:
    """The unit of footprint and merge that `path` belongs to; see `unit_paths` for the way back."""
    key = key_of(path)
    if key is not None:
        return context_path(key)
    if path.startswith("sessions/"):
        return session_folder(path.split("/")[1])
    return path


def unit_paths(unit: str) -> tuple[str, ...]:
    """The files (or the folder, ending in "/") that make up a unit."""
    key = key_of(unit)
    return (unit,) if key is None else (context_path(key), conflicts_path(key))


def name_of(unit: str) -> str:
    """What every event that may touch a unit says in its text; "" for the ledger's own units, which need no name."""
    return unit.partition("/")[2].removesuffix(".yaml").removesuffix("/")


def read_unit(reader: Reader, unit: str) -> State:
    """The documents of one unit, as a state of their own."""
    if unit.endswith("/"):
        return State(dict(reader.under(unit)))
    found = ((path, reader.get(path)) for path in unit_paths(unit))
    return State({path: document for path, document in found if document is not None})


def last_of(unit: State) -> str | None:
    """The greatest event id folded into a unit; None where there is no entry, hence no `last`."""
    return max((d["last"] for d in unit.documents.values() if "last" in d), default=None)


def _scope(session: str | None) -> str:
    return "" if session is None else session_folder(session)
