"""Put the ledger's hooks into the settings of agents and of git, take them out, or say how they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import columns, counted, differences, indented, visible
from ledger.errors import UsageError
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.install import Change, Where
    from ledger.actions.install_git import GitHook
    from ledger.actions.registered import Registered
    from ledger.actions.trust import Trust
    from ledger.actions.uninstall import Removal
    from ledger.recording.registering import Scope

GIT = "git"

Agents = Annotated[
    list[str],
    typer.Argument(
        help="claude-code, codex, gemini, cursor, copilot-cli, opencode, droid or git.",
        metavar="AGENT...",
        show_default=False,
    ),
]
Local = Annotated[bool, typer.Option("--local", help="In settings of this clone alone, which nobody else sees.")]
User = Annotated[bool, typer.Option("--user", help="In the user's settings, which count in every project.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")]
Trailer = Annotated[
    bool | None,
    typer.Option("--trailer/--no-trailer", help="With git: name the session in the messages of agents' commits."),
]


def install(
    context: typer.Context,
    agents: Agents,
    local: Local = False,
    user: User = False,
    dry_run: DryRun = False,
    trailer: Trailer = None,
) -> None:
    """Put our hooks into the settings of agents, and nothing else; or git's own hooks into the project.

    By default they stand in the settings that a team shares: with who has no ledger they do nothing. Doing it again
    changes nothing, and mends what has changed.
    """
    from ledger.actions.install import agent_named, plan, target_of

    call, scope = Call.of(context), _scope(local=local, user=user)
    chosen = [agent_named(name) for name in agents if name != GIT]
    with call.ledger() as ledger:
        where = where_of(call, ledger.layout)
        changes = [plan(where, target_of(where, agent, scope)) for agent in chosen]
        if dry_run:
            show_changes(call, changes)
            return
        shims, trust = write(where, changes, with_git=GIT in agents, trailer=trailer)
    answer = {"files": [change_document(one) for one in changes], "git": git_document(shims), **trust_document(trust)}
    call.out.answer(answer, lambda: [*_written(where, changes), *git_lines(shims)])
    tell_trust(call.out, trust)
    tell_local(call.out, changes)
    if changes:
        call.out.words("They count from an agent's next start on. To see that they work: ledger doctor")


def uninstall(context: typer.Context, agents: Agents, dry_run: DryRun = False) -> None:
    """Take our hooks out of an agent's settings, wherever they stand.

    A file that is as it was left becomes byte for byte what it was before; of another only our own entries go.
    """
    from ledger.actions.uninstall import plan_removal, take_out

    call = Call.of(context)
    with call.ledger() as ledger:
        where = where_of(call, ledger.layout)
        removals = [one for agent in agents if agent != GIT for one in plan_removal(where, agent)]
        shims: Sequence[GitHook] = ()
        if dry_run:
            show_removals(call, removals)
            return
        for removal in removals:
            take_out(where, removal)
        if GIT in agents:
            from ledger.actions.install_git import uninstall_git

            shims = uninstall_git(where.layout, where.project)
    answer = {"files": [removal_document(one) for one in removals], "git": git_document(shims)}
    call.out.answer(answer, lambda: [*removal_lines(where, removals), *git_lines(shims)])
    if not removals and not shims:
        call.out.words("There was nothing of ours.")


def status(context: typer.Context) -> None:
    """Say for each agent and file whether our hooks stand there, and as they should."""
    from ledger.actions.install_git import git_hooks_status
    from ledger.actions.registered import registered

    call = Call.of(context)
    with call.ledger() as ledger:
        where = where_of(call, ledger.layout)
        found = [one for one in registered(where) if one.state != "absent"]
        shims = git_hooks_status(where.layout, where.project)
        trust = _trust_if_needed(where, found)
    answer = {
        "files": [_registered_document(one) for one in found],
        "git": git_document(shims),
        **trust_document(trust),
    }
    call.out.answer(answer, lambda: [*_registered_lines(call.out, where, found), *git_lines(shims)])
    tell_trust(call.out, trust)
    if not found:
        call.out.words("No agent's settings have our hooks. To put them there: ledger up")


PARTS = {"install": install, "uninstall": uninstall, "status": status}
DEFAULT = "status"


# What `up`, `down` and `doctor` share


def where_of(call: Call, layout: Layout) -> Where:
    """Where an installer acts: the worktree around this folder, or the folder itself, and the user's home."""
    from ledger.actions.install import Where
    from ledger.storage.layout import PLAIN_FOLDER_NAME
    from ledger.storage.worktree import find_worktree

    here = Path.cwd()
    found = find_worktree(here)
    project = found.path if found is not None else here
    if found is None and layout.root.name == PLAIN_FOLDER_NAME:
        project = layout.root.absolute().parent
    return Where(layout, project, Path.home(), dict(call.environment))


def write(
    where: Where, changes: Sequence[Change], *, with_git: bool, trailer: bool | None = None
) -> tuple[Sequence[GitHook], Trust | None]:
    """Write what was planned, and what every hook runs; the shims of git, and whether Codex trusts its hooks."""
    from ledger.actions.install import carry_out, equip
    from ledger.actions.install_git import install_git
    from ledger.actions.trust import AGENT, give_trust

    equip(where.layout)
    for change in changes:
        carry_out(where, change)
    shims = install_git(where.layout, where.project, trailer=trailer) if with_git else []
    is_asked = any(change.target.agent.name == AGENT for change in changes)
    return shims, give_trust(where) if is_asked else None


def show_changes(call: Call, changes: Sequence[Change]) -> None:
    """Answer with what would be written, as the lines by which each file would differ."""
    document = {"files": [change_document(one) | {"after": one.after.decode()} for one in changes]}
    call.out.answer(document, lambda: diff_lines(call.out, changes))


def show_removals(call: Call, removals: Sequence[Removal]) -> None:
    """Answer with what would be taken out."""
    document = {"files": [removal_document(one) for one in removals]}
    call.out.answer(document, lambda: _removal_diffs(call.out, removals))


def diff_lines(out: Output, changes: Sequence[Change]) -> Iterator[str]:
    """What would be written, file by file."""
    for one in changes:
        yield out.paint(shown(one.target.path), "title") + ("" if one.is_needed else ": is as it should be")
        if one.is_needed:
            yield from indented(_coloured(out, differences(_text(one.before), _text(one.after))))


def change_document(one: Change) -> dict[str, Any]:
    """A settings file that an installer wrote, or would."""
    return {
        "agent": one.target.agent.name,
        "scope": one.target.scope,
        "path": str(one.target.path),
        "created": one.before is None,
        "changed": one.is_needed,
    }


def removal_document(one: Removal) -> dict[str, Any]:
    """A settings file that our hooks were taken out of."""
    return {
        "agent": one.target.agent.name,
        "scope": one.target.scope,
        "path": str(one.target.path),
        "deleted": one.after is None,
        "changed": one.after != one.before,
    }


def removal_lines(where: Where, removals: Sequence[Removal]) -> Iterator[str]:
    """What was taken out, a line a file."""
    rows = [
        (one.target.agent.name, shown(one.target.path, where), "deleted" if one.after is None else "taken out")
        for one in removals
    ]
    yield from columns(rows)


def git_document(shims: Sequence[GitHook]) -> list[dict[str, Any]]:
    """Git's hooks, each with how it stands."""
    return [{"hook": s.name, "path": str(s.path), "state": s.state, "detail": s.detail} for s in shims]


def git_lines(shims: Sequence[GitHook]) -> Iterator[str]:
    """Git's hooks, in one line for each state."""
    states = dict.fromkeys((shim.state, shim.detail) for shim in shims)
    for state, detail in states:
        names = ", ".join(shim.name for shim in shims if (shim.state, shim.detail) == (state, detail))
        yield visible(f"{GIT:11}  {state}: {names}{f' ({detail})' if detail else ''}")


def trust_document(trust: Trust | None) -> dict[str, Any]:
    """Whether Codex runs our hooks: null where it has none, or nobody can say."""
    return {"trusted": None if trust is None or trust.unknown else trust.is_given}


def tell_trust(out: Output, trust: Trust | None) -> None:
    """Say what is to be done where Codex does not run our hooks, or where that cannot be asked."""
    from ledger.actions.trust import BY_HAND

    if trust is None or trust.is_given:
        return
    why = f" ({trust.unknown})" if trust.unknown else ""
    out.words(f"Codex runs no hook that its user has not trusted{why}: {BY_HAND}")


def tell_local(out: Output, changes: Sequence[Change]) -> None:
    """Say which of the files belong to this clone alone: git does not know that."""
    for one in changes:
        if one.target.scope == "local" and one.before is None:
            out.words(f"{shown(one.target.path)} names paths of this machine: keep it out of commits")


def shown(path: Path, where: Where | None = None) -> str:
    """A path as a person reads it: within the project or the home without their own paths."""
    for root, sign in ((where.project if where else Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(root):
            return visible(f"{sign}{path.relative_to(root)}")
    return visible(str(path))


def _scope(*, local: bool, user: bool) -> Scope:
    if local and user:
        raise UsageError("--local and --user name two files", hint="leave one of them out")
    return "local" if local else "user" if user else "shared"


def _written(where: Where, changes: Sequence[Change]) -> Iterator[str]:
    yield from columns(
        [
            (
                one.target.agent.name.ljust(11),
                shown(one.target.path, where),
                "written" if one.is_needed else "as it was",
            )
            for one in changes
        ]
    )


def _trust_if_needed(where: Where, found: Sequence[Registered]) -> Trust | None:
    from ledger.actions.trust import AGENT, trust_of

    return trust_of(where) if any(one.target.agent.name == AGENT for one in found) else None


def _registered_document(one: Registered) -> dict[str, Any]:
    return {
        "agent": one.target.agent.name,
        "scope": one.target.scope,
        "path": str(one.target.path),
        "state": one.state,
        "hooks": [wire.event for wire in one.wires],
        "wrong": list(one.wrong),
    }


def _registered_lines(out: Output, where: Where, found: Sequence[Registered]) -> Iterator[str]:
    rows = [
        (one.target.agent.name.ljust(11), shown(one.target.path, where), one.state, counted(len(one.wires), "hook"))
        for one in found
    ]
    for row, one in zip(columns(rows), found, strict=True):
        yield row
        yield from indented(out.paint(words, "removed") for words in one.wrong)


def _removal_diffs(out: Output, removals: Sequence[Removal]) -> Iterator[str]:
    for one in removals:
        yield out.paint(shown(one.target.path), "title")
        yield from indented(_coloured(out, differences(_text(one.before), _text(one.after))))


def _coloured(out: Output, lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield (
            out.paint(visible(line), "added")
            if line[:1] == "+"
            else (out.paint(visible(line), "removed") if line[:1] == "-" else visible(line))
        )


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace").removesuffix("\n")
