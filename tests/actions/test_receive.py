"""Receive: a server takes in what is sound and somebody's to write, and refuses the rest with its reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.machines import SSHD, git_daemon, http_server, ssh_server

from ledger.actions.append import Draft, append_shared
from ledger.actions.clone import clone
from ledger.actions.forget import forget, wanted
from ledger.actions.sync import sync
from ledger.actions.tip import Author
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.clock import DAY
from ledger.errors import RefusedError
from ledger.storage.access_file import NAME
from ledger.storage.codec import encode_commit
from ledger.storage.layout import MAIN
from ledger.storage.remotes import Remote, add_remote
from ledger.storage.server import prepare
from ledger.storage.store import Signature


@pytest.fixture
def server(tmp_path: Path) -> Path:
    prepare(tmp_path / "server" / "ledger.git")
    return tmp_path / "server" / "ledger.git"


@pytest.fixture
def here(tmp_path: Path, server: Path) -> Iterator[Ledger]:
    """A ledger whose server has its first events."""
    ledger, _ = create_ledger(tmp_path / "here")
    with ledger:
        add_remote(ledger.layout.git_dir, Remote("origin", str(server)))
        ledger.session("agent", "one").set("plan", "first")
        exchange(ledger, server)
        yield ledger


def exchange(ledger: Ledger, server: Path | str) -> object:
    return sync(ledger.place, Remote("origin", str(server)))


def main(ledger: Ledger) -> str:
    return str(ledger.place.store.ref(MAIN))


def head(server: Path) -> str:
    return Git(server)("for-each-ref", "--format=%(objectname)", MAIN)


class Push:
    """A push by plain git, of whatever somebody made by hand."""

    def __init__(self, ledger: Ledger, server: Path, where: str) -> None:
        self.ledger, self.server, self.where = ledger, server, where
        self.git = Git(ledger.layout.git_dir)

    def __call__(self, oid: str, ref: str = MAIN, *more: str) -> str:
        """What git says of it; everything on the server stays where it was."""
        before = Git(self.server)("for-each-ref")
        command = ["git", f"--git-dir={self.git.git_dir}", "push", *more, self.where, f"{oid}:{ref}"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert Git(self.server)("for-each-ref") == before
        assert done.returncode != 0, done.stderr
        return done.stderr.decode()

    def forged(self, change: Callable[[bytes], bytes]) -> str:
        """The newest commit, changed."""
        return self.git.object("commit", change(self.git.raw(main(self.ledger))))

    def with_file(self, path: str, data: bytes) -> str:
        """The newest commit with another file in its tree."""
        raw = self.git.raw(main(self.ledger))
        tree = self.git.tree_with(raw[5:45].decode(), path, data)
        return self.git.object("commit", b"tree " + tree.encode() + raw[45:])


@pytest.fixture(params=["file", "http", "git"])
def push(request: pytest.FixtureRequest, here: Ledger, server: Path) -> Iterator[Push]:
    """The same by a folder, by `git http-backend` and by `git daemon`."""
    here.session("agent", "one").set("plan", "second")
    if request.param == "file":
        yield Push(here, server, str(server))
        return
    serve = http_server if request.param == "http" else git_daemon
    with serve(server.parent) as url:
        yield Push(here, server, f"{url}/ledger.git")


def test_fifteen_kinds_of_a_bad_push_are_refused_each_with_its_reason(
    push: Push, here: Ledger, server: Path, tmp_path: Path
) -> None:
    git, tip = push.git, main(here)
    first = head(server)
    raw = git.raw(tip)
    # 1 to 4: refs
    assert "refs/heads/session/x has no place here" in push(tip, "refs/heads/session/x")
    assert "refs/tags/v1 has no place here" in push(tip, "refs/tags/v1")
    assert "cannot be deleted" in push("", MAIN)
    older = git("rev-parse", f"{first}~1")
    assert "forward only" in push(older, MAIN, "--force")
    # 5 and 6: what is no event
    assert "carries no event" in push(push.forged(lambda old: old.partition(b"\n\n")[0] + b"\n\nhello\n"))
    assert "not the canonical text of an event" in push(push.forged(lambda old: old.replace(b"\ntype: ", b"\ntype:  ")))
    # 7 to 9: what the events do not say
    assert "context/forged.yaml: no event puts this file" in push(push.with_file("context/forged.yaml", b"value: 1\n"))
    assert "context/plan.yaml: is not what the events" in push(push.with_file("context/plan.yaml", b"value: other\n"))
    assert "tree" in push(push.forged(lambda old: old.replace(b"value: second", b"value: zecond")))
    # 10 and 11: who and when
    assert "the author's session is" in push(
        push.forged(lambda old: old.replace(b"author agent <", b"author agent <x"))
    )
    assert "the author's time" in push(push.forged(lambda old: old.replace(b"> 1", b"> 2", 1)))
    # 12: a form that is not ours
    assert "header is not one" in push(push.forged(lambda old: old.replace(b"\n\n", b"\nencoding latin-1\n\n", 1)))
    # 13: another ledger
    with create_ledger(tmp_path / "other")[0] as other:
        git("fetch", "-q", str(other.layout.git_dir), f"{MAIN}:refs/other")
        assert "another ledger" in push("refs/other", MAIN, "--force")
        git("update-ref", "-d", "refs/other")
    # 14: from the future
    now = here.place.now()
    here.place.accepts_clock = True
    here.place.now = lambda: now + 30 * DAY * 1000
    append_shared(here.place, Author.person(here.place), [Draft("note.added", {"text": "later"})])
    assert "days from now" in push(main(here))
    git("update-ref", MAIN, tip)
    # 15: an event that is too large
    body = raw.partition(b"\n\n")[2].replace(b"value: second", b"value: " + b"x" * 70_000)
    person = Signature("agent", "x", 1)
    large = git.object("commit", encode_commit(raw[5:45].decode(), [tip], person, person, body))
    assert "bytes; at most" in push(large) or "form" in push(large)
    # and one without any of this is taken
    git("push", "-q", push.where, f"{tip}:{MAIN}")
    assert head(server) == tip


def test_more_bytes_than_a_push_may_have_are_refused(here: Ledger, server: Path) -> None:
    Git(server)("config", "receive.maxInputSize", "500")
    me = here.session("agent", "one")
    for number in range(20):
        me.set(f"k{number}", "x" * 100)
    with pytest.raises(RefusedError, match=r"exceeds maximum|refuses"):
        exchange(here, server)


def test_whatever_is_wrong_with_the_judge_nothing_comes_in(here: Ledger, server: Path) -> None:
    before = head(server)
    here.session("agent", "one").set("plan", "second")
    (server / NAME).write_text('who = "everybody"\n')
    with pytest.raises(RefusedError, match=r"access\.toml is not valid"):
        exchange(here, server)
    (server / NAME).write_text("")
    hook = server / "hooks" / "pre-receive"
    hook.write_text(hook.read_text().replace(sys.executable, "/nonexistent/python"))
    with pytest.raises(RefusedError, match="refuses what"):
        exchange(here, server)
    assert head(server) == before


def test_variables_of_git_that_somebody_set_change_nothing(
    here: Ledger, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with create_ledger(tmp_path / "other")[0] as other:
        here.session("agent", "one").set("plan", "second")
        for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_CEILING_DIRECTORIES"):
            monkeypatch.setenv(name, str(other.layout.git_dir))
        exchange(here, server)
    assert head(server) == main(here)


def test_two_ledgers_on_one_server_have_rights_of_their_own(here: Ledger, server: Path, tmp_path: Path) -> None:
    prepare(tmp_path / "server" / "second.git")
    (server / NAME).write_text('[[who]]\nname = "ann"\nuser = "ann"\n')
    here.session("agent", "one").set("plan", "second")
    with pytest.raises(RefusedError, match="who may write nothing here"):
        exchange(here, server)
    with create_ledger(tmp_path / "other")[0] as other:
        exchange(other, tmp_path / "server" / "second.git")


def test_eight_that_push_at_once_all_arrive(here: Ledger, server: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from ledger.api import open_ledger; from ledger.actions.sync import sync\n"
        "from ledger.storage.remotes import Remote\n"
        "with open_ledger(sys.argv[1]) as ledger:\n"
        "    ledger.session('agent', sys.argv[1]).increment('count')\n"
        "    sync(ledger.place, Remote('origin', sys.argv[2]))\n"
    )
    running = []
    for number in range(8):
        clone(tmp_path / f"m{number}", Remote("origin", str(server)), here.place.now())
        command = [sys.executable, "-c", code, str(tmp_path / f"m{number}"), str(server)]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE))
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    exchange(here, server)
    assert here.get("count").entry.cell.value == 8
    assert verify(here.place, full=True).ok


# Keys and users


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ann", "bob", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    return folder


def opened(path: Path, key: Path | None) -> Ledger:
    (path / "config.toml").write_text("" if key is None else f'[signing]\nkey = "{key}"\n')
    return open_ledger(path)


BY_KEY = """
signatures = "{signatures}"
[[who]]
name = "ann"
key = "{ann}"
administrator = true
[[who]]
name = "bob"
key = "{bob}"
agents = ["agent"]
keys = ["docs", "plan"]
"""

OUTCOMES = [
    ("required", "ann", "api/x", "agent", None),
    ("required", "bob", "docs/x", "agent", None),
    ("required", "bob", "plan", "agent", None),
    ("required", "bob", "planet", "agent", "bob may not write to planet"),
    ("required", "bob", "api/x", "agent", "bob may not write to api/x"),
    ("required", "bob", "docs/x", "other", "bob may not write in the name of other"),
    ("required", "eve", "docs/x", "agent", "signed by a key that is not known here"),
    ("required", None, "docs/x", "agent", "is not signed, and here every commit has to be"),
    ("optional", "ann", "api/x", "agent", None),
    ("optional", "eve", "docs/x", "agent", "signed by a key that is not known here"),
    ("optional", None, "docs/x", "agent", "is not signed, and comes from nobody in particular"),
]


@pytest.mark.parametrize(("signatures", "key", "written", "agent", "reason"), OUTCOMES)
def test_signed_and_unsigned_allowed_and_foreign(
    here: Ledger,
    server: Path,
    keys: Path,
    tmp_path: Path,
    signatures: str,
    key: str | None,
    written: str,
    agent: str,
    reason: str | None,
) -> None:
    public = {name: (keys / f"{name}.pub").read_text().strip() for name in ("ann", "bob")}
    (server / NAME).write_text(BY_KEY.format(signatures=signatures, **public))
    clone(tmp_path / "there", Remote("origin", str(server)), here.place.now())
    with opened(tmp_path / "there", None if key is None else keys / key) as there:
        append_shared(
            there.place,
            Author("6f1d7c52-3b0e-5c7a-9a64-2f0f5d1a8c11", agent),
            [Draft("context.set", {"key": written, "policy": "lww", "value": 1})],
        )
        if reason is None:
            exchange(there, server)
            assert head(server) == main(there)
        else:
            with pytest.raises(RefusedError, match=reason):
                exchange(there, server)
            assert head(server) == main(here)
        assert verify(there.place, full=True).ok


def test_git_itself_finds_the_signature_good(here: Ledger, keys: Path, tmp_path: Path) -> None:
    with opened(here.layout.root, keys / "ann") as signing:
        signing.session("agent", "one").set("plan", "signed")
        signers = tmp_path / "allowed"
        signers.write_text(f"ann {(keys / 'ann.pub').read_text()}")
        git = Git(signing.layout.git_dir)
        git("-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", MAIN)
        assert git("-c", f"gpg.ssh.allowedSignersFile={signers}", "log", "-1", "--format=%G? %GS", MAIN) == "G ann"


def test_a_signature_of_something_else_is_refused(here: Ledger, server: Path, keys: Path) -> None:
    public = {name: (keys / f"{name}.pub").read_text().strip() for name in ("ann", "bob")}
    with opened(here.layout.root, keys / "ann") as signing:
        me = signing.session("agent", "one")
        me.set("plan", "one")
        exchange(signing, server)
        (server / NAME).write_text(BY_KEY.format(signatures="required", **public))
        me.set("plan", "two")
        git = Git(signing.layout.git_dir)
        before, now = (git.raw(rev) for rev in (f"{MAIN}~1", MAIN))
        stolen = before[before.index(b"gpgsig ") : before.index(b"\n\n")]
        forged = git.object("commit", now[: now.index(b"gpgsig ")] + stolen + now[now.index(b"\n\n") :])
        said = Push(signing, server, str(server))(forged)
    assert "has a signature that is not of what it signs" in said


def test_a_key_that_does_not_sign_is_named_and_nothing_is_written(here: Ledger, tmp_path: Path) -> None:
    before = main(here)
    with (
        opened(here.layout.root, tmp_path / "no such key") as signing,
        pytest.raises(RefusedError, match="nothing can be signed with"),
    ):
        signing.session("agent", "one").set("plan", "signed")
    assert main(here) == before


def test_whom_the_transport_names_may_write_without_a_signature(here: Ledger, server: Path) -> None:
    (server / NAME).write_text('[[who]]\nname = "somebody"\nuser = "somebody"\nkeys = ["plan"]\n')
    me = here.session("agent", "one")
    me.set("plan", "second")
    with http_server(server.parent) as url:  # which calls everybody so
        exchange(here, f"{url}/ledger.git")
        assert head(server) == main(here)
        me.set("api", "third")
        with pytest.raises(RefusedError, match="somebody may not write to api"):
            exchange(here, f"{url}/ledger.git")


@pytest.mark.skipif(os.geteuid() != 0 or not Path(SSHD).exists(), reason="sshd is started by root alone")
def test_over_ssh_the_key_by_which_somebody_comes_says_who_they_are(
    here: Ledger, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (server / NAME).write_text('[[who]]\nname = "ann"\nuser = "ann"\nkeys = ["plan"]\n')
    me = here.session("agent", "one")
    me.set("plan", "second")
    with ssh_server(tmp_path / "ssh", "ann") as (url, command):
        monkeypatch.setenv("GIT_SSH_COMMAND", command)
        exchange(here, f"{url}{server}")
        assert head(server) == main(here)
        clone(tmp_path / "there", Remote("origin", f"{url}{server}"), here.place.now())
        me.set("api", "third")
        with pytest.raises(RefusedError, match="ann may not write to api"):
            exchange(here, f"{url}{server}")
    with ssh_server(tmp_path / "ssh-of-bob", "bob") as (url, command):
        monkeypatch.setenv("GIT_SSH_COMMAND", command)
        with pytest.raises(RefusedError, match="comes from user 'bob', who may write nothing here"):
            exchange(here, f"{url}{server}")
        monkeypatch.setenv("GIT_SSH_COMMAND", command.replace("ssh-of-bob/key", "ssh/key"))
        with pytest.raises(RefusedError, match=r"does not let us in: .*Permission denied"):
            exchange(here, f"{url}{server}")


# Epochs


def test_an_epoch_of_an_administrator_is_taken_over_and_every_clone_follows_with_what_is_its_own(
    here: Ledger, server: Path, keys: Path, tmp_path: Path
) -> None:
    public = {name: (keys / f"{name}.pub").read_text().strip() for name in ("ann", "bob")}
    for name in ("ann", "bob"):
        clone(tmp_path / name, Remote("origin", str(server)), here.place.now())
    (server / NAME).write_text(BY_KEY.format(signatures="required", **public))
    with opened(tmp_path / "ann", keys / "ann") as ann, opened(tmp_path / "bob", keys / "bob") as bob:
        bob.session("agent", "bob").set("docs/secret", "correct horse")
        exchange(bob, server)
        exchange(ann, server)
        bob.session("agent", "bob").set("docs/mine", "not shared yet")
        forget(ann.place, Author.person(ann.place), wanted(ann.place, "leaked", texts=("correct horse",)))
        for path in (server / "objects").rglob("*"):  # some time has gone by
            os.utime(path, (1, 1))
        exchange(ann, server)
        objects = ["git", f"--git-dir={server}", "cat-file", "--batch-all-objects", "--batch"]
        assert b"correct horse" not in subprocess.run(objects, capture_output=True, check=True).stdout
        assert head(server) == main(ann)
        assert Git(server)("for-each-ref", "--format=%(refname)") == MAIN
        exchange(bob, server)
        assert bob.get("docs/mine").entry.cell.value == "not shared yet"
        assert bob.get("docs/secret").entry.cell.value == "[forgotten]"
        exchange(ann, server)
        assert ann.get("docs/mine").entry.cell.value == "not shared yet"
        assert main(ann) == main(bob) == head(server)
        assert verify(ann.place, full=True).ok


def test_an_epoch_of_anybody_else_is_refused(here: Ledger, server: Path, keys: Path, tmp_path: Path) -> None:
    public = {name: (keys / f"{name}.pub").read_text().strip() for name in ("ann", "bob")}
    before = head(server)
    truncate(here.place, Author.person(here.place), "main")
    with pytest.raises(RefusedError, match="whoever pushes this may not begin an epoch here"):
        exchange(here, server)
    (server / NAME).write_text(BY_KEY.format(signatures="optional", **public))
    clone(tmp_path / "there", Remote("origin", str(server)), here.place.now())
    with opened(tmp_path / "there", keys / "bob") as there:
        truncate(there.place, Author.person(there.place), "main")
        with pytest.raises(RefusedError, match="bob may not begin an epoch here"):
            exchange(there, server)
    assert head(server) == before


def test_an_epoch_that_does_not_know_what_the_server_has_is_refused(
    here: Ledger, server: Path, keys: Path, tmp_path: Path
) -> None:
    public = {name: (keys / f"{name}.pub").read_text().strip() for name in ("ann", "bob")}
    clone(tmp_path / "ann", Remote("origin", str(server)), here.place.now())
    with opened(tmp_path / "ann", keys / "ann") as ann:
        here.session("agent", "one").set("plan", "meanwhile")
        exchange(here, server)
        (server / NAME).write_text(BY_KEY.format(signatures="optional", **public))
        truncate(ann.place, Author.person(ann.place), "main")
        with pytest.raises(RefusedError, match="knows nothing of"):
            exchange(ann, server)
    assert head(server) == main(here)
