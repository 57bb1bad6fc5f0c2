"""What tests of programs that use a ledger may stand on.

Time and chance that are the same in every run, and the laws that every policy keeps, one's own too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger.api import Sources
from ledger.core.clock import micros
from ledger.core.policies import absent, find_vendored_with, laws
from ledger.core.policies.laws import STAMPS
from ledger.core.policies.policy import Policy, Value
from ledger.core.policies.vendored import Vendored
from ledger.storage.installed import find_policy

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class Clock:
    """A clock that stands still until it is told to go on; asked for the time, it gives microseconds since 1970."""

    def __init__(self, start: str = "2026-11-22T15:13:04.000000Z") -> None:
        self._now = micros(start)

    def __call__(self) -> int:
        """The time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time go by; backwards too, as real clocks do."""
        self._now += round(seconds * 1_000_000)


def fixed(clock: Clock | None = None) -> Sources:
    """Sources of a run that is the same each time: a clock that stands, no chance, one person at one host.

    Without chance, ids differ by time and counter alone. That is enough for one line of writers; for concurrent
    ones give a `random62` of your own.
    """
    return Sources(now=clock or Clock(), random62=lambda: 0, user="ann", host="desk")


def json_values() -> SearchStrategy[Value]:
    """A Hypothesis strategy of the values that canonical text can carry; needs `context-ledger[test]`."""
    from hypothesis import strategies as st

    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    )


def check_policy(policy: Policy, values: SearchStrategy[Value] | Iterable[Value]) -> None:
    """Hold a policy to the laws that `ledger.core.policies.policy.Policy` states; a module of one's own too.

    `values`: what the policy can hold, as a Hypothesis strategy (needs `context-ledger[test]`) or as a few
    examples, which are then tried three by three. Raises AssertionError naming the law and the values.
    """
    if isinstance(values, Iterable):
        laws.check_examples(policy, list(values))
        return
    from hypothesis import given
    from hypothesis import strategies as st

    given(st.tuples(values, values, values))(lambda three: laws.check(policy, *three))()


@contextmanager
def policies(*given: Policy) -> Iterator[None]:
    """Have policies of one's own found within this block by their names, as if their packages were installed."""
    found = {one.name: Vendored(one.name, "the test", one) for one in given}

    def finder(name: str) -> Policy:
        if name in found:
            return found[name]
        raise absent(name)

    find_vendored_with(finder)
    try:
        yield
    finally:
        find_vendored_with(find_policy)


__all__ = ["STAMPS", "Clock", "check_policy", "fixed", "json_values", "policies"]
