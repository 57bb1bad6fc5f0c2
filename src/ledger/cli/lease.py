"""Claim paths or names for a time, so that two sessions do not work on the same thing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli.call import Call
from ledger.cli.errors import once_written
from ledger.cli.intake import seconds_given, text_given
from ledger.cli.output import Output
from ledger.cli.words import ago, columns, cut, left, visible
from ledger.core.clock import stamp
from ledger.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from ledger.actions.holding import Standing
    from ledger.actions.session import Session
    from ledger.api import Ledger
    from ledger.core.leases import Lease

Names = Annotated[
    list[str],
    typer.Argument(help="Files, folders (with all below) or any other names.", metavar="PATH...", show_default=False),
]
Name = Annotated[str, typer.Argument(help="A file, a folder or another name.", metavar="PATH", show_default=False)]
OwnNames = Annotated[
    list[str] | None, typer.Argument(help="Its paths, or the first characters of its id.", metavar="[LEASE]...")
]
Command = Annotated[
    list[str], typer.Argument(help="The command, behind --.", metavar="-- COMMAND...", show_default=False)
]
Also = Annotated[list[str] | None, typer.Option("--also", help="Another path; may be repeated.", metavar="PATH")]
Shared = Annotated[bool, typer.Option("--shared", help="Together with others who share it too.")]
Ttl = Annotated[str, typer.Option("--ttl", help="How long, unless it is renewed: 90s, 10m, 2h.", metavar="TIME")]
NewTtl = Annotated[
    str | None, typer.Option("--ttl", help="How long from now on, instead of as before.", metavar="TIME")
]
Due = Annotated[bool, typer.Option("--due", help="Only those of which half of the time is over.")]
Because = Annotated[str | None, typer.Option("--because", help="Why.", metavar="TEXT")]
Wait = Annotated[str, typer.Option("--wait", help="Wait so long for others to give it back.", metavar="TIME")]
All = Annotated[bool, typer.Option("--all", help="All that the session holds.")]
Force = Annotated[bool, typer.Option("--force", help="Somebody else's too; needs --because.")]

_ID = 18  # characters of an id that tell events of one millisecond apart
_NOT_FOUND, _NOT_RUN = 127, 126  # a shell's exit codes for a command that is not there, or cannot be run
_LONGEST_LOOK = 15.0  # seconds between two looks at whether a lease is due


def acquire(
    context: typer.Context,
    names: Names,
    shared: Shared = False,
    ttl: Ttl = "10m",
    because: Because = None,
    wait: Wait = "0",
) -> None:
    """Claim paths or names, and print the id of the lease.

    A folder covers all that lies below it. What exists as seen from here is meant from here, any other name as seen
    from the project's root. What others hold is refused, with who, since when and until when; what a dead session
    held is freed.
    """
    from ledger.actions.lease import acquire as take

    call = Call.of(context)
    with call.ledger() as ledger:
        found = take(
            ledger.place,
            call.writer(ledger),
            _from_root(names),
            shared=shared,
            ttl=_ttl(ttl),
            because=_reason(because),
            wait=seconds_given(wait, "--wait"),
        )
    with once_written(found.lease.event):
        call.out.answer(document(found), lambda: [found.lease.id])
    if call.form == "human":
        call.out.words(_yours(found, call.now()))


def renew(context: typer.Context, names: OwnNames = None, ttl: NewTtl = None, due: Due = False) -> None:
    """Keep leases for longer: those that are named, or all that the session holds."""
    from ledger.actions.lease import renew as extend

    call = Call.of(context)
    with call.ledger() as ledger:
        seconds = None if ttl is None else _ttl(ttl)
        found = extend(ledger.place, call.writer(ledger), _from_root(names or ()), seconds, only_due=due)
    call.out.answer([document(one) for one in found], list)
    if call.form == "human":
        call.out.words("\n".join(_yours(one, call.now()) for one in found) or "Nothing to renew.")


def release(
    context: typer.Context,
    names: OwnNames = None,
    everything: All = False,
    force: Force = False,
    because: Because = None,
) -> None:
    """Give leases back: those that are named, or with --all every one of the session.

    Those of a session that has ended or is proven dead can be given back by anyone, any other with --force alone.
    """
    from ledger.actions.lease import release as give_back

    if bool(names) == everything:
        raise UsageError("name the leases, or give --all", hint="`ledger lease list` lists them")
    call = Call.of(context)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        found = give_back(ledger.place, session, _from_root(names or ()), force=force, because=_reason(because))
    call.out.answer([_released(lease) for lease in found], list)
    if call.form == "human":
        free = [f"Free: {_names(lease)}" for lease in found]
        call.out.words("\n".join(free) or "Nothing to give back.")


def list_leases(context: typer.Context) -> None:
    """List the leases that are live, with who holds and who waits."""
    from ledger.actions.holding import live_leases

    call = Call.of(context)
    with call.ledger() as ledger:
        found = live_leases(ledger.place)
    call.out.answer([document(one) for one in found], lambda: table(call.out, found, call.now()))
    if not found:
        call.out.words("No leases. To claim something: ledger lease acquire src/auth --because 'the rewrite'")


def run(
    context: typer.Context,
    name: Name,
    command: Command,
    also: Also = None,
    shared: Shared = False,
    ttl: Ttl = "10m",
    because: Because = None,
    wait: Wait = "0",
) -> int:
    """Run a command while holding a lease; it is renewed while the command runs, and given back at its end.

    The exit code is the command's own; 128 and the signal's number where a signal ended it, 127 where there is no
    such command.
    """
    from ledger.actions.lease import leased

    call, seconds = Call.of(context), _ttl(ttl)
    with call.ledger() as ledger:
        session = call.writer(ledger)
        patience, why = seconds_given(wait, "--wait"), _reason(because)
        on = _from_root([name, *(also or ())])
        with leased(ledger.place, session, on, shared=shared, ttl=seconds, because=why, wait=patience) as lease:
            return _run(call, ledger, session, lease, command)


def document(one: Standing) -> dict[str, Any]:
    """A lease as JSON."""
    lease = one.lease
    return _released(lease) | {
        "agent": one.agent,
        "mode": lease.mode,
        "ttl": lease.ttl,
        "acquired": stamp(lease.acquired),
        "renewed": stamp(lease.renewed),
        "ends": stamp(one.ends),
        "holds": one.holds,
        "waits_for": [other.id for other in one.waits_for],
    }


def table(out: Output, found: Sequence[Standing], now: int) -> Iterator[str]:
    """The leases in columns."""
    for line in columns([_row(one, now) for one in found]):
        yield line if out.width is None else cut(line, out.width)


def _row(one: Standing, now: int) -> tuple[str, ...]:
    lease = one.lease
    return (
        "holds" if one.holds else "waits",
        lease.id[:_ID],
        lease.mode,
        visible(f"{one.agent}/{lease.session[:4]}"),
        f"{left(one.ends - now)} left",
        visible(_names(lease) + (f": {lease.because}" if lease.because else "")),
    )


def _released(lease: Lease) -> dict[str, Any]:
    return {"lease": lease.id, "on": list(lease.on), "session": lease.session, "because": lease.because}


def _yours(one: Standing, now: int) -> str:
    lease = one.lease
    until = f"until {stamp(one.ends)[11:19]} UTC ({ago(one.ends, now)})"
    if one.holds:
        return f"Yours {until}: {_names(lease)}"
    holder = one.waits_for[0]
    return f"It waits for {holder.id[:_ID]} on {_names(holder)}, which came first from elsewhere: {_names(lease)}"


def _names(lease: Lease) -> str:
    return ", ".join(lease.on)


def _reason(text: str | None) -> str | None:
    return None if text is None else text_given(text, "reason")


def _ttl(text: str) -> int:
    from ledger.core.leases import MAX_TTL

    seconds = seconds_given(text, "--ttl")
    if not 1 <= seconds <= MAX_TTL:
        hint = "to give one back: `ledger lease release`" if seconds < 1 else "for longer: `ledger lease renew` in time"
        raise UsageError(f"--ttl: {text} is not between 1s and 7d", hint=hint)
    return seconds


def _from_root(names: Sequence[str]) -> list[str]:
    """The names as seen from the project's root, where a lease counts them from."""
    from ledger.storage.worktree import find_worktree

    here = Path.cwd()
    worktree = find_worktree(here)
    root = here if worktree is None else worktree.path
    return [_seen_from(root, here, text_given(name, "path")) for name in names]


def _seen_from(root: Path, here: Path, name: str) -> str:
    is_path = name in (".", "..") or name.startswith(("./", "../", "/"))
    if not name or not (is_path or os.path.lexists(here / name)):
        return name
    # Not resolved: a link in the project is leased by its own name, as every session sees it.
    path = Path(os.path.normpath(here / name))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else name


def _run(call: Call, ledger: Ledger, session: Session, lease: Lease, command: Sequence[str]) -> int:
    try:
        process = subprocess.Popen(command)
    except OSError as fault:
        # As a shell would say it, for the exit code is the command's.
        call.out.words(f"{visible(command[0])}: {fault.strerror}")
        return _NOT_FOUND if isinstance(fault, FileNotFoundError) else _NOT_RUN
    with _passed_on(process):
        code = _wait(call, ledger, session, lease, process)
    return code if code >= 0 else 128 - code


def _wait(call: Call, ledger: Ledger, session: Session, lease: Lease, process: subprocess.Popen[bytes]) -> int:
    from ledger.actions.lease import renew_if_due

    is_lost = False
    while True:
        try:
            return process.wait(timeout=min(lease.ttl / 8, _LONGEST_LOOK))
        except subprocess.TimeoutExpired:
            pass
        try:
            if not is_lost:
                renew_if_due(ledger.place, session, lease)
        except LedgerError as error:
            is_lost = True
            call.out.words(f"The lease is lost, the command goes on: {error.message}")


@contextmanager
def _passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Within the block a signal that would end us ends the command; then the lease is given back."""

    def forward(number: int, _: Any) -> None:
        process.send_signal(number)

    # A terminal sends an interrupt to the command too: ours is only to be outlived.
    kept = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, forward),
        signal.SIGHUP: signal.signal(signal.SIGHUP, forward),
    }
    kept[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


PARTS = {"acquire": acquire, "renew": renew, "release": release, "list": list_leases, "run": run}
DEFAULT = "list"
