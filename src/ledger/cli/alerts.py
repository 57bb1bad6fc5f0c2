"""Alerts as they are told: to a person, to a program, and to a command that is run for each."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ledger.cli.output import to_json
from ledger.cli.words import visible
from ledger.core.clock import stamp
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.actions.alerts import Alert, Limits
    from ledger.api import Ledger
    from ledger.cli.call import Call

EVERY = 5.0  # seconds between two looks: presence of 100 sessions takes 20 to 40 ms

DEADLINE = 30.0  # seconds that a command for one alert may take

_SHORT = 8


def told(ledger: Ledger, limits: Limits) -> Iterator[Alert]:
    """The alerts that stand now, and those to come, for ever."""
    from ledger.actions.alerts import Alerts

    alerts = Alerts(ledger.place, limits)
    while True:
        yield from alerts.look()
        time.sleep(EVERY)


def document(one: Alert, now: int) -> dict[str, Any]:
    """An alert as JSON."""
    return {
        "alert": one.kind,
        "over": one.is_over,
        "session": one.session,
        "agent": one.agent,
        "text": one.text,
        "hint": one.hint,
        "time": stamp(now),
    }


def line(call: Call, one: Alert, now: int) -> str:
    """`<time>  <kind>  <agent/session>  <why>` on one line."""
    out, who = call.out, f"{one.agent}/{(one.session or '')[:_SHORT]}" if one.session else "ledger"
    kind = f"over: {one.kind}" if one.is_over else one.kind
    text = one.text if one.is_over else f"{one.text}; {one.hint}"
    when = f"{stamp(now)[:19]}Z"
    parts = (out.paint(when, "time"), out.paint(kind, "added" if one.is_over else "removed"), visible(who))
    return "  ".join((*parts, visible(" ".join(text.split()))))


def command_of(text: str | None) -> list[str]:
    """The words of a command, split as a shell does; no shell runs it. Raises UsageError for what cannot be split."""
    try:
        argv = shlex.split(text or "")
    except ValueError as error:
        raise UsageError(f"--exec cannot be understood: {error}", hint="close every quote") from error
    if text is not None and not argv:
        raise UsageError("--exec names no command", hint="for example: --exec 'notify-send ledger'")
    return argv


def execute(call: Call, argv: list[str], one: Alert) -> None:
    """Run the command for an alert; what goes wrong with it is said, and nothing else comes of it."""
    text = f"{to_json(document(one, call.now()))}\n".encode()
    try:
        # A group of its own, so that what it starts in turn can be ended with it.
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**call.environment, "LEDGER_ALERT": one.kind},
            start_new_session=True,
        )
    except OSError as error:
        call.out.words(f"--exec failed: {argv[0]}: {error.strerror}")
        return
    try:
        child.communicate(text, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        call.out.words(f"--exec took longer than {DEADLINE:.0f} seconds and was ended: {argv[0]}")
    finally:
        _end(child)
    if child.returncode > 0:
        call.out.words(f"--exec failed: {argv[0]} ended with {child.returncode}")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
