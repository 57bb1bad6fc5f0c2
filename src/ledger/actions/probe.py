"""Probe: run each installed hook as its agent would, and see whether the payload arrives; it becomes no event.

What stands in a settings file says what was meant; only a run of the very command says that something comes of it.
While hooks are tried nobody drains, so that a probe is found in the spool and taken out of it again.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ledger.actions.install import Where
from ledger.core.ids import SessionId
from ledger.errors import InvalidError, LedgerError
from ledger.recording.payloads.dialects import recognise
from ledger.recording.probes import PREFIX, probe
from ledger.storage import spool
from ledger.storage.files import write_file
from ledger.storage.layout import Layout
from ledger.storage.locks import Lock
from ledger.storage.spool import Captured

PATIENCE = 10.0  # seconds for one hook, as agents give it
LOCK_SECONDS = 30.0
_AT_ONCE = 2  # more would only wait for one another, and for what drains behind them
_LONGEST = 1 << 20  # bytes; a probe is shorter
_TIME = "2000-01-01T00:00:00.000000Z"
_OWN = "ledger"  # what the ledger's own hooks say of themselves
_GIT = "git"
_GIT_ARGUMENTS = {
    "post-checkout": ("0" * 40, "0" * 40, "1"),
    "post-merge": ("0",),
    "post-rewrite": ("amend",),
    "pre-push": ("origin", "nowhere"),
}
_PROBED = b"d"  # a run of a hook that is counted as a probe, not as a payload


class Wire(NamedTuple):
    """One hook as it is installed: the agent, its event, and the command that the agent runs."""

    agent: str
    event: str
    command: str


class Probed(NamedTuple):
    """What came of one hook: how long it took, and what is wrong ("" where its payload arrived)."""

    wire: Wire
    seconds: float
    wrong: str = ""


def probe_all(where: Where, wires: Sequence[Wire]) -> list[Probed]:
    """Try hooks; nothing of it stays. Raises BusyError where somebody drains all the time."""
    sessions = [f"{PREFIX}{uuid.uuid4()}" for _ in wires]
    agents = dict(zip(sessions, (wire.agent for wire in wires), strict=True))
    with (
        Lock(where.layout.drain_lock).hold(LOCK_SECONDS),
        _cleaned(where.layout, agents),
        ThreadPoolExecutor(_AT_ONCE) as pool,  # a hook that answers takes 0.1 s, most of it a Python that starts
    ):
        return list(pool.map(lambda wire, session: _probed(where, wire, session), wires, sessions))


def probe_git(where: Where, hooks: Mapping[str, Path]) -> list[Probed]:
    """Try shims among git's hooks, by the names of the hooks; what else is run there is passed over.

    Nothing of it stays. Raises BusyError where somebody drains all the time.
    """
    sessions = {hook: f"{PREFIX}{uuid.uuid4()}" for hook in hooks}
    with (
        Lock(where.layout.drain_lock).hold(LOCK_SECONDS),
        _cleaned(where.layout, dict.fromkeys(sessions.values(), _OWN)),
    ):
        return [_probed_git(where, Wire(_GIT, hook, str(path)), sessions[hook]) for hook, path in hooks.items()]


def _probed_git(where: Where, wire: Wire, session: str) -> Probed:
    own = {"LEDGER_PROBE": "1", "LEDGER_AGENT": _OWN, "LEDGER_AGENT_SESSION": session}
    command = [wire.command, *_GIT_ARGUMENTS.get(wire.event, ())]
    with _uncounted(where.layout.spool / "fired" / f"{wire.agent}~{wire.event}"):
        began = time.perf_counter()
        wrong = _ended(where, command, b"", own)
        seconds = time.perf_counter() - began
    return Probed(wire, seconds, wrong or _counted(wire, _of(where.layout, [session])))


def _probed(where: Where, wire: Wire, session: str) -> Probed:
    with _uncounted(where.layout.spool / "fired" / f"{wire.agent}~{wire.event}"):
        began = time.perf_counter()
        wrong = _run(where, wire, probe(wire.agent, wire.event, session, str(where.project)))
        seconds = time.perf_counter() - began
    arrived = [one for one in _of(where.layout, [session]) if one.agent != _OWN]
    return Probed(wire, seconds, wrong or _judged(wire, arrived))


def _run(where: Where, wire: Wire, payload: bytes) -> str:
    """Run a hook's command as an agent does; what is wrong with how it ended."""
    return _ended(where, ["/bin/sh", "-c", wire.command], payload, {})


def _ended(where: Where, command: Sequence[str], payload: bytes, more: dict[str, str]) -> str:
    try:
        ran = subprocess.run(
            command,
            input=payload,
            cwd=where.project,
            env=_environment(where.environment, str(where.project)) | more,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except OSError as fault:
        return f"it cannot be run: {os.strerror(fault.errno or 0)}"
    except subprocess.TimeoutExpired:
        return f"it took longer than {PATIENCE:g} s"
    return "" if ran.returncode == 0 else f"it ended with {ran.returncode}"


def _environment(environment: Mapping[str, str], project: str) -> dict[str, str]:
    # As agents set it; and no GIT_DIR of a hook that this process may run in.
    kept = {name: text for name, text in environment.items() if not name.startswith("GIT_")}
    return kept | {"CLAUDE_PROJECT_DIR": project}


def _judged(wire: Wire, arrived: Sequence[Captured]) -> str:
    return _counted(wire, arrived) or _understood(arrived[0])


def _counted(wire: Wire, arrived: Sequence[Captured]) -> str:
    if not arrived:
        return "it ran, and nothing arrived in the spool"
    if len(arrived) > 1:
        return f"one run arrived {len(arrived)} times"
    (one,) = arrived
    if (one.agent, one.event) != (wire.agent, wire.event):
        return f"it arrived as {one.agent} {one.event}"
    return ""


def _understood(one: Captured) -> str:
    payload = json.loads(spool.read(one))
    try:
        dialect = recognise(payload, one.agent)
        dialect.hear(payload, _TIME)
    except InvalidError as error:
        return f"it arrived, and cannot be read: {error.message}"
    return "" if one.agent == dialect.NAME else f"it arrived, and is taken for {dialect.NAME}'s"


def _of(layout: Layout, sessions: Collection[str]) -> list[Captured]:
    """The payloads that wait and are of these probes, or came of them."""
    found = []
    for one in spool.waiting(layout):
        with suppress(LedgerError):  # taken away meanwhile
            raw = spool.read(one, _LONGEST)
            if any(session.encode() in raw for session in sessions):
                found.append(one)
    return found


@contextmanager
def _cleaned(layout: Layout, agents: Mapping[str, str]) -> Iterator[None]:
    """Whatever probes (sessions, by whose they seem) left within the block goes: payloads, what answers remember."""
    before = {path: path.read_bytes() for path in _told(layout)}
    try:
        yield
    finally:
        sessions = {str(SessionId.of(agent, session)) for session, agent in agents.items()}
        # What was given to read is noted down by the ledger's own id of the session.
        for one in _of(layout, [*agents, *sessions]):
            spool.discard(one)
        for path in _told(layout):
            if path.name in sessions:
                path.unlink(missing_ok=True)
            elif any(one.encode() in path.read_bytes() for one in sessions):
                _put_back(path, before.get(path))


def _told(layout: Layout) -> list[Path]:
    try:
        return [path for path in layout.told.iterdir() if path.is_file()]
    except FileNotFoundError:
        return []


def _put_back(path: Path, before: bytes | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        write_file(path, before, durable=False)


@contextmanager
def _uncounted(counter: Path) -> Iterator[None]:
    """One run within the block is marked as a probe among the runs of a hook that are counted."""
    before = _status(counter)
    yield
    after = _status(counter)
    if after is None or (before is not None and after.st_size == before.st_size):
        return
    with suppress(OSError):  # what counts is at fault, and not what is counted
        fd = os.open(counter, os.O_RDWR | os.O_CLOEXEC)
        try:
            at = os.read(fd, after.st_size).rfind(b"x")
            if at >= 0:
                os.pwrite(fd, _PROBED, at)
            if before is not None:
                os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(fd)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
