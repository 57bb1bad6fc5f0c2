"""Installed: the policies that other packages bring, by entry points of the group `ledger.policies`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, cast

from ledger.core.policies import absent, is_vendored
from ledger.core.policies.policy import Policy
from ledger.errors import PolicyError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "ledger.policies"


@functools.cache
def find_policy(name: str) -> Policy:
    """The policy of that name that an installed package brings.

    Raises PolicyError where none does, where two do, and where what it names is no policy of that name.
    """
    found = _entry_points().get(name, [])
    if not found:
        raise absent(name)
    if len(found) > 1:
        packages = ", ".join(sorted(map(_package, found)))
        raise PolicyError(name, f"comes with several packages: {packages}", hint="uninstall all but one of them")
    return _loaded(name, found[0])


# Once for a process: to look through all packages takes 10 ms, and a fold asks for every event.
@functools.cache
def _entry_points() -> dict[str, list[EntryPoint]]:
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=GROUP):
        if is_vendored(one.name):
            found.setdefault(one.name, []).append(one)
    return found


def _loaded(name: str, found: EntryPoint) -> Policy:
    # Imported here: every command knows of this module, and hardly any meets such a policy.
    from ledger.core.policies.vendored import PARTS, Vendored

    hint = f"this is a fault of {_package(found)}, which brings it"
    try:
        policy = found.load()
    except Exception as error:
        raise PolicyError(name, f"cannot be loaded: {type(error).__name__}: {error}", hint=hint) from error
    missing = [part for part in PARTS if not hasattr(policy, part)]
    if missing:
        raise PolicyError(name, f"lacks {', '.join(missing)}", hint=hint)
    if policy.name != name:
        raise PolicyError(name, f"calls itself {policy.name!r}", hint=hint)
    return Vendored(name, _package(found), cast(Policy, policy))


def _package(found: EntryPoint) -> str:
    return f"{found.dist.name} {found.dist.version}" if found.dist is not None else found.value
