"""What a policy is: how the writes to one key combine."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ledger.errors import Problem

Value = Any  # JSON-compatible, as `canonical` can write it


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of an entry and the marks that its policy needs to combine later writes (often none)."""

    value: Value = None
    marks: dict[str, Any] = field(default_factory=dict)


EMPTY = Cell()


class Op(NamedTuple):
    """A write: the event type that carries it and the fields it puts into that event's data."""

    type: str
    fields: dict[str, Any]


class Write(NamedTuple):
    """One write as the fold meets it: its event's id, whether it saw what stands there, and the op's fields."""

    stamp: str
    saw_all: bool
    fields: dict[str, Any]


class Outcome(NamedTuple):
    """A cell after a write, the values that it beat without having seen them, and what it found no room for."""

    cell: Cell
    lost: tuple[Value, ...] = ()
    refused: tuple[Value, ...] = ()


class Policy(Protocol):
    """How writes to a key combine; a module of this package or a user's own, by entry point.

    Laws, held by the published law tests: (1) `apply(cell, diff(cell, new)).cell.value == new` for a
    writer who saw all; (2) `apply` is total and deterministic; (3) it depends on nothing but its
    arguments; and for a policy that combines, (4) concurrent writes leave the same value in either order
    unless one is reported lost, and (5) what is not reported lost is kept.
    """

    name: str
    combines: bool

    def problems(self, value: Value) -> list[Problem]:
        """Every reason why `value` cannot be a value of this policy."""

    def diff(self, old: Cell, new: Value) -> Op:
        """The write that turns `old` into `new`."""

    def apply(self, cell: Cell, write: Write) -> Outcome:
        """The cell after the write."""


def text_of(value: Value) -> str:
    """A spelling of a JSON value under which equal values, and only they, are equal: 1 is not 1.0 nor true."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
