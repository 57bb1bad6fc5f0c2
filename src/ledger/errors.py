"""The LedgerError family: what went wrong, what to do next, and the exit code for it.

Exit codes are a contract with scripts (docs/reference/exit-codes.md); each class owns one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing wrong with an input: where it is, and which rule it breaks."""

    path: str
    rule: str

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}" if self.path else self.rule


class LedgerError(Exception):
    """Base of every error that a user may meet; carries a hint and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotFoundError(LedgerError):
    """The answer is no: nothing has that name (exit 1)."""


class AmbiguousError(NotFoundError):
    """A prefix fits several ids; `matches` lists them (exit 1)."""

    def __init__(self, message: str, *, matches: Iterable[str], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.matches = tuple(matches)


class UsageError(LedgerError):
    """The call itself is wrong (exit 2)."""

    exit_code = 2


class NotALedgerError(LedgerError):
    """The folder holds no ledger (exit 3)."""

    exit_code = 3


class RefusedError(LedgerError):
    """A rule of the ledger forbids it (exit 4)."""

    exit_code = 4


class InvalidError(RefusedError):
    """An input breaks rules; `problems` holds every one of them (exit 4)."""

    def __init__(self, what: str, problems: Iterable[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([what, *(f"  {p}" for p in self.problems)]), hint=hint)


class FencedError(RefusedError):
    """The process was declared dead, and its session taken from it; what it writes is kept aside (exit 4)."""


class NewerFormatError(RefusedError):
    """The ledger was written by a newer program: it can be read, not written (exit 4)."""

    def __init__(self, found: int, known: int, what: str = "format") -> None:
        super().__init__(
            f"this ledger has {what} {found}; this program writes {what} {known}",
            hint="reading works; to write, upgrade: pip install -U context-ledger",
        )
        self.found, self.known = found, known


class PolicyError(RefusedError):
    """A policy that another package brings cannot be used here; what is under it cannot be folded (exit 4)."""

    def __init__(self, policy: str, why: str, *, hint: str) -> None:
        super().__init__(f"the policy {policy!r} {why}", hint=hint)
        self.policy = policy


class BusyError(LedgerError):
    """Another process holds what is needed, for longer than the limit (exit 5)."""

    exit_code = 5


class DamageError(LedgerError):
    """Stored data is not what was written (exit 6)."""

    exit_code = 6


class StorageError(LedgerError):
    """The disk refused: full, read-only, or an I/O fault (exit 7)."""

    exit_code = 7
