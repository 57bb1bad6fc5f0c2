"""Remotes are names and addresses that start nothing but git's own transports."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import InvalidError, NotFoundError, RefusedError
from ledger.storage.opening import create
from ledger.storage.remotes import (
    Remote,
    absolute,
    add_remote,
    find_remote,
    list_remotes,
    remove_remote,
    url_problems,
    without_password,
)


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    return create(tmp_path / "ledger").git_dir


def test_what_is_added_is_listed_by_name_and_found_until_it_is_removed(git_dir: Path) -> None:
    two, one = Remote("two", "git@host:team/ledger.git"), Remote("one.x", "https://host/ledger.git")
    for remote in (two, one):
        add_remote(git_dir, remote)
    assert list_remotes(git_dir) == [one, two]
    assert find_remote(git_dir, "two") == two
    remove_remote(git_dir, "one.x")
    assert list_remotes(git_dir) == [two]
    with pytest.raises(NotFoundError, match=r"there is no remote 'one\.x'"):
        remove_remote(git_dir, "one.x")


def test_a_name_is_given_once(git_dir: Path) -> None:
    add_remote(git_dir, Remote("origin", "https://host/a"))
    with pytest.raises(RefusedError, match="already"):
        add_remote(git_dir, Remote("origin", "https://host/b"))
    assert find_remote(git_dir, "origin").url == "https://host/a"


@pytest.mark.parametrize(
    "name", ["", "-x", ".x", "a/b", "a b", "a..b", "x.lock", "x.", "é", "x" * 65, "a\nb", "--upload"]
)
def test_a_name_that_could_be_an_option_a_path_or_no_ref_is_refused(git_dir: Path, name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        add_remote(git_dir, Remote(name, "https://host/a"))
    assert [problem.path for problem in caught.value.problems] == ["name"]
    assert list_remotes(git_dir) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-oProxyCommand=touch x",
        "--upload-pack=touch x",
        "ext::sh -c touch% x",
        "ext::sh",
        "fd::17",
        "foo::bar",
        "ssh://-oProxyCommand=x/y",
        "ssh://user@-oProxyCommand=x/y",
        "git@-oProxyCommand=x:y",
        "ftp://host/x",
        "javascript://x",
        "https://host/a b",
        "https://host/a\nb",
        "https://host/\0",
        "x" * 2_001,
    ],
)
def test_an_address_that_could_start_a_program_is_refused(url: str) -> None:
    assert list(url_problems(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://host/team/ledger.git",
        "https://user:password@host:8443/x.git",
        "http://127.0.0.1:8080/x.git",
        "ssh://git@host:22/~/x.git",
        "git@host:team/x.git",
        "git://host/x",
        "file:///srv/x.git",
        "/srv/my ledgers/x.git",
        "../x.git",
        "./a:b",
    ],
)
def test_an_address_that_git_reaches_by_itself_is_taken(url: str) -> None:
    assert list(url_problems(url)) == []


def test_a_password_is_not_shown() -> None:
    assert without_password("https://ann:s3cret@host:8443/x.git?token=s3cret#s3cret") == "https://***@host:8443/x.git"
    assert without_password("https://token@host/x") == "https://***@host/x"
    assert without_password("ssh://git@host:22/x") == "ssh://git@host:22/x"
    assert without_password("git@host:x") == "git@host:x"
    assert Remote("a", "https://u:p@h/x").shown == "https://***@h/x"


def test_a_path_is_taken_from_where_the_user_stands(tmp_path: Path) -> None:
    assert absolute("../x.git", tmp_path / "here") == str(tmp_path / "x.git")
    for url in ("https://host/x", "git@host:x", "-x", ""):
        assert absolute(url, tmp_path) == url
