"""Set text: a value that was typed as text, read as a number where the key's policy holds numbers."""

from __future__ import annotations

import re

from ledger.actions.append import Draft, Writer
from ledger.actions.writers import Target, policy_name, setting
from ledger.core.policies.policy import Value
from ledger.core.state import Reader

NUMERIC = ("counter", "max", "min")

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,2})?")


def setting_text(target: Target, text: str) -> Writer:
    """Give a key a value that was typed: a text, or a number under a policy that holds numbers."""

    def write(reader: Reader) -> Draft | None:
        value = as_number(text) if policy_name(target, reader, "lww") in NUMERIC else text
        return setting(target, value)(reader)

    return write


def as_number(text: str) -> Value:
    """The number that a text spells in decimal digits, or the text itself."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
