"""What an unclean stop leaves behind is found before libgit2 could trip over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.storage.contract import SOMEBODY, commit

from ledger.storage import restore
from ledger.storage.codec import encode_commit, object_id
from ledger.storage.git import PACK_FROM, GitStore
from ledger.storage.journal import Journal, JournalRecord
from ledger.storage.layout import MAIN, Layout, session_ref


def journalled(layout: Layout, store: GitStore, message: str, parents: list[str], session: str = "s") -> str:
    """Append the way a writer does: journal, object, ref."""
    tree = store.edit_tree(None, {})
    raw = encode_commit(tree, parents, SOMEBODY, SOMEBODY, message.encode())
    with Journal(layout.journal_of(session)) as log:
        log.append(JournalRecord(object_id("commit", raw), raw, (MAIN,)))
    return store.write_commit(raw)


def spoil(layout: Layout, oid: str, data: bytes) -> Path:
    path = layout.git_dir / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(data)
    return path


def test_a_ledger_that_stopped_well_is_sound(layout: Layout, git_store: GitStore) -> None:
    tip = journalled(layout, git_store, "x", [])
    git_store.move_ref(MAIN, tip, None)
    assert restore.check(layout).is_sound


@pytest.mark.parametrize("data", [b"", b"cut", b"\0" * 99])
def test_a_damaged_or_missing_commit_is_found_in_the_journal(layout: Layout, git_store: GitStore, data: bytes) -> None:
    first = journalled(layout, git_store, "first", [])
    second = journalled(layout, git_store, "second", [first], session="other")
    path = spoil(layout, first, data)
    assert [r.oid for r in restore.check(layout).missing] == [first]
    path.unlink()
    findings = restore.check(layout)
    assert [r.oid for r in findings.missing] == [first]
    assert not findings.is_sound
    assert second not in [r.oid for r in findings.missing]


def test_a_packed_commit_is_not_missing(layout: Layout, git_store: GitStore) -> None:
    with git_store.bulk():
        oids = [commit(git_store, f"{n}") for n in range(PACK_FROM)]
    record = JournalRecord(oids[3], git_store.commit_raw(oids[3]), (MAIN,))
    assert restore.missing_commits(layout.git_dir, [record]) == []


def test_what_was_superseded_does_not_count(layout: Layout) -> None:
    lost = JournalRecord("a" * 40, b"raw", (MAIN,))
    again = JournalRecord("b" * 40, b"raw", (MAIN,), supersedes=lost.oid)
    off = JournalRecord(again.oid, b"", (), supersedes=again.oid)
    assert restore.counting([lost]) == [lost]
    assert restore.counting([lost, again]) == [again]
    assert restore.counting([lost, again, off]) == []


def test_bad_refs_of_both_repositories_are_found(layout: Layout) -> None:
    for git_dir in layout.repositories:
        (git_dir / "refs" / "heads" / "main").touch()
    assert [bad.path.parts[-4] for bad in restore.check(layout).bad_refs] == ["ledger.git", "payloads.git"]


def test_a_torn_journal_is_named_but_is_no_damage(layout: Layout) -> None:
    layout.journal_of("s").write_bytes(b"LJ1 5")
    findings = restore.check(layout)
    assert findings.torn == (layout.journal_of("s"),)
    assert findings.is_sound


def test_empty_head_and_config_are_written_again(layout: Layout, git_store: GitStore) -> None:
    git_store.move_ref(session_ref("a"), commit(git_store, "x"), None)
    (layout.git_dir / "HEAD").write_bytes(b"")
    (layout.payloads_dir / "config").unlink()
    wanted = [layout.git_dir / "HEAD", layout.payloads_dir / "config"]
    assert list(restore.check(layout).empty_files) == wanted
    assert restore.rewrite_empty_files(layout) == wanted
    assert restore.check(layout).is_sound
    assert list(GitStore(layout.git_dir).refs()) == [session_ref("a")]


def test_a_restart_of_the_machine_is_noticed_once(layout: Layout) -> None:
    assert restore.has_rebooted(layout)
    restore.note_boot(layout)
    assert not restore.has_rebooted(layout)
    layout.boot.write_text("another boot")
    assert restore.has_rebooted(layout)
