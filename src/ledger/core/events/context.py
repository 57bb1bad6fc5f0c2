"""What the writes of context share: whose unit they touch."""

from __future__ import annotations

from collections.abc import Callable

from ledger.core.entry import combine
from ledger.core.event import Event
from ledger.core.events.kind import Data
from ledger.core.key import key_problems
from ledger.core.policies import policy
from ledger.core.state import Changes, Reader, context_path, session_folder
from ledger.errors import Problem


def unit_of_key(event: Event) -> tuple[str, ...]:
    """The unit of the key that the event names: shared, or the folder of the event's session."""
    if event.data.get("scope") == "session":
        return (session_folder(event.session),)
    return (context_path(event.data["key"]),)


def write(reader: Reader, event: Event) -> Changes:
    """Combine the event's fields with what stands at its key, under the policy that its writer used."""
    return combine(reader, event, event.data["key"], event.data)


def key_rules(data: Data) -> list[Problem]:
    """The rules of the key grammar."""
    return key_problems(data["key"], "data.key")


def carried_by(**fields: tuple[str, ...]) -> Callable[[Data], list[Problem]]:
    """The rules of a write: the key grammar, and which fields the policy of the write needs.

    `fields` names, for each policy that this type of event can carry, the fields of its write.
    """

    def problems(data: Data) -> list[Problem]:
        name = data.get("policy", "lww")
        if name not in fields:
            return [
                *key_rules(data),
                Problem("data.policy", f"{name!r} is not written by this type of event"),
            ]
        missing = [f for f in fields[name] if f not in data]
        broken = [Problem(f"data.{f}", f"is needed by the policy {name!r}") for f in missing]
        if not missing and "value" in fields[name]:
            broken += policy(name).problems(data["value"])
        return [*key_rules(data), *broken, *_seen_rules(data, name)]

    return problems


def _seen_rules(data: Data, name: str) -> list[Problem]:
    wanted = {"set": list, "map": dict}.get(name)
    if "seen" not in data or (wanted is not None and isinstance(data["seen"], wanted)):
        return []
    return [Problem("data.seen", f"must be {'a list' if wanted is list else 'a mapping'} under {name!r}")]
