"""Git facts: whose session ran git in the project, and what the project's repository says of its commits.

A git hook must be quick, so it tells no more than what is gone a moment later: where HEAD stands, and which processes
are around. What a commit says of itself is read here, when its payload is drained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ledger.actions.find import main_tip
from ledger.actions.roster import find_session
from ledger.actions.tip import PERSON, own_tip
from ledger.core.ids import SessionId
from ledger.core.state import session_path
from ledger.errors import AmbiguousError, BusyError, NotFoundError, StorageError
from ledger.recording.adapter import Draft
from ledger.recording.cutting import cut
from ledger.recording.payloads.git import GitHeard, ProcessId, git_heard
from ledger.recording.payloads.payload import Heard
from ledger.storage import live
from ledger.storage.opening import is_git_folder
from ledger.storage.place import Place
from ledger.storage.process import this_machine
from ledger.storage.program import run_git

SECONDS = 5.0  # for git to tell of one commit
_SUBJECT = 1024
_PATH = 4096
_PATHS = 1000
_PATHS_SIZE = 32 * 1024  # characters of all paths together: an event is at most 64 KiB

# With a NUL after each part, for a path may hold anything else.
_SHOW = ("show", "-z", "--no-show-signature", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-notes")
_FORM = ("--name-only", "--encoding=UTF-8", "--format=%P%x00%s%x00")


class Whose(NamedTuple):
    """A session as a payload of an agent would name it: the agent, and the agent's own id of the session."""

    agent: str
    key: str


class GitSaid(NamedTuple):
    """What a git hook told, for the drain: whose session ran git, and the facts."""

    agent: str
    session: SessionId
    heard: Heard


def hear_git(place: Place, raw: bytes, time: str, spoke: Mapping[int, tuple[str, str]] | None = None) -> GitSaid:
    """What a payload of a git hook says, captured at `time` (UTC); facts of commits are filled in from the repository.

    `spoke` names the sessions whose own payloads are drained along with this one, by the process that sent them, each
    as its agent and the agent's own id: a session that has only begun has claimed nothing yet. Raises InvalidError for
    what is no such payload.
    """
    told = git_heard(raw, time)
    session, whose = _whose(place, told, spoke or {})
    drafts = tuple(replace(draft, data=_filled(place, draft), session=whose.key) for draft in told.drafts)
    # A person's turn has no end at which what they did would be published.
    return GitSaid(whose.agent, session, Heard(whose.key, drafts, cwd=told.cwd, ends_turn=whose.agent == PERSON))


def _whose(place: Place, told: GitHeard, spoke: Mapping[int, tuple[str, str]]) -> tuple[SessionId, Whose]:
    for found in _named(place, told.session):
        return found
    around = list(_around(place, told.processes, spoke))
    named = [(SessionId.of(*one), Whose(*one)) for one in told.agents]
    # An agent that another one started inherits its environment: where both are around, the nearer one it is.
    if named and named[0][0] not in [session for session, _ in around]:
        return named[0]
    for found in around:
        return found
    return SessionId.of(PERSON, place.person), Whose(PERSON, place.person)


def _named(place: Place, name: str) -> Iterator[tuple[SessionId, Whose]]:
    if not name:
        return
    with suppress(NotFoundError, AmbiguousError):
        session = find_session(place, name).session
        yield from _on_roster(place, session)


def _on_roster(place: Place, session: str) -> Iterator[tuple[SessionId, Whose]]:
    # Of this one alone: to read the whole roster for every commit takes as long as all the rest.
    tip = own_tip(place.store, session) or main_tip(place)
    entry = place.reader(place.store.commit(tip).tree).get(session_path(session))
    if entry is not None and "key" in entry:
        yield SessionId(session), Whose(str(entry.get("agent", "agent")), str(entry["key"]))


def _around(
    place: Place, processes: tuple[ProcessId, ...], spoke: Mapping[int, tuple[str, str]]
) -> Iterator[tuple[SessionId, Whose]]:
    """The sessions whose processes are around git, the nearest first."""
    claims = _claims(place)
    for process in processes:
        if process in claims:
            yield from _on_roster(place, claims[process])
        elif process.pid in spoke:
            whose = Whose(*spoke[process.pid])
            yield SessionId.of(*whose), whose


def _claims(place: Place) -> dict[ProcessId, str]:
    here = this_machine()
    found = {} if place.layout is None else live.look_at_all(place.layout)
    claims = [(one.claim, session) for session, one in found.items() if one.claim is not None]
    # One process may have begun a session after another: the one that did something last is the present one.
    return {
        ProcessId(claim.pid, claim.started): session
        for claim, session in sorted(claims, key=lambda one: one[0].since)
        if (claim.boot, claim.pids) == (here.boot, here.pids)
    }


def _filled(place: Place, draft: Draft) -> dict[str, Any]:
    if draft.type not in ("git.committed", "git.merged"):
        return draft.data
    shown = _shown(place, draft.data["commit"])
    if shown is None:
        return draft.data
    subject = {"subject": cut(shown.subject, _SUBJECT)} if shown.subject else {}
    if draft.type == "git.merged":
        return draft.data | subject
    parents, files = shown.parents[:64], list(_bounded(shown.paths))
    return draft.data | subject | {"parents": parents} | ({"files": files} if files else {})


class _Shown(NamedTuple):
    parents: list[str]
    subject: str
    paths: list[str]


def _shown(place: Place, commit: str) -> _Shown | None:
    """What a commit says of itself; None where the repository has it no more, or cannot say in time."""
    git_dir = _repository(place)
    if git_dir is None:
        return None
    try:
        ran = run_git(git_dir, [*_SHOW, *_FORM, commit, "--"], timeout=SECONDS)
    except (BusyError, StorageError):
        return None
    head, _, paths = ran.out.decode("utf-8", "replace").partition("\0\0")
    parents, nul, subject = head.partition("\0")
    if ran.code != 0 or not nul:
        return None
    # A line end closes the message, before the first path.
    return _Shown(parents.split(), subject, paths.removeprefix("\n").split("\0"))


def _repository(place: Place) -> Path | None:
    """The project's git folder, which the ledger lies in."""
    around = None if place.layout is None else place.layout.root.parent
    return around if around is not None and is_git_folder(around) else None


def _bounded(paths: list[str]) -> Iterator[str]:
    room = _PATHS_SIZE
    for path in filter(None, paths[:_PATHS]):
        room -= len(path.encode())
        if room < 0:
            return
        yield cut(path, _PATH)
