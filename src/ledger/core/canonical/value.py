"""The values that canonical text can carry, and their limits."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = "Scalar | list[Value] | dict[str, Value]"

# Lists and mappings nest at most this deep; the outermost one is level 1.
MAX_DEPTH = 64
# The spelling of a mapping key takes at most this many characters: YAML's own limit for `key: value`.
MAX_KEY = 1024
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
