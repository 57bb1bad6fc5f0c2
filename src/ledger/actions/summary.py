"""Summary: what a change to an agent's settings amounts to, in a few words."""

from __future__ import annotations

from typing import NamedTuple

from ledger.actions.install import PLUGIN, Change, Where, command, hooks_of, is_ours
from ledger.recording import settings
from ledger.recording.jsonc import parse
from ledger.recording.registering import SCOPES

EVENT = "EVENT"  # stands for each event's name in the one command that all hooks of a file run


class Summary(NamedTuple):
    """The agent's events that get a hook, or a new one, and those that lose one; settings other than hooks; and the
    command that the hooks run ("" for a program that needs none).
    """

    events: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    command: str = ""


def summary(where: Where, change: Change) -> Summary:
    """What a change brings into a file of an agent, and what it takes out."""
    target = change.target
    if target.scope not in SCOPES or change.before == change.after:
        return Summary()
    if target.agent.entry is None:
        events = tuple(dict.fromkeys(one.registration.event for one in hooks_of(where, target)))
        return Summary(events, command="" if target.agent.name == PLUGIN else command(where, target, EVENT))
    old, new = entries(change.before), entries(change.after)
    kept = {one.event for one in new}
    return Summary(
        tuple(dict.fromkeys(one.event for one in new if one not in old)),
        tuple(dict.fromkeys(one.event for one in old if one.event not in kept)),
        tuple(key for key in _keys(change.after) if key not in (*_keys(change.before), settings.HOOKS)),
        command(where, target, EVENT),
    )


def entries(data: bytes | None) -> list[settings.Mine]:
    """Our entries in the bytes of a settings file; raises InvalidError for what is not JSON with comments."""
    return [] if data is None else settings.mine(data.decode("utf-8"), is_ours)


def _keys(data: bytes | None) -> list[str]:
    text = "" if data is None else data.decode("utf-8")
    return [child.key or "" for child in parse(text).children] if text.strip() else []
