"""`ledger remote`, `ledger sync` and `ledger clone`, as they are typed and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.machines import bare

GOES = """\
What goes to {url}, at each sync, for whoever may read there:
  3 events of 1 session, since 2026-11-22: 1 context.set, 1 session.started, 1 ledger.created
  prompts, answers, commands, file names and values in full, free of the secrets that were recognised
What stays: private sessions, what sessions have of their own, attachments, the code that checkpoints hold
"""


@pytest.fixture
def server(tmp_path: Path) -> Path:
    return bare(tmp_path / "server.git")


def test_the_first_exchange_with_a_server(ledger: Run, server: Path) -> None:
    ledger("set", "api/plan", "one")
    assert ledger("remote").err == (
        "No remotes: this ledger stays on this machine. To name one: ledger remote add NAME URL\n"
    )
    refused = ledger("remote", "add", "origin", str(server))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == GOES.format(url=server) + (
        "error: there is nobody to ask whether this may leave the machine\n  hint: if it may: --yes\n"
    )
    added = ledger("remote", "add", "origin", str(server), "--yes")
    assert added.err == GOES.format(url=server) + (
        "origin is a remote of this ledger now. To exchange with it: ledger sync origin\n"
    )
    assert ledger("remote", "list").out == f"origin  {server}  never in step\n"
    assert ledger("sync").out == "origin: 3 events went\n"
    assert ledger("sync", "origin").out == "origin: nothing new on either side\n"
    assert ledger("remote", "list").out == f"origin  {server}  in step 1m ago\n"
    assert ledger("remote", "remove", "origin").err == "origin is no remote any longer. What went there stays there.\n"
    assert ledger("sync").err == (
        "error: this ledger has no remote to exchange with\n  hint: ledger remote add NAME URL\n"
    )


def test_the_documents(ledger: Run, server: Path) -> None:
    added = json.loads(ledger("--json", "remote", "add", "origin", str(server), "--yes").out)
    assert added == {"name": "origin", "url": str(server), "attachments": False}
    synced = json.loads(ledger("sync", "--json").out)
    assert synced.pop("seconds") > 0
    (remote,) = synced.pop("remotes")
    assert synced == {
        "merged": False,
        "fast_forward": False,
        "conflicts": [],
        "pushed": 1,
        "fetched": 0,
        "attachments": 0,
    }
    assert (remote["name"], len(remote["head"]), remote["epoch"]) == ("origin", 40, None)
    (listed,) = json.loads(ledger("remote", "list", "--json").out)
    assert listed == {
        "name": "origin",
        "url": str(server),
        "attachments": False,
        "breaker": "closed",
        "tried": 1795360504.0,
        "synced": 1795360504.0,
        "head": remote["head"],
        "error": None,
    }


def test_a_clone_goes_where_init_would_make_a_ledger(
    ledger: Run, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger("set", "api/plan", "one")
    ledger("remote", "add", "origin", str(server), "--yes")
    ledger("sync")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    cloned = ledger("clone", "../server.git")
    assert cloned.out == f"{tmp_path}/elsewhere/.ledger\n"
    assert cloned.err == (
        "Cloned: 3 events, all judged. To record here as well: ledger up\n"
        "origin is its remote; `ledger sync` exchanges with it.\n"
    )
    assert ledger("get", "api/plan").out == "one\n"
    assert ledger("sync").out == "origin: nothing new on either side\n"
    again = ledger("clone", "../server.git")
    assert (again.code, again.err.splitlines()[0]) == (4, f"error: {tmp_path}/elsewhere/.ledger is there already")


def test_what_cannot_be_reached_is_said_and_remembered(ledger: Run, server: Path) -> None:
    ledger("remote", "add", "gone", "http://ann:pw@127.0.0.1:1/x.git", "--yes")
    ledger("remote", "add", "origin", str(server), "--yes")
    for _ in range(3):
        failed = ledger("sync", "gone")
        assert failed.code == 5
        assert failed.err.startswith("error: gone (http://***@127.0.0.1:1/x.git) cannot be reached: ")
        assert "pw" not in failed.err
    both = ledger("sync")
    assert (both.code, both.out) == (5, "origin: 1 event went\n")
    first, second = ledger("remote", "list").out.splitlines()
    assert " ".join(first.split()).startswith(
        "gone http://***@127.0.0.1:1/x.git never in step cannot be reached: unable"
    )
    assert second.split() == ["origin", str(server), "in", "step", "1m", "ago"]


def test_a_clone_of_what_cannot_be_reached_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    for more in ((), ("--plain", "files")):
        failed = run("clone", "http://127.0.0.1:1/x.git", *more)
        assert failed.code == 5
        assert failed.err.endswith("  hint: nothing was made; try again\n")
    assert not Path(".ledger").exists()
    assert not Path("files").exists()


@pytest.mark.parametrize("url", ["ext::sh -c true", "--upload-pack=true", "-x", "ftp://h/x", ""])
def test_an_address_that_is_a_command_is_refused(ledger: Run, url: str) -> None:
    refused = ledger("remote", "add", "--yes", "origin", "--", url)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("error: this is no remote:\n  url: ")
    assert ledger("remote", "list", "--json").out == "[]\n"
    assert ledger("clone", "--", url).code == 4
