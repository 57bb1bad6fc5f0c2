"""`ledger up`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import hooks
from ledger.cli import splices as pages
from ledger.cli.call import Call
from ledger.cli.words import counted, visible
from ledger.errors import LedgerError, UsageError
from ledger.storage import opening
from ledger.storage.layout import Layout

if TYPE_CHECKING:
    from ledger.actions.install import Change, Where
    from ledger.actions.install_git import GitHook
    from ledger.actions.probe import Probed
    from ledger.api import Ledger
    from ledger.recording.registering import Agent, Scope

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
Local = Annotated[bool, typer.Option("--local", help="Write nothing that others of the team would see.")]


def command(context: typer.Context, yes: Yes = False, local: Local = False, dry_run: hooks.DryRun = False) -> int:
    """Begin to record this project: a ledger, hooks in the agents that work here, and a proof that they work.

    Shows what it will write and asks first. Every hook is then run as its agent would run it; only when each one's
    payload has arrived it says that it is recording. `ledger down` takes everything back.
    """
    began = time.perf_counter()
    call = Call.of(context)
    folder = call.folder or opening.place_for(Path.cwd())
    where = hooks.where_of(call, Layout(folder))
    changes, left = _planned(where, local=local)
    if dry_run:
        _show_plan(call, where, changes, left, with_git=not local)
        return 1 if left else 0
    _tell_left(call, left)
    if not yes and not _agreed(call, where, changes, with_git=not local):
        call.out.words("Nothing was written.")
        return 1
    is_new = not folder.is_dir()
    with _made(call, folder) as ledger:
        shims, trust = hooks.write(where, changes, with_git=not local)
        imported = _past(call, ledger, where, is_asked=not yes)
        probed = _tried(where)
    wrong = [one for one in probed if one.wrong]
    answer: dict[str, Any] = {
        "ledger": str(folder.absolute()),
        "created": is_new,
        "files": [pages.change_document(one) for one in changes],
        "left": _left_documents(left),
        "git": pages.git_document(shims),
        **hooks.trust_document(trust),
        **imported,
        "probes": [probe_document(one) for one in probed],
        "recording": bool(probed) and not wrong and not left,
        "seconds": round(time.perf_counter() - began, 3),
    }
    call.out.answer(answer, lambda: _page(where, changes, probed))
    for line in pages.git_lines(shims):
        call.out.words(line)
    hooks.tell_trust(call.out, trust)
    call.out.words(_verdict(where, probed, left))
    return 1 if wrong or left else 0


def probe_document(one: Probed) -> dict[str, Any]:
    """One hook that was tried."""
    return {
        "agent": one.wire.agent,
        "event": one.wire.event,
        "ok": not one.wrong,
        "detail": one.wrong,
        "seconds": round(one.seconds, 3),
    }


def probe_lines(where: Where, probed: Sequence[Probed]) -> Iterator[str]:  # noqa: ARG001 - as the other pages
    """What did not arrive, a line a hook."""
    for one in probed:
        if one.wrong:
            yield visible(f"{one.wire.agent} {one.wire.event}: {one.wrong}")


def _planned(where: Where, *, local: bool) -> tuple[list[Change], list[tuple[str, LedgerError]]]:
    """What will be written for the agents in use, and those whose settings cannot be, each with the reason."""
    from ledger.actions.in_use import agents_in_use
    from ledger.actions.install import holds_ours, target_of, targets

    changes: list[Change] = []
    left: list[tuple[str, LedgerError]] = []
    for agent in agents_in_use(where):
        try:
            there = [target for target in targets(where, agent) if holds_ours(target)]
            target = there[0] if there else target_of(where, agent, _scope(agent, local=local))
            changes += hooks.planned(where, target)
        except LedgerError as error:
            left.append((agent.name, error))
    return changes, left


def _scope(agent: Agent, *, local: bool) -> Scope:
    """Where the hooks of an agent go that has none yet."""
    if not local:
        return "shared"
    return "local" if "local" in agent.files else "user"


def _show_plan(
    call: Call, where: Where, changes: Sequence[Change], left: Sequence[tuple[str, LedgerError]], *, with_git: bool
) -> None:
    root, shims = where.layout.root, _shims(where, with_git=with_git)
    document = {
        "ledger": str(root.absolute()),
        "created": not root.is_dir(),
        "files": [pages.plan_document(where, one) for one in changes],
        "left": _left_documents(left),
        "git": pages.git_document(shims),
    }
    call.out.answer(document, lambda: _plan(call, where, changes, shims))
    _tell_left(call, left)


def _plan(call: Call, where: Where, changes: Sequence[Change], shims: Sequence[GitHook]) -> Iterator[str]:
    """Everything that would be written, in the order of its writing."""
    root = where.layout.root
    novelty = ", the ledger: is there" if root.is_dir() else ", the ledger: a new folder"
    yield call.out.paint(pages.shown(root.absolute(), where), "title") + novelty
    yield from pages.plan_lines(call.out, where, changes)
    yield from pages.git_plan_lines(call.out, where, shims)


def _shims(where: Where, *, with_git: bool) -> Sequence[GitHook]:
    from ledger.actions.install_git import git_hooks_status

    return git_hooks_status(where.layout, where.project) if with_git else []


def _agreed(call: Call, where: Where, changes: Sequence[Change], *, with_git: bool) -> bool:
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "nobody can be asked here, and nothing was written", hint="look with --dry-run, then: ledger up --yes"
        )
    for line in _plan(call, where, changes, _shims(where, with_git=with_git)):
        typer.echo(line, err=True)
    return typer.confirm("Write this?", err=True)


def _made(call: Call, folder: Path) -> Ledger:
    from ledger.api import create_ledger

    return create_ledger(folder, accepts_clock=call.accepts_clock, sources=call.sources)[0]


def _past(call: Call, ledger: Ledger, where: Where, *, is_asked: bool) -> dict[str, Any]:
    """Past sessions of this project: offered on a terminal, else only named."""
    from ledger.actions.in_use import past_sessions

    files = past_sessions(where)
    if not files:
        return {"transcripts": 0, "imported": 0}
    if is_asked and typer.confirm(f"Import {counted(len(files), 'past session')} of this project?", err=True):
        from ledger.actions.import_transcripts import import_transcripts

        return {"transcripts": len(files), "imported": import_transcripts(ledger.place, files).events}
    call.out.words(f"{counted(len(files), 'past session')} of this project can be imported:")
    for folder in sorted({file.parent for file in files})[:3]:
        call.out.words(f"  ledger import {folder}")
    return {"transcripts": len(files), "imported": 0}


def _tried(where: Where) -> list[Probed]:
    from ledger.actions.probe import probe_all
    from ledger.actions.registered import registered

    return probe_all(where, [wire for one in registered(where) for wire in one.wires])


def _page(where: Where, changes: Sequence[Change], probed: Sequence[Probed]) -> Iterator[str]:
    from ledger.cli.words import columns

    yield from columns(
        [
            (
                one.target.agent.name.ljust(11),
                pages.shown(one.target.path, where),
                "written" if one.is_needed else "as it was",
                _score(one, probed),
            )
            for one in changes
        ]
    )
    yield from probe_lines(where, probed)


def _score(change: Change, probed: Sequence[Probed]) -> str:
    if change.target.scope == "exclude":
        return ""
    ours = [one for one in probed if one.wire.agent == change.target.agent.name]
    return f"{sum(1 for one in ours if not one.wrong)} of {counted(len(ours), 'hook')} arrived"


def _left_documents(left: Sequence[tuple[str, LedgerError]]) -> list[dict[str, str]]:
    return [{"agent": agent, "reason": error.message} for agent, error in left]


def _tell_left(call: Call, left: Sequence[tuple[str, LedgerError]]) -> None:
    for agent, error in left:
        call.out.words(f"{agent} is left out: {error.message}")
        if error.hint:
            call.out.words(f"  hint: {error.hint}")


def _verdict(where: Where, probed: Sequence[Probed], left: Sequence[tuple[str, LedgerError]]) -> str:
    agents = list(dict.fromkeys(one.wire.agent for one in probed))
    if any(one.wrong for one in probed):
        return "Not everything is recorded. What to do: ledger doctor"
    without = f"Not recorded: {', '.join(agent for agent, _ in left)}, as said above." if left else ""
    if not agents:
        return without or "No agent was found here. With one installed: ledger hooks install AGENT"
    recorded = f"Recording {', '.join(agents)} in {visible(str(where.project))}, from each one's next start on."
    return f"{recorded} {without}".rstrip()
