"""Policies: how the writes to one key combine; one module each."""

from __future__ import annotations

import builtins
import functools
import importlib
from collections.abc import Iterable
from typing import Any, cast

from ledger.core.key import MAX_SEGMENTS, key_problems
from ledger.core.policies.policy import Policy
from ledger.errors import InvalidError, Problem

BUILT_IN = ("lww", "counter", "set", "map", "log", "text", "max", "min")
DEFAULT = "lww"


def policy(name: str) -> Policy:
    """The policy of that name; raises InvalidError with the names there are."""
    if name not in BUILT_IN:
        raise InvalidError("no such policy", [Problem("policy", f"{name!r} is none of: {', '.join(BUILT_IN)}")])
    return _module(name)


def folding_policy(name: str) -> Policy:
    """The policy that the fold uses: an unknown one combines as `lww`, so that the fold is total."""
    return _module(name if name in BUILT_IN else DEFAULT)


@functools.cache
def _module(name: str) -> Policy:
    return cast(Policy, importlib.import_module(f"ledger.core.policies.{name}"))


def pattern_problems(pattern: str) -> list[Problem]:
    """Every reason why `pattern` cannot name keys; `*` stands for one segment, `**` at the end for one or more."""
    segments = pattern.split("/")
    broken = []
    if "**" in segments[:-1]:
        broken.append(Problem("pattern", "'**' may stand only at the end"))
    names = [segment for segment in segments if segment not in ("*", "**")]
    broken += [Problem("pattern", f"{p.rule}, or is '*' or '**'") for name in names for p in key_problems(name)]
    if len(segments) > MAX_SEGMENTS:
        broken.append(Problem("pattern", f"has {len(segments)} segments; at most {MAX_SEGMENTS}"))
    return broken


def matches(pattern: str, key: str) -> bool:
    """Whether `pattern` names `key`."""
    wanted, segments = pattern.split("/"), key.split("/")
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        if len(segments) <= len(wanted):
            return False
        segments = segments[: len(wanted)]
    return len(wanted) == len(segments) and all(w in ("*", s) for w, s in zip(wanted, segments, strict=True))


def most_telling(patterns: Iterable[str], key: str) -> str | None:
    """Of the patterns that name `key`, the most precise one: a name beats `*`, which beats `**`, from the left."""
    ranks = {"*": 1, "**": 2}
    fitting = [p for p in patterns if matches(p, key)]
    # Not `min`: once the policy of that name is imported, it is what the name means in this package.
    return builtins.min(fitting, key=lambda p: ([ranks.get(s, 0) for s in p.split("/")], p), default=None)


def declared_policy(key: str, document: dict[str, Any] | None) -> str | None:
    """The policy that `policy.yaml` declares for `key`; None where it declares none, and any may be used."""
    declared: dict[str, str] = (document or {}).get("policies", {})
    pattern = most_telling(declared, key)
    return None if pattern is None else declared[pattern]
