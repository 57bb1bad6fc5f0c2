"""Git: what a project's own git hooks hand over (`hooks/git.sh`), and the facts in it. Pure.

A payload is lines `name value`; a line that begins with a blank goes on with the value before it. After an empty line
comes what git gave the hook to read. Refs name a fact by what git itself calls it:

    commit:<oid>             a commit; an amended one is another
    rewrite:<old>:<new>      what was rewritten, by the first pair of it
    checkout:<git process>   and `merge:` and `push:`, which have no name: the process that did it tells them apart
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.errors import InvalidError, Problem
from ledger.recording.adapter import Draft
from ledger.recording.cutting import cut
from ledger.recording.shapes import name

AGENT = "git"
HOOKS = ("post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")

_FORM = "1"
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PROCESS = re.compile(r"(\d{1,10}):(\d{1,20})")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_BRANCH = 512
_REMOTE = 1024
_REF = 200
# 250 pairs of the longest ids make 45 KB; an event is at most 64.
_PAIRS = 250


class ProcessId(NamedTuple):
    """A process: its id, and the tick of its start, by which it is told from others that have had the id."""

    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class GitHeard:
    """What one payload of a git hook says.

    `session` is the ledger's name of the session where the environment names one; `agents`, sessions by agent and the
    agent's own id; `processes`, those around git, the nearest first. `drafts` name no session.
    """

    drafts: tuple[Draft, ...] = ()
    session: str = ""
    agents: tuple[tuple[str, str], ...] = ()
    processes: tuple[ProcessId, ...] = ()
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class _Payload:
    time: str
    hook: str
    values: dict[str, list[str]]
    given: str
    problems: list[Problem] = field(default_factory=list)

    def value(self, wanted: str) -> str:
        return next(iter(self.values.get(wanted, ())), "")

    def argument(self, number: int) -> str:
        arguments = self.values.get("argument", [])
        return arguments[number] if number < len(arguments) else ""

    def oid(self, text: str, path: str) -> str:
        if not _OID.fullmatch(text):
            self.problems.append(Problem(path, f"{cut(text, 100)!r} is no object id"))
        return text

    def branch(self) -> dict[str, Any]:
        branch = self.value("branch")
        return {"branch": cut(branch, _BRANCH)} if branch else {}

    def draft(self, kind: str, data: dict[str, Any], ref: str) -> Draft:
        return Draft(kind, self.time, data, ref, "")

    def numbered(self, verb: str, part: int = 0) -> str:
        """The ref of a fact that git gives no name: by the process that did it, else told apart by counting."""
        runner = self.value("runner")
        return f"{verb}:{runner}:{part}" if _PROCESS.fullmatch(runner) else f"{verb}:#"


def git_heard(raw: bytes, time: str) -> GitHeard:
    """What a payload says; `time` is when it was captured.

    Raises InvalidError, with every problem, for what is no payload of a git hook that is known here.
    """
    payload = _parsed(raw, time)
    facts = _FACTS.get(payload.hook)
    if payload.value("git") != _FORM:
        payload.problems.append(Problem("git", f"is not {_FORM}, the one form that is known"))
    if facts is None:
        payload.problems.append(Problem("hook", f"{cut(payload.hook, 100)!r} is none of {', '.join(HOOKS)}"))
    drafts = facts(payload) if facts is not None else ()
    if payload.problems:
        raise InvalidError("this is not what a git hook hands over:", payload.problems)
    return GitHeard(
        drafts=tuple(drafts),
        session=name(payload.value("session")),
        agents=tuple(_agents(payload)),
        processes=tuple(_processes(payload)),
        cwd=payload.value("cwd"),
    )


def _parsed(raw: bytes, time: str) -> _Payload:
    # Names of branches and folders are bytes to git; events are text.
    head, _, given = raw.decode("utf-8", "replace").partition("\n\n")
    values: defaultdict[str, list[str]] = defaultdict(list)
    last = ""
    for line in head.split("\n"):
        word, _, value = line.partition(" ")
        if word:
            values[word].append(value)
            last = word
        elif last:
            values[last][-1] += f"\n{value}"
    return _Payload(time, next(iter(values.get("hook", ())), ""), dict(values), given)


def _agents(payload: _Payload) -> list[tuple[str, str]]:
    pairs = (value.partition(" ") for value in payload.values.get("agent", ()))
    return [(cut(agent, 64), name(key)) for agent, _, key in pairs if agent and key]


def _processes(payload: _Payload) -> list[ProcessId]:
    found = (_PROCESS.fullmatch(value) for value in payload.values.get("process", ()))
    return [ProcessId(int(one[1]), one[2]) for one in found if one]


def _committed(payload: _Payload) -> Sequence[Draft]:
    commit = payload.oid(payload.value("head"), "head")
    return [payload.draft("git.committed", {"commit": commit, **payload.branch()}, f"commit:{commit}")]


def _checked_out(payload: _Payload) -> Sequence[Draft]:
    before, commit = (payload.oid(payload.argument(number), f"argument/{number}") for number in (0, 1))
    data: dict[str, Any] = {"commit": commit, **payload.branch()}
    # All zeros in a worktree that is new: there was nothing before.
    if before.strip("0"):
        data["from"] = before
    return [payload.draft("git.checked-out", data, payload.numbered("checkout"))]


def _merged(payload: _Payload) -> Sequence[Draft]:
    commit = payload.oid(payload.value("head"), "head")
    data = {"commit": commit, **payload.branch(), "squash": payload.argument(0) == "1"}
    return [payload.draft("git.merged", data, payload.numbered("merge"))]


def _rewritten(payload: _Payload) -> Sequence[Draft]:
    by = payload.argument(0)
    if by not in ("amend", "rebase"):
        payload.problems.append(Problem("argument/0", f"{cut(by, 100)!r} is neither amend nor rebase"))
    pairs = [
        {which: payload.oid(oid, f"line {number}") for which, oid in zip(("old", "new"), line.split(), strict=False)}
        for number, line in enumerate(payload.given.splitlines(), 1)
        if line.strip()
    ]
    if any(len(pair) != 2 for pair in pairs):
        payload.problems.append(Problem("", "a line names no pair of commits"))
        return []
    parts = (pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS))
    return [
        payload.draft("git.rewritten", {"by": by, "commits": part}, f"rewrite:{part[0]['old']}:{part[0]['new']}")
        for part in parts
    ]


def _pushed(payload: _Payload) -> Sequence[Draft]:
    refs = [_refspec(line.split()) for line in payload.given.splitlines() if line.strip()]
    remote = cut(_without_user(payload.argument(0)), _REMOTE)
    if not remote:
        payload.problems.append(Problem("argument/0", "names no remote"))
    parts = [refs[start : start + _PAIRS] for start in range(0, len(refs), _PAIRS)]
    return [
        payload.draft("git.pushed", {"remote": remote, "refs": part}, payload.numbered("push", n))
        for n, part in enumerate(parts)
    ]


def _refspec(words: Sequence[str]) -> str:
    """What is pushed where, as git spells it for itself: `<commit>:<ref>`, and `:<ref>` for one that is deleted."""
    if len(words) != 4:
        return cut(" ".join(words), _REF)
    _, commit, ref, _ = words
    return cut(f"{commit if commit.strip('0') else ''}:{ref}", _REF)


def _without_user(remote: str) -> str:
    """A remote that is no name but an address, without the user and password in it."""
    start = _URL.match(remote)
    if start is None:
        return remote
    host, slash, path = remote[start.end() :].partition("/")
    return f"{start[0]}{host.rpartition('@')[2]}{slash}{path}"


_FACTS = {
    "post-commit": _committed,
    "post-checkout": _checked_out,
    "post-merge": _merged,
    "post-rewrite": _rewritten,
    "pre-push": _pushed,
}
