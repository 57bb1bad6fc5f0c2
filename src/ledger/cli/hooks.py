"""Put the ledger's hooks into the settings of agents and of git, take them out, or say how they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import splices as pages
from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.splices import GIT, shown
from ledger.cli.words import columns, counted, indented
from ledger.errors import NotALedgerError, UsageError
from ledger.storage import opening
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.install import Change, Target, Where
    from ledger.actions.install_git import GitHook
    from ledger.actions.registered import Registered
    from ledger.actions.trust import Trust
    from ledger.actions.uninstall import Removal
    from ledger.recording.registering import Scope

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
    from ledger.actions.install import agent_named, target_of

    call, scope = Call.of(context), _scope(local=local, user=user)
    chosen = [agent_named(name) for name in agents if name != GIT]
    with call.ledger() as ledger:
        where = where_of(call, ledger.layout)
        changes = [one for agent in chosen for one in planned(where, target_of(where, agent, scope))]
        if dry_run:
            _show_plan(call, where, changes, with_git=GIT in agents)
            return
        shims, trust = write(where, changes, with_git=GIT in agents, trailer=trailer)
    answer = {
        "files": [pages.change_document(one) for one in changes],
        "git": pages.git_document(shims),
        **trust_document(trust),
    }
    call.out.answer(answer, lambda: [*_written(where, changes), *pages.git_lines(shims)])
    tell_trust(call.out, trust)
    if changes:
        call.out.words("They count from an agent's next start on. To see that they work: ledger doctor")


def uninstall(context: typer.Context, agents: Agents, dry_run: DryRun = False) -> None:
    """Take our hooks out of an agent's settings, wherever they stand.

    A file that is as it was left becomes byte for byte what it was before; of another only our own entries go.
    """
    from ledger.actions.uninstall import plan_removal, require_memory, take_out

    call = Call.of(context)
    where, absence = found(call)
    removals = [one for agent in agents if agent != GIT for one in plan_removal(where, agent)]
    if dry_run:
        show_removals(call, where, removals, {}, with_git=GIT in agents)
        return
    require_memory(where.layout)
    for removal in removals:
        take_out(where, removal)
    shims = _without_git(where) if GIT in agents else []
    if absence is not None and not removals and not shims:
        raise absence
    answer = {"files": pages.removal_documents(removals), "git": pages.git_document(shims)}
    call.out.answer(answer, lambda: [*pages.removal_lines(where, removals), *pages.git_lines(shims)])
    if not removals and not shims:
        call.out.words("There was nothing of ours.")


def _without_git(where: Where) -> Sequence[GitHook]:
    from ledger.actions.install_git import uninstall_git

    return uninstall_git(where.layout, where.project)


def status(context: typer.Context) -> int:
    """Say for each agent and file whether our hooks stand there, and as they should.

    Where the ledger is gone they are still told of: ends with 1 then.
    """
    from ledger.actions.install_git import git_hooks_status, git_shims
    from ledger.actions.registered import registered

    call = Call.of(context)
    where, absence = found(call)
    there = [one for one in registered(where) if one.state != "absent"]
    if absence is not None and not (there or git_shims(where.layout, where.project)):
        raise absence
    shims = git_hooks_status(where.layout, where.project)
    trust = _trust_if_needed(where, there)
    answer = {
        "ledger": None if absence else str(where.layout.root.absolute()),
        "files": [_registered_document(one) for one in there],
        "git": pages.git_document(shims),
        **trust_document(trust),
    }
    call.out.answer(answer, lambda: [*_registered_lines(call.out, where, there), *pages.git_lines(shims)])
    tell_trust(call.out, trust)
    _tell_use(call.out, where, absence, is_any=bool(there))
    return 1 if absence else 0


def _tell_use(out: Output, where: Where, absence: NotALedgerError | None, *, is_any: bool) -> None:
    """Say what the hooks are good for as they stand."""
    if absence is not None:
        out.words(f"They do nothing: {absence.message}. To record again: ledger up. To take them out: ledger down")
    elif not is_any:
        out.words("No agent's settings have our hooks. To put them there: ledger up")
    elif not where.layout.hook.exists():
        out.words(f"They do nothing: {where.layout.hook} is not there. To record again: ledger up")


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


def found(call: Call) -> tuple[Where, NotALedgerError | None]:
    """Where an installer acts; where there is no ledger, also the error that says so: our hooks may outlive it."""
    try:
        with call.ledger() as ledger:
            return where_of(call, ledger.layout), None
    except NotALedgerError as error:
        return where_of(call, Layout(call.folder or opening.place_for(Path.cwd()))), error


def planned(where: Where, target: Target) -> list[Change]:
    """What is to be written for the hooks of one settings file: the file, and what keeps it out of commits."""
    from ledger.actions.exclude import exclusion
    from ledger.actions.install import plan

    return [plan(where, target), *exclusion(where, target)]


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


def trust_document(trust: Trust | None) -> dict[str, Any]:
    """Whether Codex runs our hooks: null where it has none, or nobody can say."""
    return {"trusted": None if trust is None or trust.unknown else trust.is_given}


def tell_trust(out: Output, trust: Trust | None) -> None:
    """Say what is to be done where Codex does not run our hooks, or where that cannot be asked."""
    from ledger.actions.trust import BY_HAND

    if trust is None or trust.is_given:
        return
    if trust.missing and not trust.hooks:
        out.words(f"Codex reads no hooks in this worktree: {trust.missing} is missing. To make it: ledger up")
        return
    why = f" ({trust.unknown})" if trust.unknown else ""
    out.words(f"Codex runs no hook that its user has not trusted{why}: {BY_HAND}")


def show_removals(
    call: Call, where: Where, removals: Sequence[Removal], beside: Mapping[str, Any], *, with_git: bool
) -> None:
    """Answer with what would be taken out; `beside` joins it in the document."""
    from ledger.actions.install_git import git_shims

    shims = git_shims(where.layout, where.project) if with_git else []
    git = [{"hook": path.name, "path": str(path)} for path in shims]
    document = {"files": pages.removal_documents(removals), "git": git, **beside}
    call.out.answer(document, lambda: pages.removal_plan_lines(where, removals, shims))


def _show_plan(call: Call, where: Where, changes: Sequence[Change], *, with_git: bool) -> None:
    from ledger.actions.install_git import git_hooks_status

    shims = git_hooks_status(where.layout, where.project) if with_git else []
    document = {"files": [pages.plan_document(where, one) for one in changes], "git": pages.git_document(shims)}
    call.out.answer(
        document,
        lambda: [*pages.plan_lines(call.out, where, changes), *pages.git_plan_lines(call.out, where, shims)],
    )


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
