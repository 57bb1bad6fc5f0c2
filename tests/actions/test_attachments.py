"""Attachments go from machine to machine where that is wanted: each that an event names, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.machines import bare

from ledger.actions.append import Draft
from ledger.actions.clone import clone
from ledger.actions.forget import forget, wanted
from ledger.actions.sync import Synced, sync
from ledger.actions.tip import Author
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import NotFoundError, RefusedError
from ledger.storage.layout import ATTACHMENTS, MAIN
from ledger.storage.remotes import Remote
from ledger.storage.server import prepare

SECRET = b"a line with correct horse in it\n" * 100


@pytest.fixture(params=["judging", "plain"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A server that judges, and one that is git alone."""
    path = tmp_path / "server.git"
    if request.param == "judging":
        prepare(path)
    else:
        bare(path)
    return path


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Ledger]:
    with create_ledger(tmp_path / "here")[0] as ledger:
        yield ledger


@pytest.fixture
def there(tmp_path: Path, here: Ledger, server: Path) -> Iterator[Ledger]:
    exchange(here, server)
    clone(tmp_path / "there", Remote("origin", str(server)), here.place.now())
    with open_ledger(tmp_path / "there") as ledger:
        yield ledger


def exchange(ledger: Ledger, server: Path, *, attachments: bool = True) -> Synced:
    return sync(ledger.place, Remote("origin", str(server), attachments))


def attach(ledger: Ledger, name: str, data: bytes) -> str:
    """An event with an attachment on main; its id."""
    me = ledger.session("agent", name)
    payloads = ledger.place.payloads
    assert payloads is not None
    kept = payloads.put(me.id, data, "output")
    me.write([Draft("transcript.appended", {"form": "jsonl", "attachment": kept._asdict(), "lines": 1})])
    return kept.id


def kept(ledger: Ledger, oid: str) -> bytes:
    assert ledger.place.payloads is not None
    return ledger.place.payloads.get(oid)


def refs(server: Path) -> list[str]:
    return Git(server)("for-each-ref", "--format=%(refname)", ATTACHMENTS).split()


def test_what_events_name_goes_to_every_machine(here: Ledger, there: Ledger, server: Path) -> None:
    one = attach(here, "one", b"of here")
    two = attach(there, "two", b"of there")
    exchange(here, server)
    assert exchange(there, server).attachments == 1
    assert exchange(here, server).attachments == 1
    for ledger in (here, there):
        assert (kept(ledger, one), kept(ledger, two)) == (b"of here", b"of there")
    assert exchange(here, server).attachments == 0


def test_without_being_asked_none_leaves_the_machine(here: Ledger, there: Ledger, server: Path) -> None:
    one = attach(here, "one", b"of here")
    exchange(here, server, attachments=False)
    assert refs(server) == []
    exchange(there, server)
    with pytest.raises(NotFoundError):
        kept(there, one)


def test_a_session_that_goes_on_on_two_machines_has_the_attachments_of_both(
    here: Ledger, there: Ledger, server: Path
) -> None:
    first = attach(here, "one", b"first")
    exchange(here, server)
    exchange(there, server)
    second, third = attach(here, "one", b"second"), attach(there, "one", b"third")
    for ledger in (here, there, here, there):
        exchange(ledger, server)
    for ledger in (here, there):
        assert [kept(ledger, oid) for oid in (first, second, third)] == [b"first", b"second", b"third"]
    git_dirs = [ledger.layout.payloads_dir for ledger in (here, there)]
    for git_dir in (*git_dirs, server):
        subprocess.run(["git", f"--git-dir={git_dir}", "fsck", "--strict"], check=True, capture_output=True)


def test_those_of_a_private_session_stay(here: Ledger, there: Ledger, server: Path) -> None:
    private = here.session("agent", "secretive", private=True)
    private.start()
    assert here.place.payloads is not None
    here.place.payloads.put(private.id, b"mine alone", "output")
    attach(here, "one", b"of here")
    exchange(here, server)
    assert len(refs(server)) == 1


def test_what_no_event_names_stays_where_it_is(here: Ledger, there: Ledger, server: Path) -> None:
    """As after a crash between an attachment and its event."""
    one = attach(here, "one", b"of here")
    me = here.session("agent", "one")
    assert here.place.payloads is not None
    stray = here.place.payloads.put(me.id, b"named by nobody", "output")
    exchange(here, server)
    assert stray.id not in Git(server)(
        "rev-list", "--objects", *Git(server)("for-each-ref", "--format=%(objectname)").split()
    )
    assert exchange(there, server).attachments == 1
    assert kept(there, one) == b"of here"
    two = attach(here, "one", b"more")
    exchange(here, server)
    exchange(there, server)
    assert kept(there, two) == b"more"


def test_what_somebody_put_there_by_force_does_not_come_in(here: Ledger, there: Ledger, server: Path) -> None:
    one = attach(here, "one", b"of here")
    exchange(here, server)
    (ref,) = refs(server)
    git = Git(here.layout.payloads_dir)
    oid = git.object("blob", b"named by nobody")
    tree = git.tree_with(git("rev-parse", f"{ref}^{{tree}}"), f"{oid[:2]}/output-{oid[2:14]}", b"named by nobody")
    forged = git("-c", "user.name=a", "-c", "user.email=b", "commit-tree", "-m", "x", "-p", ref, tree)
    pushed = subprocess.run(
        ["git", f"--git-dir={git.git_dir}", "push", "-q", str(server), f"{forged}:{ref}"],
        check=False,
        capture_output=True,
    )
    if (server / "hooks" / "pre-receive").exists():
        assert b"is named by no event of session" in pushed.stderr
    else:
        with pytest.raises(RefusedError, match="attachments that have no place here"):
            exchange(there, server)
        assert kept(there, one) == b"of here"
        objects = Git(there.layout.payloads_dir)("cat-file", "--batch-all-objects", "--batch-check")
        assert oid not in objects


def test_what_was_forgotten_is_gone_from_the_server_and_does_not_come_back(
    here: Ledger, there: Ledger, server: Path
) -> None:
    judges = (server / "hooks" / "pre-receive").exists()
    (server / "access.toml").write_text('[[who]]\nname = "all"\nuser = "*"\nadministrator = true\n')
    secret, other = attach(here, "one", SECRET), attach(here, "two", b"nothing")
    exchange(here, server)
    exchange(there, server)
    assert kept(there, secret) == SECRET
    forget(here.place, Author.person(here.place), wanted(here.place, "leaked", texts=("correct horse",)))
    if not judges:  # it goes over to an epoch by hand, and lets go of attachments likewise
        Git(here.layout.git_dir)("push", "-q", "--force", str(server), f"{MAIN}:{MAIN}")
        with pytest.raises(RefusedError, match="attachments that have no place here any longer"):
            exchange(here, server)
        for ref in refs(server):
            Git(server)("update-ref", "-d", ref)
    for ledger in (here, there, here):
        exchange(ledger, server)
    for ledger in (here, there):
        assert kept(ledger, other) == b"nothing"
        with pytest.raises(NotFoundError):
            kept(ledger, secret)
    assert secret not in Git(server)("rev-list", "--objects", "--all")
