"""Sync: ledgers on several machines come to one state through any git server, whatever the link and the server do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.actions.git import Git
from tests.machines import Link, bare, git_daemon, http_server

from ledger.actions.append import Draft, append_shared
from ledger.actions.clone import clone
from ledger.actions.epoch import epoch_of
from ledger.actions.forget import forget, wanted
from ledger.actions.sync import Synced, sync
from ledger.actions.tip import Author
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.clock import DAY
from ledger.errors import DamageError, LedgerError, NotALedgerError, RefusedError
from ledger.storage.exchanged import exchanged
from ledger.storage.layout import MAIN, PRIVATE
from ledger.storage.remotes import Remote, add_remote
from ledger.storage.switches import REMOTE, Switch, turn_off
from ledger.storage.transport import QUARANTINE, UnreachableError

Serve = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    return bare(tmp_path / "server" / "ledger.git")


@pytest.fixture
def here(tmp_path: Path, server: Path) -> Iterator[Ledger]:
    ledger, _ = create_ledger(tmp_path / "here")
    with ledger:
        add_remote(ledger.layout.git_dir, Remote("origin", str(server)))
        yield ledger


@pytest.fixture
def there(tmp_path: Path, here: Ledger, server: Path) -> Iterator[Ledger]:
    """A second machine, which cloned what the first one had."""
    exchange(here, server)
    clone(tmp_path / "there", Remote("origin", str(server)), here.place.now())
    with open_ledger(tmp_path / "there") as ledger:
        yield ledger


def exchange(ledger: Ledger, url: Path | str, **how: object) -> Synced:
    return sync(ledger.place, Remote("origin", str(url)), **how)  # type: ignore[arg-type]


def main(ledger: Ledger) -> str:
    return str(ledger.place.store.ref(MAIN))


def head(server: Path) -> str:
    return Git(server)("rev-parse", MAIN)


def agent(ledger: Ledger, name: str = "one") -> Callable[[str, object], object]:
    return ledger.session("agent", name).set


# What comes and goes


def test_an_empty_server_gets_all_and_a_clone_of_it_is_the_same_ledger(here: Ledger, there: Ledger) -> None:
    assert main(there) == main(here)
    assert there.id == here.id
    assert verify(there.place, full=True).ok


def test_what_each_wrote_meanwhile_is_merged_and_both_come_to_the_same_state(
    here: Ledger, there: Ledger, server: Path
) -> None:
    agent(here)("plan", "ours")
    agent(there, "two")("plan", "theirs")
    first = exchange(here, server)
    assert (first.fetched, first.merged, first.fast_forward) == (0, False, False)
    second = exchange(there, server)
    assert (second.merged, second.fast_forward, second.conflicts) == (True, False, ("plan",))
    third = exchange(here, server)
    assert (third.pushed, third.merged, third.fast_forward, third.conflicts) == (0, False, True, ("plan",))
    assert main(here) == main(there) == head(server)
    for ledger in (here, there):
        assert verify(ledger.place, full=True).ok
        assert ledger.place.store.refs(QUARANTINE) == {}


def test_nothing_but_main_leaves_the_machine(here: Ledger, server: Path) -> None:
    here.session("agent", "secretive", private=True).start()
    here.session("agent", "one").set("draft", "mine", scope="session")
    assert here.place.store.refs(PRIVATE)
    exchange(here, server)
    assert Git(server)("for-each-ref", "--format=%(refname)") == MAIN
    assert "secretive" not in subprocess.run(
        ["git", f"--git-dir={server}", "cat-file", "--batch-all-objects", "--batch"], capture_output=True, check=True
    ).stdout.decode("utf-8", "replace")


def test_many_that_push_at_once_all_arrive(here: Ledger, server: Path, tmp_path: Path) -> None:
    exchange(here, server)
    code = (
        "import sys; from ledger.api import open_ledger; from ledger.actions.sync import sync\n"
        "from ledger.storage.remotes import Remote\n"
        "with open_ledger(sys.argv[1]) as ledger:\n"
        "    me = ledger.session('agent', sys.argv[1])\n"
        "    for n in range(3):\n"
        "        me.increment('count'); me.add('who', [f'{sys.argv[3]}-{n}'], policy='set')\n"
        "        sync(ledger.place, Remote('origin', sys.argv[2]))\n"
    )
    for number in range(4):
        clone(tmp_path / f"m{number}", Remote("origin", str(server)), here.place.now())
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen([*command, str(tmp_path / f"m{n}"), str(server), str(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()
    exchange(here, server)
    assert here.get("count").entry.cell.value == 12
    assert len(here.get("who").entry.cell.value) == 12
    assert verify(here.place, full=True).ok


@pytest.mark.parametrize("serve", [http_server, git_daemon])
def test_over_a_network_it_is_the_same(here: Ledger, server: Path, tmp_path: Path, serve: Serve) -> None:
    Git(server)("config", "http.receivepack", "true")
    with serve(server.parent) as url:
        exchange(here, f"{url}/ledger.git")
        clone(tmp_path / "there", Remote("origin", f"{url}/ledger.git"), here.place.now())
        with open_ledger(tmp_path / "there") as there:
            agent(there, "two")("plan", "theirs")
            exchange(there, f"{url}/ledger.git")
            assert exchange(here, f"{url}/ledger.git").fetched == 2
            assert main(here) == main(there)


# A link that fails


def test_a_push_that_is_cut_anywhere_is_made_good_by_the_next(here: Ledger, server: Path) -> None:
    Git(server)("config", "http.receivepack", "true")
    with http_server(server.parent) as url:
        link = Link(int(url.rpartition(":")[2]))
        there = f"http://127.0.0.1:{link.port}/ledger.git"
        write = agent(here)
        for cut in (0, 1, 100, 400, 900, 1_500, 2_500, 4_000):
            write("plan", f"cut after {cut}")
            link.cut_after = cut
            try:
                exchange(here, there)
            except UnreachableError:
                assert main(here) != (head(server) if Git(server)("for-each-ref", MAIN) else "")
            link.cut_after = None
            assert exchange(here, there).main == head(server)
        link.close()
    assert verify(here.place, full=True).ok


def test_a_server_that_hangs_is_given_up_and_nothing_here_waits_for_it(here: Ledger, server: Path) -> None:
    with http_server(server.parent) as url:
        link = Link(int(url.rpartition(":")[2]))
        link.hangs = True
        before, began = main(here), time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer within 1 s"):
            exchange(here, f"http://127.0.0.1:{link.port}/ledger.git", seconds=1.0)
        assert time.monotonic() - began < 10
        link.hangs = False
        link.close()
    assert main(here) == before
    agent(here)("plan", "goes on")


def test_failures_are_counted_and_a_success_counts_them_as_none(here: Ledger, server: Path) -> None:
    for times in (1, 2, 3):
        with pytest.raises(UnreachableError, match="cannot be reached"):
            exchange(here, "http://127.0.0.1:1/x")
        assert exchanged(here.layout, "origin").breaker.failures == times
    state = exchanged(here.layout, "origin")
    assert state.breaker.state(here.place.now()) == "open"
    assert "cannot be reached" in state.error
    exchange(here, server)
    state = exchanged(here.layout, "origin")
    assert (state.breaker.failures, state.error, state.seen) == (0, "", main(here))


# What is refused


def refused(ledger: Ledger, server: Path, kind: type[LedgerError], words: str) -> None:
    """The exchange is refused with these words, and the ledger is what it was, in every ref and in the law."""
    before = ledger.place.store.refs("refs/")
    with pytest.raises(kind, match=words):
        exchange(ledger, server)
    assert ledger.place.store.refs("refs/") == before
    assert verify(ledger.place, full=True).ok
    agent(ledger)("still", "works")


def test_what_is_no_ledger_is_refused(here: Ledger, server: Path, tmp_path: Path) -> None:
    git = Git(server)
    tree = git.tree_with(git.object("tree", b""), "README", b"hello\n")
    person = b"author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nhello\n"
    commit = git.object("commit", b"tree " + tree.encode() + b"\n" + person)
    git("update-ref", "refs/heads/other", commit)
    refused(here, server, NotALedgerError, "none is main")
    git("update-ref", MAIN, commit)
    refused(here, server, NotALedgerError, "carries no event")
    refused(here, tmp_path / "nothing", NotALedgerError, "no git repository")
    with pytest.raises(NotALedgerError, match="carries no event"):
        clone(tmp_path / "clone", Remote("origin", str(server)), 0)
    assert not (tmp_path / "clone").exists()


def test_another_ledger_is_refused(here: Ledger, server: Path, tmp_path: Path) -> None:
    with create_ledger(tmp_path / "other")[0] as other:
        exchange(other, server)
    refused(here, server, RefusedError, "no common root")


def test_a_forged_event_is_refused_and_so_is_a_clone_of_it(here: Ledger, there: Ledger, server: Path) -> None:
    agent(there, "two")("plan", "theirs")
    git = Git(there.layout.git_dir)
    raw = git.raw(main(there))
    tree = git.tree_with(raw[5:45].decode(), "context/forged.yaml", b"value: 1\n")
    forged = git.object("commit", b"tree " + tree.encode() + raw[45:])
    git("push", "-q", str(server), f"{forged}:{MAIN}")
    refused(here, server, DamageError, r"context/forged\.yaml")
    with pytest.raises(DamageError, match="breaks the law"):
        clone(Path(f"{server}-clone"), Remote("origin", str(server)), 0)


def test_an_event_from_the_future_is_refused(here: Ledger, there: Ledger, server: Path) -> None:
    now = there.place.now()
    there.place.accepts_clock = True
    there.place.now = lambda: now + 30 * DAY * 1000
    append_shared(there.place, Author.person(there.place), [Draft("note.added", {"text": "later"})])
    exchange(there, server)
    refused(here, server, RefusedError, "ends 2[0-9] days from now")


def test_a_history_that_left_its_line_is_refused_unless_it_is_taken_in_on_purpose(
    here: Ledger, there: Ledger, server: Path
) -> None:
    old = head(server)
    agent(there, "two")("plan", "first")
    exchange(there, server)
    exchange(here, server)
    agent(here)("mine", 1)
    # Somebody goes back to the old head, and another machine that never saw the rest goes on from there.
    Git(server)("update-ref", MAIN, old)
    clone(Path(f"{server}-clone"), Remote("origin", str(server)), here.place.now())
    with open_ledger(Path(f"{server}-clone")) as third:
        agent(third, "three")("plan", "second")
        exchange(third, server)
        refused(here, server, RefusedError, "has left its line")
        done = exchange(here, server, accepts=True)
        assert done.merged
        exchange(third, server)
        assert [third.get(key).entry.cell.value for key in ("plan", "mine")] == ["second", 1]
        assert main(third) == main(here)


def test_a_server_restored_from_an_old_copy_gets_again_what_it_lacks(here: Ledger, there: Ledger, server: Path) -> None:
    old = head(server)
    agent(there, "two")("plan", "first")
    exchange(there, server)
    exchange(here, server)
    Git(server)("update-ref", MAIN, old)
    assert exchange(here, server).pushed == 2
    assert head(server) == main(here)


def test_a_server_that_refuses_is_told_with_its_own_words(here: Ledger, server: Path) -> None:
    hook = server / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Monday' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused(here, server, RefusedError, "origin refuses what this ledger has:\n.*not on a Monday")


def test_while_it_is_turned_off_nothing_goes(here: Ledger, server: Path) -> None:
    turn_off(here.layout, Switch(REMOTE))
    with pytest.raises(RefusedError, match="exchange with other machines is off"):
        exchange(here, server)
    assert Git(server)("for-each-ref") == ""


# Nothing from elsewhere is executed


def test_no_hook_of_ours_and_no_variable_of_git_is_followed(
    here: Ledger, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for name in ("pre-push", "reference-transaction", "post-merge", "pre-auto-gc"):
        (here.layout.git_dir / "hooks").mkdir(exist_ok=True)
        (here.layout.git_dir / "hooks" / name).write_bytes(trap.read_bytes())
        (here.layout.git_dir / "hooks" / name).chmod(0o755)
    variables = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH", "GIT_WORK_TREE")
    for name in (*variables, "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    for name in ("GIT_ASKPASS", "SSH_ASKPASS", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_PAGER", "GIT_EDITOR"):
        monkeypatch.setenv(name, str(trap))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(trap))
    exchange(here, server)
    assert not (tmp_path / "elsewhere").exists()
    with http_server(tmp_path) as url, pytest.raises(LedgerError):
        exchange(here, f"{url.replace('//', '//user@')}/nothing.git")
    assert not (tmp_path / "sprung").exists()


# Epochs


def test_an_epoch_that_began_elsewhere_is_followed_and_what_was_not_shared_comes_along(
    here: Ledger, there: Ledger, server: Path
) -> None:
    agent(there, "two")("plan", "of there")
    exchange(there, server)
    exchange(here, server)
    agent(here)("mine", "not shared yet")
    truncate(there.place, Author.person(there.place), "main")
    with pytest.raises(RefusedError, match="origin is in an earlier epoch"):
        exchange(there, server)
    Git(there.layout.git_dir)("push", "-q", "--force", str(server), f"{main(there)}:{MAIN}")
    done = exchange(here, server)
    assert done.epoch == epoch_of(here.place.store, main(here)) == 2
    assert here.get("mine").entry.cell.value == "not shared yet"
    exchange(there, server)
    assert there.get("mine").entry.cell.value == "not shared yet"
    assert main(here) == main(there) == head(server)


def test_what_was_forgotten_on_one_machine_does_not_come_back_from_another(
    here: Ledger, there: Ledger, server: Path
) -> None:
    agent(there, "two")("plan", "correct horse")
    exchange(there, server)
    exchange(here, server)
    forget(there.place, Author.person(there.place), wanted(there.place, "it leaked", texts=("correct horse",)))
    Git(there.layout.git_dir)("push", "-q", "--force", str(server), f"{main(there)}:{MAIN}")
    exchange(here, server)
    assert here.get("plan").entry.cell.value == "[forgotten]"
    objects = ["git", f"--git-dir={here.layout.git_dir}", "cat-file", "--batch-all-objects", "--batch"]
    assert b"correct horse" not in subprocess.run(objects, capture_output=True, check=True).stdout
