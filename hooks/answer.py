"""Answer: the hook that an agent listens to, at the start of a session, at a prompt, before an edit.

Called by the launcher as `answer.py LEDGER AGENT EVENT PID`, with the payload on standard input. The payload is put
into the spool first, as every hook does. What goes wrong after that is a line in the ledger's log, an empty answer
and exit code 0: an agent never waits for the ledger, and is never broken by it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.storage import spool, told
from ledger.storage.layout import MAIN, Layout
from ledger.storage.told import Told

if TYPE_CHECKING:
    from ledger.api import Ledger
    from ledger.hooks.briefing import Briefing
    from ledger.recording.payloads.payload import Dialect, Moment

_PATIENCE = 3.0  # seconds, then the process is killed: the payload is safe by then, and the agent waits no longer
_LOG = "hooks.log"
# The sources of a start that is none: the window was condensed, and what stood in it is gone; or it is all there.
_COMPACTED = "compact"
_RESUMED = "resume"


class Asked(NamedTuple):
    """Who can be answered, and where: a payload with what its dialect made of it."""

    dialect: Dialect
    payload: dict[str, Any]
    moment: Moment
    session: str
    cwd: Path


def main(arguments: list[str]) -> int:
    """Spool the payload and print the answer; always 0."""
    gc.disable()  # a tenth of the time, and the process is gone before there is anything to gain
    root, agent, event, pid = arguments
    layout = Layout(Path(root))
    raw = sys.stdin.buffer.read()
    try:
        spool.count(layout, agent, event, "x")
        spool.put(layout, agent, event, int(pid), raw)
        # Not a handler of our own: that would not run while a library holds the interpreter.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        sys.stdout.write(answer(layout, agent, raw, int(pid)))
        sys.stdout.flush()
    except Exception as fault:  # noqa: BLE001 - whatever it is, the agent must go on
        from ledger.hooks.log import note

        note(layout, _LOG, f"{agent} {event}: {type(fault).__name__}: {fault}", what="answer.failed")
    return 0


def answer(layout: Layout, agent: str, raw: bytes, pid: int) -> str:
    """What the agent is to read, in its own dialect; "" where there is nothing to say."""
    asked = _asked(raw, agent)
    if asked is None:
        return ""
    if asked.moment == "prompt" and _is_main(layout, told.told_to(layout, asked.session).tip):
        return ""
    if asked.moment == "edit" and _is_main(layout, told.without_leases(layout)):
        return ""
    from ledger.api import open_ledger

    with open_ledger(layout.root) as ledger:
        found = _about_leases(ledger, asked) if asked.moment == "edit" else _about_others(ledger, asked)
        if not found.text:
            return ""
        speak = asked.dialect.deny if asked.moment == "edit" and _denies(layout) else asked.dialect.inject
        said = speak(asked.payload, found.text)
        if said:  # not every agent has ears at every moment
            spool.put(layout, "ledger", "Injected", pid, _record(asked, found))
        return said


def _asked(raw: bytes, agent: str) -> Asked | None:
    from ledger.core.ids import SessionId
    from ledger.recording.payloads.dialects import recognise

    payload = json.loads(raw)
    dialect = recognise(payload, agent)
    moment = dialect.moment(payload)
    # An agent that runs the hooks of another has been answered by its own, or cannot read this one's answer.
    if moment is None or agent != dialect.NAME:
        return None
    heard = dialect.hear(payload, "1970-01-01T00:00:00.000000Z")
    return Asked(dialect, payload, moment, str(SessionId.of(dialect.NAME, heard.session)), Path(heard.cwd or "."))


# What a session has seen


def _is_main(layout: Layout, tip: str) -> bool:
    """Whether main stands at this commit still: a small file tells, and nothing else is loaded."""
    try:
        return (layout.git_dir / MAIN).read_text(encoding="ascii").strip() == tip
    except OSError:  # packed
        return False


def _worktree(cwd: Path) -> Path:
    from ledger.storage.worktree import find_worktree

    found = find_worktree(cwd)
    return cwd if found is None else found.path


# What it is told


def _about_others(ledger: Ledger, asked: Asked) -> Briefing:
    from ledger.actions.find import main_tip

    layout, tip = ledger.layout, main_tip(ledger.place)
    before = told.told_to(layout, asked.session)
    found = _news(ledger, asked, before.tip)
    _remember(layout, asked, before._replace(tip=tip), found)
    return found


def _news(ledger: Ledger, asked: Asked, seen: str) -> Briefing:
    from ledger.actions import news
    from ledger.errors import NotFoundError
    from ledger.hooks import briefing

    place, source = ledger.place, asked.payload.get("source")
    if asked.moment == "start" and not (seen and source == _RESUMED):
        last = None if source == _COMPACTED else told.last_in(ledger.layout, _worktree(asked.cwd))
        return briefing.start(news.at_start(place, asked.session, last), place.now())
    if not seen:  # its start was not heard: what there is may be old, and is no news
        return briefing.Briefing("")
    limit = briefing.AT_START if asked.moment == "start" else briefing.AT_PROMPT
    try:
        return briefing.news(news.since(place, asked.session, seen), place.now(), limit)
    except NotFoundError:  # told in an epoch that is over: what came since cannot be told apart from what was before
        return briefing.start(news.at_start(place, asked.session), place.now())


def _remember(layout: Layout, asked: Asked, before: Told, found: Briefing) -> None:
    length = len(found.text)
    now = Told(before.tip, before.times + bool(length), before.characters + length)
    told.remember(layout, asked.session, now, _worktree(asked.cwd))


def _record(asked: Asked, found: Briefing) -> bytes:
    return json.dumps(
        {
            "injected": asked.session,
            "agent": asked.dialect.NAME,
            "at": asked.moment,
            "text": found.text,
            "keys": list(found.keys),
        }
    ).encode()


# Leases


def _about_leases(ledger: Ledger, asked: Asked) -> Briefing:
    from ledger.actions import news
    from ledger.hooks import briefing
    from ledger.recording.payloads.edits import edited

    _look_for_leases(ledger)
    top, before = _worktree(asked.cwd), told.told_to(ledger.layout, asked.session)
    paths = [path for name in edited(asked.payload) if (path := _below(asked.cwd, top, name)) is not None]
    held = news.holders(ledger.place, asked.session, paths) if paths else []
    found = briefing.Briefing(briefing.leased(held, ledger.place.now()) if held else "")
    if held:
        _remember(ledger.layout, asked, before, found)
    return found


def _look_for_leases(ledger: Ledger) -> None:
    """Where there are none, the next edit need not look: not before main has moved."""
    from ledger.actions.find import main_tip
    from ledger.actions.read import reader_at

    tip = main_tip(ledger.place)
    if not any(reader_at(ledger.place, tip).under("leases/")):
        told.remember_without_leases(ledger.layout, tip)


def _denies(layout: Layout) -> bool:
    from ledger.storage.config import read_config

    return read_config(layout.config).denies_leased


def _below(cwd: Path, top: Path, name: str) -> str | None:
    """A path as leases name it: from the project's root; None for one outside of it."""
    path = Path(os.path.normpath(cwd / name))
    with suppress(ValueError):
        return path.relative_to(top).as_posix()
    with suppress(ValueError):
        return path.resolve().relative_to(top.resolve()).as_posix()
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
