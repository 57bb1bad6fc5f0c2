"""What is changed in files of others, as `up`, `down` and `hooks` show it: before it is done, and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger.cli.output import Output
from ledger.cli.words import columns, differences, indented, visible

if TYPE_CHECKING:
    from ledger.actions.install import Change, Where
    from ledger.actions.install_git import GitHook
    from ledger.actions.uninstall import Removal

GIT = "git"


# Before


def plan_document(where: Where, change: Change) -> dict[str, Any]:
    """What would be done to a file: as `change_document`, with the text to be written, and what is new in it."""
    from ledger.actions.summary import summary

    new = summary(where, change)
    return change_document(change) | {
        "after": change.after.decode("utf-8", "replace"),
        "events": list(new.events),
        "gone": list(new.gone),
        "single": list(new.single),
        "command": new.command,
    }


def plan_lines(out: Output, where: Where, changes: Sequence[Change]) -> Iterator[str]:
    """What would be done to each file, in a few lines, and the command of all hooks once."""
    from ledger.actions.summary import EVENT, summary

    commands: dict[str, list[str]] = {}
    for change in changes:
        new, agent, file = summary(where, change), change.target.agent.name, shown(change.target.path, where)
        yield out.paint(file, "title") + _novelty(change)
        yield from indented(columns(list(_rows(change, new.events, new.gone, new.single))))
        if new.command:
            common = new.command.removesuffix(f"{agent} {EVENT}")
            commands.setdefault(f"{common}AGENT {EVENT}", []).append(file)
    for command, files in commands.items():
        which = f" in {', '.join(files)}" if len(commands) > 1 else ""
        yield f"Each hook{which} runs: {visible(command)}"


def _novelty(change: Change) -> str:
    if not change.is_needed:
        return ": is as it should be"
    return ", a new file" if change.before is None else ""


def _rows(
    change: Change, events: Sequence[str], gone: Sequence[str], single: Sequence[str]
) -> Iterator[tuple[str, str]]:
    yield from [
        (words, visible(", ".join(names)))
        for words, names in (("hooks", events), ("taken out", gone), ("settings", single))
        if names
    ]
    if change.folder is not None:
        yield "folder", f"{visible(str(change.folder))}: without it, hooks are not looked for here"
    if change.target.scope == "exclude":
        lines = differences(_text(change.before), _text(change.after))
        yield from [("line", visible(line[2:])) for line in lines if line[0] == "+"]


def git_plan_lines(out: Output, where: Where, shims: Sequence[GitHook]) -> Iterator[str]:
    """What would become of git's hooks."""
    if not shims:
        return
    new = [one for one in shims if one.state in ("missing", "displaced")]
    folder = out.paint(shown(shims[0].path.parent, where), "title")
    yield folder if new else f"{folder}: is as it should be"
    if new:
        yield f"  hooks  {', '.join(one.name for one in new)}"
    for one in shims:
        if one.detail and one.state != "installed":
            yield f"  {visible(f'{one.name}: {one.detail}')}"


def removal_plan_lines(where: Where, removals: Sequence[Removal], shims: Sequence[Path]) -> Iterator[str]:
    """What would be taken out."""
    for one in removals:
        if one.is_needed:
            yield f"{shown(one.target.path, where)}: {_left_of(one)}"
    if shims:
        yield f"{shown(shims[0].parent, where)}: taken out, {', '.join(path.name for path in shims)}"


# After


def change_document(one: Change) -> dict[str, Any]:
    """A settings file that an installer wrote, or would."""
    return {
        "agent": one.target.agent.name,
        "scope": one.target.scope,
        "path": str(one.target.path),
        "created": one.before is None,
        "changed": one.is_needed,
    }


def removal_documents(removals: Sequence[Removal]) -> list[dict[str, Any]]:
    """The settings files that our hooks were taken out of."""
    return [
        {
            "agent": one.target.agent.name,
            "scope": one.target.scope,
            "path": str(one.target.path),
            "deleted": one.after is None,
            "changed": True,
        }
        for one in removals
        if one.is_needed
    ]


def removal_lines(where: Where, removals: Sequence[Removal]) -> Iterator[str]:
    """What was taken out, a line a file."""
    yield from columns(
        [(one.target.agent.name, shown(one.target.path, where), _left_of(one)) for one in removals if one.is_needed]
    )


def _left_of(one: Removal) -> str:
    if one.after is None:
        return "deleted"
    return "taken out, and nothing else is in it" if one.is_bare else "taken out"


def git_document(shims: Sequence[GitHook]) -> list[dict[str, Any]]:
    """Git's hooks, each with how it stands."""
    return [{"hook": s.name, "path": str(s.path), "state": s.state, "detail": s.detail} for s in shims]


def git_lines(shims: Sequence[GitHook]) -> Iterator[str]:
    """Git's hooks, in one line for each state."""
    states = dict.fromkeys((shim.state, shim.detail) for shim in shims)
    for state, detail in states:
        names = ", ".join(shim.name for shim in shims if (shim.state, shim.detail) == (state, detail))
        yield visible(f"{GIT:11}  {state}: {names}{f' ({detail})' if detail else ''}")


def shown(path: Path, where: Where | None = None) -> str:
    """A path as a person reads it: within the project or the home without their own paths."""
    for root, sign in ((where.project if where else Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(root):
            return visible(f"{sign}{path.relative_to(root)}")
    return visible(str(path))


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace").removesuffix("\n")
