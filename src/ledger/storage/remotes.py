"""Remotes: the other places that a ledger is exchanged with, as git's own configuration of ledger.git names them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from ledger.errors import InvalidError, NotFoundError, Problem, RefusedError
from ledger.storage.program import require_git, run_git

# The transports that start nothing but what the name says. `ext::COMMAND` and its like run a program.
PROTOCOLS = ("https", "http", "ssh", "git", "file")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 2_000
_YES = ("true", "yes", "on", "1")
_ABSENT, _CUT = 1, 5  # exit codes of `git config` for what is not there


class Remote(NamedTuple):
    """One remote: its name here, the address that git reaches it by, and whether attachments go there too."""

    name: str
    url: str
    attachments: bool = False

    @property
    def shown(self) -> str:
        """The URL for people to read: without a password."""
        return without_password(self.url)


def list_remotes(git_dir: Path) -> list[Remote]:
    """Every remote, by name."""
    told = list(_settings(git_dir))
    wanted = {name for name, field, value in told if field == "attachments" and value.lower() in _YES}
    return sorted(Remote(name, value, name in wanted) for name, field, value in told if field == "url")


def find_remote(git_dir: Path, name: str) -> Remote:
    """The remote of that name; raises NotFoundError with those there are."""
    remotes = list_remotes(git_dir)
    found = next((one for one in remotes if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in remotes)
        hint = f"there is: {names}" if names else "ledger remote add NAME URL"
        raise NotFoundError(f"there is no remote {name!r}", hint=hint)
    return found


def require_new(git_dir: Path, remote: Remote) -> None:
    """Raise InvalidError for a name or URL that is none, RefusedError where the name is taken."""
    require_valid(remote.name, remote.url)
    if any(one.name == remote.name for one in list_remotes(git_dir)):
        raise RefusedError(f"there is a remote {remote.name!r} already", hint="`ledger remote list` shows it")


def add_remote(git_dir: Path, remote: Remote) -> None:
    """Write a remote down; raises as `require_new` does."""
    require_new(git_dir, remote)
    section = f"remote.{remote.name}"
    require_git(git_dir, ["config", f"{section}.url", remote.url])
    # For people who use git on ledger.git itself: main alone goes out, and nothing moves by force.
    require_git(git_dir, ["config", f"{section}.fetch", f"refs/heads/main:refs/remotes/{remote.name}/main"])
    require_git(git_dir, ["config", f"{section}.push", "refs/heads/main:refs/heads/main"])
    if remote.attachments:
        require_git(git_dir, ["config", f"{section}.attachments", "true"])


def remove_remote(git_dir: Path, name: str) -> None:
    """Strike a remote out; raises NotFoundError."""
    find_remote(git_dir, name)
    require_git(git_dir, ["config", "--remove-section", f"remote.{name}"])


def require_valid(name: str, url: str) -> None:
    """Raise InvalidError with all that is wrong with the name and the URL of a remote."""
    broken = [Problem("name", rule) for rule in _name_problems(name)]
    broken += [Problem("url", rule) for rule in url_problems(url)]
    if broken:
        raise InvalidError("this is no remote:", broken, hint="ledger remote add origin https://host/team/ledger.git")


def url_problems(url: str) -> Iterator[str]:
    """Why git must not be given this as the address of a repository."""
    if not url:
        yield "is empty"
    if len(url) > _LONGEST:
        yield f"has {len(url):,} characters; at most {_LONGEST:,}"
    if url.startswith("-"):
        yield "begins with a dash, as an option does"
    if _CONTROL.search(url) or (" " in url and not is_path(url)):
        yield "holds a space or a control character; a space is spelled %20"
    program = re.match(r"([A-Za-z0-9+.-]+)::", url)
    if program:
        yield f"names a program, git-remote-{program[1]}, and a ledger starts none"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    if scheme and scheme[1].lower() not in PROTOCOLS:
        yield f"has the scheme {scheme[1]!r}; a ledger knows {', '.join(PROTOCOLS)}"
    host = url[scheme.end() :] if scheme else url
    if host.rpartition("@")[2].startswith("-") and not url.startswith("-"):
        yield "has a host that begins with a dash, as an option does"


def absolute(url: str, start: Path) -> str:
    """The URL as it is, or for a path of this machine the whole of it: git reads it in another folder."""
    return url if not is_path(url) or not url else str((start / Path(url).expanduser()).resolve())


def is_path(url: str) -> bool:
    """Whether git takes it for a folder of this machine: no scheme, and no host before a colon."""
    return "://" not in url and "::" not in url and ":" not in url.partition("/")[0] and not url.startswith("-")


def without_password(url: str) -> str:
    """The URL with a mark where a password or a token stands, and without what can hold one further on."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    # Over http the name alone can be a token; with ssh it is the account, and git asks for no password.
    kept = ("***" if user else "") if parts.scheme.startswith("http") else f"{name}{'***' if colon else ''}"
    return urlunsplit((parts.scheme, f"{kept}{at}{host}", parts.path, "", ""))


def _name_problems(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name) or ".." in name or name.endswith(".lock"):
        yield "must be 1 to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit"


def _settings(git_dir: Path) -> Iterator[tuple[str, str, str]]:
    ran = run_git(git_dir, ["config", "--local", "--null", "--get-regexp", r"^remote\."])
    if ran.code not in (0, _ABSENT, _CUT):
        return
    for row in ran.out.decode("utf-8", "replace").split("\0"):
        key, _, value = row.partition("\n")
        _, _, rest = key.partition(".")
        name, _, field = rest.rpartition(".")
        if name:
            yield name, field, value
