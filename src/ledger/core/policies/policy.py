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

    Laws, held by `ledger.testing.check_policy`, where a list counts as the same in another order:

    1. What is written where nothing stands is there: `apply(EMPTY, diff(EMPTY, new))` holds `new`.
    2. A writer who saw all gets what he wrote, or leaves what stood there (as `max` may), or `diff`
       refuses with InvalidError (as `log` may); nothing is lost by it.
    3. `apply` and `problems` are total, and a cell can always be written as canonical text.
    4. They depend on nothing but their arguments, and change none of them.
    5. Of a policy that combines, concurrent writes leave the same value in either order, unless each
       order reports one as lost or refused.
    6. Of a policy that combines, what concurrent writes add to a list or a mapping is kept, or reported.
    7. What `diff` gives fits one of `context.set`, `context.added`, `context.removed`, `context.incremented`.

    A policy that another package brings has `examples` besides: a few values that it can hold, among them some
    that clash. It is held to the laws over them before a ledger declares it.
    """

    @property
    def name(self) -> str:
        """The name by which writes carry it."""

    @property
    def combines(self) -> bool:
        """Whether it makes one value of concurrent writes; else the later replaces."""

    def problems(self, value: Value) -> list[Problem]:
        """Every reason why `value` cannot be a value of this policy."""

    def diff(self, old: Cell, new: Value) -> Op:
        """The write that turns `old` into `new`."""

    def apply(self, cell: Cell, write: Write) -> Outcome:
        """The cell after the write."""


def text_of(value: Value) -> str:
    """A spelling of a JSON value under which equal values, and only they, are equal: 1 is not 1.0 nor true."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
