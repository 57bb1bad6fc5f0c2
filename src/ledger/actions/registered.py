"""Registered: which of our hooks stand in which settings, and whether they are as they should be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from ledger.actions.install import (
    Target,
    Where,
    holds_ours,
    hooks_of,
    is_ours,
    known_of,
    missing_folder,
    own_file,
    targets,
    text_of,
)
from ledger.actions.probe import Wire
from ledger.errors import InvalidError, LedgerError
from ledger.recording import settings
from ledger.recording.registering import AGENTS
from ledger.storage import settings_file

State = Literal["installed", "drifted", "absent", "unreadable"]


class Registered(NamedTuple):
    """One settings file: how our hooks stand in it, the commands that stand there, and what is wrong, in words."""

    target: Target
    state: State
    wires: tuple[Wire, ...] = ()
    wrong: tuple[str, ...] = ()


def registered(where: Where) -> list[Registered]:
    """Every settings file of every agent that hooks can be in; those without any of ours are `absent`."""
    found = [_looked_at(where, target) for agent in AGENTS.values() for target in targets(where, agent)]
    return [_with_doubles(one, found) for one in found]


def _looked_at(where: Where, target: Target) -> Registered:
    try:
        if holds_ours(target):
            return _if_looked_into(where, _read(where, target, "our hooks still stand in it"))
        known = known_of(where, target.path)
        # Nobody can say of settings that are broken that ours are gone for good.
        found = None if known is None else _read(where, target, "our hooks stood in it")
        return found if found is not None and found.state == "unreadable" else Registered(target, "absent")
    except LedgerError as error:
        return Registered(target, "unreadable", wrong=(error.message,))


def _read(where: Where, target: Target, still: str) -> Registered:
    data = settings_file.read(target.path, target.root) or b""
    try:
        return (_own if target.agent.entry is None else _spliced)(where, target, text_of(data, target.path))
    except InvalidError as error:
        return Registered(target, "unreadable", wrong=(f"{still}, but: {'; '.join(map(str, error.problems))}",))


def _if_looked_into(where: Where, one: Registered) -> Registered:
    """The same, with what is wrong where the agent does not look into the file."""
    folder = missing_folder(where, one.target)
    if folder is None:
        return one
    return one._replace(wrong=(*one.wrong, f"{one.target.agent.name} does not look into it here: {folder} is missing"))


def _spliced(where: Where, target: Target, text: str) -> Registered:
    mine = settings.mine(text, is_ours, str(target.path))
    wanted = dict(target.agent.wanted(hooks_of(where, target)).entries)
    wrong = [*_differences(wanted, mine)]
    wires = tuple(Wire(target.agent.name, one.event, line) for one in mine for line in _commands(one))
    return Registered(target, "drifted" if wrong else "installed", wires, tuple(wrong))


def _differences(wanted: Mapping[str, object], mine: list[settings.Mine]) -> Iterator[str]:
    there = [one.event for one in mine]
    for event in wanted:
        if event not in there:
            yield f"{event} is missing"
        elif there.count(event) > 1:
            yield f"{event} stands there {there.count(event)} times"
    for one in mine:
        if one.event not in wanted:
            yield f"{one.event} is not used any more"
        elif one.value != wanted[one.event]:
            yield f"{one.event} is not as it was installed"


def _commands(one: settings.Mine) -> list[str]:
    return [line for line in settings.commands(one.value) if is_ours(line)]


def _own(where: Where, target: Target, text: str) -> Registered:
    hooks = hooks_of(where, target)
    wires = tuple(Wire(target.agent.name, one.registration.event, one.command) for one in hooks)
    if text == own_file(target.agent, hooks):
        return Registered(target, "installed", wires)
    return Registered(target, "drifted", _wires_in(target, text) or wires, ("the file is not as it was installed",))


def _wires_in(target: Target, text: str) -> tuple[Wire, ...]:
    try:
        hooks = json.loads(text)["hooks"]
        return tuple(Wire(target.agent.name, event, one["bash"]) for event, each in hooks.items() for one in each)
    except (ValueError, KeyError, TypeError, AttributeError):  # a plugin, or a file that somebody made theirs
        return ()


def _with_doubles(one: Registered, all_of_them: list[Registered]) -> Registered:
    """The same, with what is wrong where an agent finds its hooks in two files, and runs both."""
    others = [
        str(other.target.path)
        for other in all_of_them
        if other.target.agent is one.target.agent and other.wires and other is not one
    ]
    if not one.wires or not others:
        return one
    return one._replace(wrong=(*one.wrong, f"the same hooks stand in {', '.join(others)}"))
