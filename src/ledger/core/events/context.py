"""What the writes of context share: whose unit they touch."""

from __future__ import annotations

from collections.abc import Callable

from ledger.core.entry import combine
from ledger.core.event import Event
from ledger.core.events.kind import Data
from ledger.core.key import key_problems
from ledger.core.policies import DEFAULT, is_vendored, policy
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
        name = data.get("policy", DEFAULT)
        if is_vendored(name):  # its package alone knows which fields it needs, and `apply` has an answer to any
            return [*key_rules(data), *_step_rules(data)]
        if name not in fields:
            return [
                *key_rules(data),
                Problem("data.policy", f"{name!r} is not written by this type of event"),
            ]
        missing = [f for f in fields[name] if f not in data]
        broken = [Problem(f"data.{f}", f"is needed by the policy {name!r}") for f in missing]
        if not missing and "value" in fields[name]:
            broken += value_rules(data)
        return [*key_rules(data), *broken, *_shape_rules(data, name)]

    return problems


def value_rules(data: Data, path: str = "data") -> list[Problem]:
    """The rules of a value that replaces what stands at a key as a whole: its policy must be able to hold it."""
    if "value" not in data:
        return []
    broken = policy(data.get("policy", DEFAULT)).problems(data["value"])
    return [Problem(f"{path}.{p.path}", p.rule) for p in broken]


# How the fields that several policies use are shaped under each: (the type, its name), or None where it has none.
_SEEN: dict[str, tuple[type, str]] = {"set": (list, "a list of ids"), "map": (dict, "a mapping of fields to ids")}


def _shape_rules(data: Data, name: str) -> list[Problem]:
    broken = []
    shape = _SEEN.get(name)
    if "seen" in data and shape is None:
        broken.append(Problem("data.seen", f"has no meaning under {name!r}"))
    elif shape is not None and not isinstance(data.get("seen", shape[0]()), shape[0]):
        broken.append(Problem("data.seen", f"must be {shape[1]} under {name!r}"))
    if name == "map" and not all(isinstance(f, str) for part in ("remove", "values") for f in data.get(part, ())):
        broken.append(Problem("data", "names a field of the map that is not a text"))
    return [*broken, *_step_rules(data)]


def _step_rules(data: Data) -> list[Problem]:
    if isinstance(data.get("by", 0), int):  # to JSON Schema 1.0 is an integer
        return []
    return [Problem("data.by", "must be a whole number, written without a point")]
