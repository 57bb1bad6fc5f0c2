"""Plain: an ordinary clone of a ledger, with a working tree in which a person reads and edits by hand.

Its `main` is the ledger's, and its commits are events. Git is told to merge by our rule (`git-merge-ledger`), not to
make commits of its own, and to put ours in the place of the one that it makes for a merge.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ledger.errors import NotALedgerError, RefusedError
from ledger.storage.files import refusals
from ledger.storage.layout import MAIN
from ledger.storage.program import Ran, failure, require_git, run_git
from ledger.storage.remotes import Remote
from ledger.storage.store import Oid
from ledger.storage.transport import run_clone

STRATEGY = "ledger"
_MERGED = "LEDGER_MERGE"  # in the git folder: the commit that is to stand for the merge that git is about to make

_SETTINGS = {
    "pull.twohead": STRATEGY,
    "pull.rebase": "false",
    "merge.autoStash": "false",
    "core.autocrlf": "false",
}

_HOOKS = {
    "pre-commit": """\
#!/bin/sh
# context-ledger: a commit here is an event, and `git commit` makes none.
echo "this is a ledger: its commits are events, and git makes none" >&2
echo "  hint: edit context/*.yaml, then: ledger record --from-worktree" >&2
exit 1
""",
    "post-merge": f"""\
#!/bin/sh
# context-ledger: the merge as an event, in the place of the one that git has just made of the same tree and parents.
folder=$(git rev-parse --git-dir) || exit 0
read -r merged <"$folder/{_MERGED}" || exit 0
rm -f "$folder/{_MERGED}"
ours=$(git rev-parse "$merged^{{tree}}" "$merged^1" "$merged^2") || exit 0
theirs=$(git rev-parse 'HEAD^{{tree}}' 'HEAD^1' 'HEAD^2') || exit 0
[ "$ours" = "$theirs" ] && git update-ref -m 'merge: as the ledger merges' HEAD "$merged" "$(git rev-parse HEAD)"
exit 0
""",
}


class Plain(NamedTuple):
    """A clone with a working tree: where it begins, and its git folder."""

    top: Path
    git_dir: Path


class Edit(NamedTuple):
    """A file that a person has changed since the last commit: its path, and its bytes now; None where it is gone."""

    path: str
    data: bytes | None


def find_plain(start: Path) -> Plain | None:
    """The clone around `start`, None where there is none or it is not of a ledger."""
    for folder in (start.absolute(), *start.absolute().parents):
        git_dir = folder / ".git"
        if git_dir.is_dir():
            ran = run_git(git_dir, ["cat-file", "-e", f"{MAIN}:ledger.yaml"])
            return Plain(folder, git_dir) if ran.code == 0 else None
    return None


def require_plain(start: Path) -> Plain:
    """The clone around `start`; raises NotALedgerError for none, RefusedError where another branch is checked out."""
    found = find_plain(start)
    if found is None:
        raise NotALedgerError(
            f"{start} is in no clone of a ledger that has a working tree", hint="ledger clone URL --plain DIR makes one"
        )
    head = require_git(found.git_dir, ["symbolic-ref", "-q", "HEAD"]).decode().strip()
    if head != MAIN:
        raise RefusedError(f"{found.top} has {head} checked out, not {MAIN}", hint="git switch main")
    return found


def clone_plain(remote: Remote, top: Path, seconds: float) -> tuple[Plain, str]:
    """An ordinary clone, set up to merge and commit as a ledger needs it; and the ref that its main is under still.

    Raises as `transport.fetch` does.
    """
    ref = run_clone(remote, top, seconds)
    plain = Plain(top, top / ".git")
    set_up(plain)
    return plain, ref


def set_up(plain: Plain) -> None:
    """Set up merging and committing in a clone; done twice it changes nothing."""
    for name, value in (*_SETTINGS.items(), ("core.hooksPath", str(plain.git_dir / "hooks"))):
        require_git(plain.git_dir, ["config", name, value])
    for name, text in _HOOKS.items():
        path = plain.git_dir / "hooks" / name
        with refusals(path):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)


def signing_key(git_dir: Path) -> str:
    """The SSH key with which the user has git sign commits in this clone; "" where they are not to be signed."""
    told = {
        name: run_git(git_dir, ["config", "--get", name]).out.decode("utf-8", "replace").strip()
        for name in ("commit.gpgSign", "gpg.format", "user.signingKey")
    }
    signs = told["commit.gpgSign"].lower() in ("true", "yes", "on", "1") and told["gpg.format"] == "ssh"
    return told["user.signingKey"] if signs else ""


def edits(plain: Plain) -> Iterator[Edit]:
    """Every file that differs from the last commit, or is new and not ignored, sorted by path."""
    ran = _in_tree(plain, ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"])
    for row in sorted(filter(None, ran.out.split(b"\0"))):
        path = row[3:].decode("utf-8", "surrogateescape")
        file = plain.top / path
        yield Edit(path, file.read_bytes() if file.is_file() and not file.is_symlink() else None)


def check_out(plain: Plain) -> None:
    """Make index and files those of main, whatever is there."""
    ran = _in_tree(plain, ["read-tree", "--reset", "-u", MAIN])
    if ran.code != 0:
        raise failure(["read-tree"], ran)


def take_over(plain: Plain, before: Oid, after: Oid) -> None:
    """Make index and files those of a commit that is about to become main; raises RefusedError for edits in the way."""
    ran = _in_tree(plain, ["read-tree", "-m", "-u", before, after])
    if ran.code != 0:
        raise RefusedError(
            f"what was changed by hand is in the way: {ran.err.strip()}", hint="ledger record --from-worktree"
        )


def announce_merge(plain: Plain, merged: Oid) -> None:
    """Say which commit is to stand for the merge that git makes next."""
    path = plain.git_dir / _MERGED
    with refusals(path):
        path.write_text(f"{merged}\n", encoding="ascii")


def _in_tree(plain: Plain, arguments: list[str]) -> Ran:
    """Run git with the working tree; nothing that the clone's configuration names is started but what git itself is."""
    ran = run_git(plain.git_dir, [f"--work-tree={plain.top}", "-C", str(plain.top), *arguments])
    if ran.code != 0 and arguments[0] != "read-tree":
        raise failure(arguments, ran)
    return ran
