"""Transport: get a branch from another place, and put one there, by the git program; nothing is asked of anybody.

What comes is put below `refs/quarantine/` and moves no branch. What goes is fast-forward only.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ledger.errors import BusyError, NotALedgerError, RefusedError
from ledger.storage.files import refusals
from ledger.storage.layered import LayeredStore
from ledger.storage.layout import MAIN
from ledger.storage.opening import CONFIG, HEAD
from ledger.storage.program import Ran, require_git, run_git
from ledger.storage.remotes import PROTOCOLS, Remote, without_password
from ledger.storage.store import Oid

QUARANTINE = "refs/quarantine/"
SECONDS = 60.0
_ASIDE = "fetched-"

_SETTINGS = (
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in PROTOCOLS),
    "core.askPass=",  # nobody is asked for a password: a helper has it, or the key is in an agent
    "credential.interactive=false",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "push.gpgSign=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
)
# How the user's own ssh is called is theirs to say, and goes through; every other GIT_* variable may be of a hook.
_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_NO_VERIFY")

# Somebody else was faster; or their server was, between what it told us and what it did.
_STALE = re.compile(
    r"fetch first|non-fast-forward|stale info|failed to (?:update|lock)|cannot lock|already exists|incorrect old value"
    r"|needs force"
)
_ABSENT = re.compile(r"[Cc]ouldn't find remote ref|remote ref does not exist")
_NO_REPOSITORY = re.compile(r"does not appear to be a git repository|[Rr]epository .*not found|not a git repository")
_AGAIN = "local work goes on; it is tried again by itself"
_SHUT = re.compile(
    r"Authentication failed|Permission denied|could not read (?:Username|Password)|terminal prompts disabled"
    r"|access denied|HTTP 40[13]|error: 40[13]|Host key verification failed|not allowed|service not enabled"
)


_PREFIX = re.compile(r"(?:fatal|error|ssh): ")
_ADVICE = re.compile(
    r"remote:|Please make sure|and the repository exists|Could not read from remote|hint:|Warning:|Cloning"
)


class UnreachableError(BusyError):
    """The other place cannot be reached now, or does not answer in time (exit 5)."""


class Pushed(NamedTuple):
    """Whether a push arrived; if not, whether somebody else was faster, and what the other place said."""

    is_done: bool
    is_stale: bool = False
    said: str = ""


def quarantine(remote: str) -> str:
    """Where the branches of a remote lie until they have been judged: each under a name that was never used.

    A git that is killed leaves the lock of the ref that it was writing, and nobody but a person would remove that.
    """
    return f"{QUARANTINE}{remote}/"


def fetch(git_dir: Path, remote: Remote, seconds: float = SECONDS) -> str | None:
    """Get the remote's main into quarantine: the ref that it is under; None where the remote is empty.

    Raises UnreachableError, RefusedError where we are not let in, NotALedgerError for what holds no main.
    """
    ref = f"{quarantine(remote.name)}{os.urandom(8).hex()}"
    refspec = f"+{MAIN}:{ref}"
    options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", "--refmap="]
    ran = _run(git_dir, ["fetch", *options, "--end-of-options", remote.url, refspec], remote, seconds)
    if ran.code == 0:
        return ref
    if not _ABSENT.search(ran.err):
        raise _failure(remote, ran)
    listed = _run(git_dir, ["ls-remote", "--end-of-options", remote.url], remote, seconds)
    if listed.code != 0:
        raise _failure(remote, listed)
    if listed.out.strip():
        raise NotALedgerError(
            f"{remote.shown} is no ledger: it has branches, and none is main", hint="give a repository of its own"
        )
    return None


@contextmanager
def fetched_aside(
    git_dir: Path, remote: Remote, folder: str, seconds: float = SECONDS
) -> Iterator[tuple[LayeredStore, dict[str, Oid]]]:
    """Get every branch below a folder of refs into a repository that is gone after the block: it and the tips.

    Nothing of it comes into the repository at `git_dir` but what is copied: not even as something that nothing reaches.
    Raises as `fetch` does.
    """
    for left in git_dir.parent.glob(f"{_ASIDE}*"):  # of one that was killed: whoever calls is the only one
        shutil.rmtree(left, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=git_dir.parent))
    try:
        for name in ("objects/info", "refs"):
            (aside / name).mkdir(parents=True)
        (aside / "objects" / "info" / "alternates").write_text(f"{git_dir / 'objects'}\n")
        for name, content in (("config", CONFIG), ("HEAD", HEAD)):
            (aside / name).write_bytes(content)
        options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", "--refmap="]
        ran = _run(aside, ["fetch", *options, "--end-of-options", remote.url, f"+{folder}*:{folder}*"], remote, seconds)
        if ran.code != 0:
            raise _failure(remote, ran)
        store = LayeredStore(aside, git_dir)
        try:
            yield store, {ref.removeprefix(folder): oid for ref, oid in store.own_refs(folder).items()}
        finally:
            store.close()
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def refetch(git_dir: Path, remote: Remote, folder: str, seconds: float) -> bool:
    """Get every object of the remote again, also those that we are thought to have; its branches go below `folder`.

    False where it cannot be reached, or does not let us in: there may be others.
    """
    options = ["--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--quiet", "--refmap=", "--refetch"]
    arguments = ["fetch", *options, "--end-of-options", remote.url, f"+refs/heads/*:{folder}{remote.name}/*"]
    with suppress(UnreachableError):
        return _run(git_dir, arguments, remote, seconds).code == 0
    return False


def push(git_dir: Path, remote: Remote, refspecs: Sequence[str], seconds: float = SECONDS) -> Pushed:
    """Put commits there, all or none, each as a step forward; raises as `fetch` does."""
    options = ["--porcelain", "--no-verify", "--atomic" if len(refspecs) > 1 else "--no-atomic"]
    ran = _run(git_dir, ["push", *options, "--end-of-options", remote.url, *refspecs], remote, seconds)
    if ran.code == 0:
        return Pushed(is_done=True)
    refusals = list(_refusals(ran))
    if not refusals:
        raise _failure(remote, ran)
    said = "\n".join([*_from_remote(ran), *([] if _from_remote(ran) else refusals)])
    return Pushed(is_done=False, is_stale=all(_STALE.search(one) for one in refusals), said=said)


def run_clone(remote: Remote, folder: Path, seconds: float) -> str:
    """Make an ordinary clone in a new folder, nothing checked out: the ref that the remote's main is under.

    Raises as `fetch` does.
    """
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
    git_dir = folder / ".git"
    # Not `git clone`: it copies the user's templates, hooks among them, and checks out what nobody has judged.
    require_git(git_dir, ["-c", "init.templateDir=", "init", "--quiet", "--initial-branch=main", str(folder)])
    require_git(git_dir, ["config", "core.bare", "false"])
    require_git(git_dir, ["config", f"remote.{remote.name}.url", remote.url])
    require_git(git_dir, ["config", f"remote.{remote.name}.fetch", f"+refs/heads/*:refs/remotes/{remote.name}/*"])
    require_git(git_dir, ["config", "branch.main.remote", remote.name])
    require_git(git_dir, ["config", "branch.main.merge", MAIN])
    return fetch_all(git_dir, remote, seconds)


def fetch_all(git_dir: Path, remote: Remote, seconds: float) -> str:
    """The same as `fetch`, for who cannot begin without: raises NotALedgerError where the remote is empty."""
    ref = fetch(git_dir, remote, seconds)
    if ref is None:
        raise NotALedgerError(
            f"{remote.shown} is empty: there is no ledger to clone",
            hint="where the ledger is: ledger remote add NAME URL; then ledger sync",
        )
    return ref


def _run(git_dir: Path, arguments: Sequence[str], remote: Remote, seconds: float) -> Ran:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        return run_git(git_dir, arguments, timeout=seconds, settings=_SETTINGS, environment=kept)
    except BusyError as error:
        raise UnreachableError(
            f"{remote.name} ({remote.shown}) did not answer within {seconds:g} s",
            hint=_AGAIN,
        ) from error


def _refusals(ran: Ran) -> Iterator[str]:
    """Why each ref was not taken, as `git push --porcelain` spells it: a flag, the refs, and the reason in brackets."""
    for line in ran.out.decode("utf-8", "replace").splitlines():
        flag, _, rest = line.partition("\t")
        if flag == "!":
            yield rest.partition("\t")[2]


def _from_remote(ran: Ran) -> list[str]:
    said = [line.removeprefix("remote:").strip() for line in ran.err.splitlines() if line.startswith("remote:")]
    return [line for line in said if line]


def _failure(remote: Remote, ran: Ran) -> UnreachableError | RefusedError | NotALedgerError:
    words = "; ".join(_from_remote(ran) + _own_words(ran, remote)) or f"git ended with {ran.code}"
    where = f"{remote.name} ({remote.shown})"
    if _SHUT.search(ran.err):
        return RefusedError(
            f"{where} does not let us in: {words}", hint="see that git itself gets there: git ls-remote"
        )
    if _NO_REPOSITORY.search(ran.err):
        return NotALedgerError(f"{where} is no git repository: {words}", hint="check the address: ledger remote list")
    return UnreachableError(f"{where} cannot be reached: {words}", hint=_AGAIN)


def _own_words(ran: Ran, remote: Remote) -> list[str]:
    """What git and ssh said, each line once, without the address's password and the advice for people at a prompt."""
    shown = without_password(remote.url)
    lines = [_PREFIX.sub("", line.strip()).replace(remote.url, shown) for line in ran.err.splitlines()]
    return [line for line in dict.fromkeys(lines) if line and not _ADVICE.match(line)][:3]
