"""A policy that another package brings: its faults are named, and never taken for ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ledger.core.policies.policy import Cell, Op, Outcome, Policy, Value, Write
from ledger.errors import InvalidError, PolicyError, Problem

PARTS = ("name", "combines", "examples", "problems", "diff", "apply")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Vendored:
    """A policy of another package, `origin`, under the name by which it is used.

    Its calls raise PolicyError for whatever the package raises, but for InvalidError, by which `diff` refuses.
    """

    name: str
    origin: str
    policy: Policy

    @property
    def combines(self) -> bool:
        """Whether concurrent writes leave one value."""
        return self.policy.combines is True

    @property
    def examples(self) -> tuple[Value, ...]:
        """The values that the package gives to hold the policy to the laws by."""
        given = getattr(self.policy, "examples", ())
        return tuple(given) if isinstance(given, (list, tuple)) else ()

    def problems(self, value: Value) -> list[Problem]:
        """What the package says is wrong with a value."""
        return self._asked(list, self.policy.problems, value)

    def diff(self, old: Cell, new: Value) -> Op:
        """The package's write that turns `old` into `new`."""
        try:
            return self._asked(Op, self.policy.diff, old, new)
        except PolicyError as error:
            if isinstance(error.__cause__, InvalidError):
                raise error.__cause__ from None
            raise

    def apply(self, cell: Cell, write: Write) -> Outcome:
        """The package's cell after the write."""
        return self._asked(Outcome, self.policy.apply, cell, write)

    def _asked(self, wanted: type[_T], question: Callable[..., Any], *about: Any) -> _T:
        try:
            answer = question(*about)
        except Exception as error:
            raise self._fault(f"{type(error).__name__}: {error}") from error
        if not isinstance(answer, wanted):
            raise self._fault(f"{question.__name__} gave {answer!r}, which is no {wanted.__name__}")
        return answer

    def _fault(self, what: str) -> PolicyError:
        return PolicyError(self.name, f"failed: {what}", hint=f"this is a fault of {self.origin}, which brings it")
