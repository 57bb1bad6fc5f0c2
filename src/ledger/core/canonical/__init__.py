"""Canonical text: the one spelling, in a small part of YAML, that a value has on every machine.

`dumps` and `loads` are each other's inverse, byte for byte. `loads_lenient` reads the YAML and JSON that
people write. The grammar, with the reason for each rule, is in docs/design/canonical-text.md.
"""

from ledger.core.canonical.lenient import loads_lenient
from ledger.core.canonical.reader import loads, loads_proven
from ledger.core.canonical.value import MAX_DEPTH, MAX_KEY, Scalar, Value
from ledger.core.canonical.writer import dumps, problems

__all__ = ["MAX_DEPTH", "MAX_KEY", "Scalar", "Value", "dumps", "loads", "loads_lenient", "loads_proven", "problems"]
