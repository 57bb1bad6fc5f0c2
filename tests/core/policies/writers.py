"""Writers of one key who see one another or do not: what the tests of each policy stand on."""

from __future__ import annotations

from ledger.core.policies.policy import EMPTY, Cell, Outcome, Policy, Value, Write
from ledger.testing import STAMPS


def cell_of(policy: Policy, value: Value) -> Cell:
    """What stands at a key after its first write."""
    return policy.apply(EMPTY, Write(STAMPS[0], True, policy.diff(EMPTY, value).fields)).cell


def concurrently(policy: Policy, base: Value, *values: Value) -> Outcome:
    """What stands after writers who each saw the first write alone; what any of them lost."""
    start = cell_of(policy, base)
    found = Outcome(start)
    for number, value in enumerate(values, 1):
        fields = policy.diff(start, value).fields
        made = policy.apply(found.cell, Write(STAMPS[number], number == 1, fields))
        found = Outcome(made.cell, (*found.lost, *made.lost), (*found.refused, *made.refused))
    return found
