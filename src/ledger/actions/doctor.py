"""Doctor: whether recording works, proved part by part; of what does not, what to do about it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from statistics import median
from typing import NamedTuple

from ledger.actions.find import tips
from ledger.actions.install import Where
from ledger.actions.install_git import TRAILER, git_hooks_status, git_shims
from ledger.actions.probe import Probed, probe_all, probe_git
from ledger.actions.registered import Registered, registered
from ledger.actions.storeroom import storeroom
from ledger.actions.trust import AGENT, BY_HAND, trust_of
from ledger.errors import LedgerError
from ledger.storage import spool, switches
from ledger.storage.layout import Layout
from ledger.storage.place import Place

_SECONDS = 20.0
_LOOKED_AT = 5000  # commits among which an agent's last event is looked for
_SLACK = 600.0  # seconds that an agent may fire hooks which tell nothing new
_AT_WORK = 10.0  # seconds that a hook may take at most
_LISTED = 5
_MICROS = 1_000_000
_SILENT = "ledger"  # what the ledger's own hooks say of themselves

MEND = "ledger up"
OWN_PAGE = ("git hooks", "codex trust")


class Check(NamedTuple):
    """One thing that must be so: whether it is, what was found, and what to do where it is not."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    @property
    def runbook(self) -> str:
        """The page in `docs/runbooks` that says more: of a check that each agent has, the same for all."""
        last = self.name.split()[-1]
        return self.name.replace(" ", "-") if self.name in OWN_PAGE else last


def examine(place: Place, where: Where) -> Iterator[Check]:
    """Every check, in the order in which a payload comes along."""
    found = [one for one in registered(where) if one.state != "absent"]
    recording = _switched_on(where)
    yield recording
    yield _launcher(where.layout)
    yield from _settings(found)
    if recording.ok:  # else no hook would keep anything, and rightly so
        yield from _probes(where, found)
    yield from _trust(where, found)
    yield from _git(where, is_recording=recording.ok)
    yield from _spool(where.layout)
    yield from _gaps(place, where.layout)
    for name, (wrong, fix) in storeroom(place, where.layout):
        yield Check(name, not wrong, wrong or "in order", fix if wrong else "")


def _switched_on(where: Where) -> Check:
    off = [one for one in switches.switches(where.layout) if one.name in (switches.HOOKS, switches.ALL)]
    if off:
        fix = "ledger unpause" if off[0].name == switches.HOOKS else "ledger on all"
        return Check("recording", False, f"{switches.STOPPED[off[0].name]} is {off[0].words()}", fix)
    if where.environment.get("LEDGER_OFF", "0") != "0":
        return Check("recording", False, "LEDGER_OFF is set here: hooks that see it keep nothing", "unset LEDGER_OFF")
    return Check("recording", True, "is on")


def _launcher(layout: Layout) -> Check:
    try:
        status = layout.hook.stat()
    except OSError:
        return Check("launcher", False, f"{layout.hook} is not there: every hook does nothing", MEND)
    if not status.st_mode & stat.S_IXUSR:
        return Check("launcher", False, f"{layout.hook} may not be run", MEND)
    return _interpreter(layout)


def _interpreter(layout: Layout) -> Check:
    """Whether the interpreter that the launcher names has this program; it drains, and answers agents."""
    if sys.executable not in layout.hook.read_text(encoding="utf-8", errors="replace"):
        return Check("launcher", False, "it was written for another Python than the one that runs this", MEND)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", "import ledger"], capture_output=True, timeout=_SECONDS, check=False
    )
    if ran.returncode != 0:
        return Check("launcher", False, f"{sys.executable} cannot import this program", "install it there again")
    return Check("launcher", True, str(layout.hook))


def _settings(found: list[Registered]) -> Iterator[Check]:
    if not found:
        yield Check("settings", False, "no agent's settings have our hooks", MEND)
    for one in found:
        ok = one.state == "installed" and not one.wrong
        agent = one.target.agent.name
        scope = "" if one.target.scope == "shared" else f" --{one.target.scope}"
        detail = f"{one.target.path}: {'; '.join(one.wrong) or 'as installed'}"
        fix = f"ledger hooks uninstall {agent}; then: ledger hooks install {agent}{scope}"
        yield Check(f"{agent} settings", ok, detail, "" if ok else fix)


def _probes(where: Where, found: list[Registered]) -> Iterator[Check]:
    for one in found:
        agent = one.target.agent.name
        try:
            yield _judged(agent, probe_all(where, one.wires))
        except LedgerError as error:
            yield Check(f"{agent} hooks", False, error.message, error.hint or "try again")


def _judged(agent: str, probed: list[Probed]) -> Check:
    name, wrong = f"{agent} hooks", [one for one in probed if one.wrong]
    if not wrong:
        usual = median(one.seconds for one in probed) if probed else 0.0
        return Check(name, True, f"{len(probed)} of {len(probed)} arrive, half of them within {usual * 1000:.0f} ms")
    words = "; ".join(f"{one.wire.event}: {one.wrong}" for one in wrong[:_LISTED])
    return Check(name, False, f"{len(wrong)} of {len(probed)} do not arrive: {words}", MEND)


def _trust(where: Where, found: list[Registered]) -> Iterator[Check]:
    if not any(one.target.agent.name == AGENT for one in found):
        return
    trust = trust_of(where)
    if trust.unknown:
        yield Check("codex trust", False, f"cannot be asked: {trust.unknown}", BY_HAND)
    elif not trust.hooks and trust.missing:
        detail = f"codex reads no hooks in this worktree: {trust.missing} is missing"
        yield Check("codex trust", False, detail, MEND)
    elif not trust.hooks:
        yield Check("codex trust", False, "codex sees none of our hooks: it does not trust the folder yet", BY_HAND)
    else:
        missing = sum(1 for hook in trust.hooks if not hook.is_trusted)
        detail = f"{missing} of {len(trust.hooks)} hooks are not trusted, and are not run"
        ok = missing == 0
        yield Check("codex trust", ok, f"{len(trust.hooks)} hooks are trusted" if ok else detail, "" if ok else MEND)


def _git(where: Where, *, is_recording: bool) -> Iterator[Check]:
    shims = git_hooks_status(where.layout, where.project)
    if not shims:
        return
    wrong = [shim for shim in shims if shim.state != "installed"]
    detail = "; ".join(f"{shim.name} {shim.state}{f': {shim.detail}' if shim.detail else ''}" for shim in wrong)
    if wrong or not is_recording:
        fix = "ledger hooks install git" if wrong else ""
        yield Check("git hooks", not wrong, detail or f"{len(shims)} are in place", fix)
        return
    # Only shims of ours, wherever others have moved them: a hook that calls ours by a line in it runs theirs as well.
    paths = {path.name.partition(".")[0]: path for path in git_shims(where.layout, where.project)}
    try:
        yield _judged("git", probe_git(where, {name: path for name, path in paths.items() if name != TRAILER}))
    except LedgerError as error:
        yield Check("git hooks", False, error.message, error.hint or "try again")


def _spool(layout: Layout) -> Iterator[Check]:
    yield _writable(layout)
    rejected = spool.rejected(layout)
    reasons = "; ".join(dict.fromkeys(one.reason for one in rejected[-_LISTED:]))
    folder = layout.spool / "rejected"
    yield Check(
        "rejected",
        not rejected,
        f"{len(rejected)} could not be recorded: {reasons}" if rejected else "none",
        f"look into {folder}; what is of no use may be deleted" if rejected else "",
    )
    strangers = spool.strangers(layout)
    if strangers:
        names = ", ".join(path.name for path in strangers[:_LISTED])
        yield Check("strangers", False, f"files that are no payloads lie in the spool: {names}", "move them away")


def _writable(layout: Layout) -> Check:
    trial = layout.spool / "tmp" / f"doctor-{os.getpid()}"
    try:
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as fault:
        fix = f"make {layout.spool} writable; until then payloads wait in the folder for temporary files"
        return Check("spool", False, f"cannot be written: {os.strerror(fault.errno or 0)}", fix)
    waiting = len(spool.waiting(layout))
    return Check("spool", True, f"can be written; {waiting} waiting" if waiting else "can be written")


def _gaps(place: Place, layout: Layout) -> Iterator[Check]:
    """For each agent whose hooks have fired: whether each payload, and the last one of all, came to something."""
    waiting = {one.agent for one in spool.waiting(layout)}
    fired = [hook for hook, count in spool.fired(layout).items() if count.fired and hook[0] not in (_SILENT, "git")]
    lost = _lost(layout, fired)
    for agent in dict.fromkeys(agent for agent, _ in fired):
        missing = [f"{event}: {number} of {of}" for (whose, event), (number, of) in lost.items() if whose == agent]
        if missing:
            fix = f"look into {layout.logs / 'drain.log'}; to count anew from here: rm -r {layout.spool / 'done'}"
            yield Check(f"{agent} events", False, f"fired, and no payload came to anything: {'; '.join(missing)}", fix)
            continue
        last = max(_modified(layout, hook) for hook in fired if hook[0] == agent)
        recorded = _last_event(place, agent)
        ok = agent in waiting or (recorded is not None and last - recorded <= _SLACK)
        detail = "what fired is recorded" if ok else "its hooks have fired, and no event came of it"
        yield Check(f"{agent} events", ok, detail, "" if ok else f"look into {layout.logs / 'drain.log'}")


def _lost(layout: Layout, hooks: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Of each hook that kept more payloads than came to something or wait: how many are missing, of how many.

    A hook counts itself before it keeps what it was given, so one that fired just now is not judged.
    """
    kept, came, waiting = spool.fired(layout), spool.came_to_something(layout), spool.waiting(layout)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for hook in hooks:
        if hook not in came or time.time() - _modified(layout, hook) < _AT_WORK:
            continue
        missing = kept[hook].fired - came[hook] - sum((one.agent, one.event) == hook for one in waiting)
        if missing > 0:
            found[hook] = missing, kept[hook].fired
    return found


def _modified(layout: Layout, hook: tuple[str, str]) -> float:
    path = layout.spool / "fired" / "~".join(hook)
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _last_event(place: Place, agent: str) -> float | None:
    """When the last event of an agent was written, among the newest."""
    commits = islice(place.store.walk(tips(place), [], order="newest"), _LOOKED_AT)
    return next((commit.committer.time for commit in commits if commit.author.name == agent), None)
