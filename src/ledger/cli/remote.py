"""Name the other places that this ledger is exchanged with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.cli.words import ago, columns, counted, cut, visible
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.actions.leaving import Leaving
    from ledger.storage.exchanged import Exchanged
    from ledger.storage.remotes import Remote

Name = Annotated[str, typer.Argument(help="What it is called here, such as origin.", metavar="NAME")]
Url = Annotated[
    str, typer.Argument(help="Where it is, as git takes it: https, ssh, git, file, or a path.", metavar="URL")
]
Attachments = Annotated[
    bool, typer.Option("--attachments", help="The bytes of attachments go there too: transcripts of agents.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]

DEFAULT = "list"


def add(context: typer.Context, name: Name, url: Url, attachments: Attachments = False, yes: Yes = False) -> None:
    """Name a remote. What will leave this machine is shown first, and asked for.

    The remote is an ordinary git repository of its own, empty or with this same ledger in it. Nothing is exchanged
    yet: `ledger sync` does that, and from then on each turn of an agent.
    """
    from ledger.actions.leaving import leaving
    from ledger.storage.remotes import Remote, absolute, add_remote, require_new

    call = Call.of(context)
    with call.ledger() as ledger:
        remote = Remote(name, absolute(url, Path.cwd()), attachments)
        require_new(ledger.layout.git_dir, remote)
        goes = leaving(ledger.place, attachments=attachments)
        call.out.words("\n".join(_leaving(goes, remote)))
        if not yes and not _agreed(call):
            call.out.words("Nothing was changed.")
            raise typer.Exit(1)
        add_remote(ledger.layout.git_dir, remote)
    call.out.answer(document(remote), list)
    call.out.words(f"{name} is a remote of this ledger now. To exchange with it: ledger sync {name}")


def list_all(context: typer.Context) -> None:
    """List the remotes: where they are, when this ledger was last in step with them, and what is wrong."""
    from ledger.storage.exchanged import exchanged
    from ledger.storage.remotes import list_remotes

    call = Call.of(context)
    with call.ledger(only_reads=True) as ledger:
        found = [(one, exchanged(ledger.layout, one.name)) for one in list_remotes(ledger.layout.git_dir)]
    now = call.now()
    call.out.answer(
        [document(remote, state, now) for remote, state in found],
        lambda: columns([_row(call.out, remote, state, now) for remote, state in found]),
    )
    if not found and call.form == "human":
        call.out.words("No remotes: this ledger stays on this machine. To name one: ledger remote add NAME URL")


def remove(context: typer.Context, name: Name) -> None:
    """Strike a remote out. What went there stays there."""
    from ledger.storage.exchanged import forget_exchanged
    from ledger.storage.remotes import find_remote, remove_remote

    call = Call.of(context)
    with call.ledger() as ledger:
        remote = find_remote(ledger.layout.git_dir, name)
        remove_remote(ledger.layout.git_dir, name)
        forget_exchanged(ledger.layout, name)
    call.out.answer(document(remote), list)
    call.out.words(f"{name} is no remote any longer. What went there stays there.")


def _agreed(call: Call) -> bool:
    if not sys.stdin.isatty() or call.form != "human":
        raise UsageError("there is nobody to ask whether this may leave the machine", hint="if it may: --yes")
    return typer.confirm("May this leave the machine?", err=True)


def _leaving(goes: Leaving, remote: Remote) -> Iterator[str]:
    yield f"What goes to {visible(remote.shown)}, at each sync, for whoever may read there:"
    since = f", since {goes.since[:10]}" if goes.since else ""
    yield f"  {counted(goes.events, 'event')} of {counted(goes.sessions, 'session')}{since}: {goes.types}"
    if remote.attachments:
        yield f"  {counted(goes.attachments, 'attachment')}: the transcripts of agents"
    yield "  prompts, answers, commands, file names and values in full, free of the secrets that were recognised"
    yield f"What stays: {', '.join(goes.stays)}"


def document(remote: Remote, state: Exchanged | None = None, now: int = 0) -> dict[str, Any]:
    """A remote as JSON tells it, with how it stands where that is known."""
    document: dict[str, Any] = {"name": remote.name, "url": remote.shown, "attachments": remote.attachments}
    if state is not None:
        document |= {
            "breaker": state.breaker.state(now),
            "tried": _seconds(state.tried),
            "synced": _seconds(state.synced),
            "head": state.seen or None,
            "error": state.error.removeprefix(f"{remote.name} ({remote.shown}) ") or None,
        }
    return document


def _row(out: Output, remote: Remote, state: Exchanged, now: int) -> tuple[str, ...]:
    when = f"in step {ago(state.synced, now)}" if state.synced else "never in step"
    trouble = visible(cut(document(remote, state, now)["error"] or "", 60))
    breaker = state.breaker.state(now)
    is_open = f"not asked for {_left(state.breaker.asks_again - now)}" if breaker == "open" else ""
    return (out.paint(remote.name, "title"), visible(remote.shown), when, ", ".join(filter(None, (is_open, trouble))))


def _seconds(moment: int) -> float | None:
    return round(moment / 1e6, 6) if moment else None


def _left(micros: int) -> str:
    return f"{max(1, micros // 1_000_000)}s"


PARTS = {"add": add, "list": list_all, "remove": remove}
