"""`ledger forget` and `ledger gc --truncate`: shown first, done with --yes, and told in a few words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run

SECRET = "swordfish-nine"
LEDGER = Path(".ledger")


@pytest.fixture
def planted(ledger: Run) -> Run:
    ledger("set", "auth/x", f"say {SECRET} twice")
    ledger("note", f"{SECRET} opens it")
    ledger("set", "auth/y", "fine")
    return ledger


def test_what_would_be_forgotten_is_shown_and_nothing_changes(planted: Run) -> None:
    before = planted("log").out
    shown = planted("forget", "--text", SECRET, "--because", "it leaked")
    assert shown.out == (
        "2 events: context.set 1, note.added 1\n"
        "  01a203d2-4e60  2026-11-22T15:14:04Z  context.set\n"
        "  01a203d3-38c0  2026-11-22T15:15:04Z  note.added\n"
    )
    assert shown.err == "Nothing was changed. To forget it for good, give the same with --yes\n"
    assert planted("log").out != ""
    assert SECRET in planted("get", "auth/x").out
    assert len(before.splitlines()) == len(planted("log").out.splitlines())


def test_it_is_forgotten_and_the_rest_stands(planted: Run) -> None:
    done = planted("forget", "--text", SECRET, "--because", "it leaked", "--yes")
    assert done.code == 0
    assert done.err == (
        "Forgotten. Epoch 2 has begun; clones follow when they bring it.\n"
        "Out of reach: what agents keep of their own, copies elsewhere, your shell's history.\n"
    )
    assert planted("get", "auth/x").out == "say [forgotten] twice\n"
    assert planted("get", "auth/y").out == "fine\n"
    assert SECRET not in planted("log").out
    assert planted("verify", "--full").out == "sound: 5 commits, 5 events, all checked\n"


def test_a_text_can_come_by_a_file_that_no_history_of_a_shell_keeps(planted: Run) -> None:
    answer = planted(
        "forget", "--text-file", "-", "--because", "it leaked", "--yes", "--json", stdin=f"{SECRET}\n".encode()
    )
    document = json.loads(answer.out)
    assert (document["done"], document["epoch"], len(document["events"])) == (True, 2, 2)


def test_a_backup_of_ones_own_goes_with_it(planted: Run) -> None:
    folder = Path(planted("backup").out.strip())
    assert folder.exists()
    done = planted("forget", "--text", SECRET, "--because", "it leaked", "--yes")
    assert str(folder) in done.out
    assert not folder.exists()


def test_all_that_is_wrong_is_told_at_once(planted: Run) -> None:
    assert planted("forget", "--text", "x", "--pattern", "(") == (
        4,
        "",
        "error: this cannot be forgotten:\n"
        "  because: is empty: say why, for those who find a mark instead\n"
        "  text.0: has fewer than 3 characters: it would be found everywhere\n"
        "  pattern.0: is no regular expression: missing ), unterminated subpattern at position 0\n",
    )


def test_what_nobody_wrote_is_not_found(planted: Run) -> None:
    assert planted("forget", "--text", "never said", "--because", "x").code == 1
    assert planted("forget", "no/such/key", "--because", "x").code == 1
    assert planted("forget").code == 2


def test_a_truncation_is_shown_first_and_then_done(planted: Run) -> None:
    assert planted("gc", "--truncate", "main") == (
        0,
        "4 events up to 2026-11-22T15:16:04Z (01a203d4-2320) would go, 0 stay.\n"
        "What they came to stays: the state is the same.\n",
        "Nothing was changed. To cut them off, give the same with --yes\n",
    )
    done = planted("gc", "--truncate", "main", "--because", "long ago", "--yes")
    assert done.out.startswith("4 events up to 2026-11-22T15:16:04Z cut, 0 kept; epoch 2 has begun.\nledger.git ")
    assert done.out.endswith(f"The old history: {LEDGER.absolute()}/archive/epoch-1.bundle\n")
    assert planted("get", "auth/y").out == "fine\n"
    assert planted("restore", ".ledger/archive/epoch-1.bundle", "--to", "old").code == 0
    assert planted("--ledger", "old", "log").out.count("\n") == 5


def test_without_a_bundle_the_old_history_is_gone(planted: Run) -> None:
    done = planted("gc", "--truncate", "main", "--no-bundle", "--yes")
    assert done.out.endswith("The old history is gone.\n")
    assert not (LEDGER / "archive").exists()
