"""Policies: how the writes to one key combine; one module each.

A package may bring policies of its own, named `vendor.name`; what finds them is given from outside.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from ledger.core.key import MAX_SEGMENTS, key_problems
from ledger.core.policies.policy import Policy
from ledger.errors import InvalidError, PolicyError, Problem

BUILT_IN = ("lww", "counter", "set", "map", "log", "text", "max", "min")
DEFAULT = "lww"


Finder = Callable[[str], Policy]

_VENDORED = re.compile(r"(?=.{3,64}\Z)[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+")


def policy(name: str) -> Policy:
    """The policy of that name.

    Raises InvalidError with the names there are, PolicyError for one of a package that is not installed.
    """
    if name in BUILT_IN or is_vendored(name):
        return folding_policy(name)
    rule = f"{name!r} is none of: {', '.join(BUILT_IN)}; nor is it one that a package brings, such as acme.ranked"
    raise InvalidError("no such policy", [Problem("policy", rule)])


def folding_policy(name: str) -> Policy:
    """The policy that the fold uses.

    A name that can be no policy's combines as `lww`, so that the fold is total. A policy that some package brings
    must be there: folded by another rule here than where it was written, one history would have two states.
    Raises PolicyError where it is not.
    """
    if name in BUILT_IN:
        return _module(name)
    return _finders[-1](name) if is_vendored(name) else _module(DEFAULT)


def is_vendored(name: str) -> bool:
    """Whether a name has the form `vendor.name`, hence can never be that of a policy of this package."""
    return _VENDORED.fullmatch(name) is not None


def find_vendored_with(finder: Finder) -> None:
    """Have policies that packages bring found by `finder`, which raises PolicyError for one that is not there."""
    _finders[:] = [finder]


def _none_installed(name: str) -> Policy:
    raise absent(name)


def absent(name: str) -> PolicyError:
    """The error for a policy whose package is not installed."""
    hint = f"install the package that brings policy {name!r}; reading, and writing other keys, works without it"
    return PolicyError(name, "is not installed here", hint=hint)


_finders: list[Finder] = [_none_installed]


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
