"""A ledger's folder is found, made, completed and refused as promised."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from tests.storage.contract import commit

from ledger.errors import NotALedgerError, RefusedError
from ledger.storage import opening
from ledger.storage.git import GitStore
from ledger.storage.layout import MAIN, Layout


def project(path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    subprocess.run(["git", "-C", str(path), "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    return path


def test_all_worktrees_of_a_project_share_one_ledger(tmp_path: Path) -> None:
    main = project(tmp_path / "main")
    subprocess.run(["git", "-C", str(main), "worktree", "add", "-q", str(tmp_path / "side")], check=True)
    assert opening.find(main) is None
    place = opening.place_for(tmp_path / "side")
    assert place == opening.place_for(main) == main / ".git" / "ledger"
    opening.create(place)
    (tmp_path / "side" / "deep" / "er").mkdir(parents=True)
    assert opening.find(tmp_path / "side" / "deep" / "er") == opening.find(main) == place


def test_a_submodule_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    outer, inner = project(tmp_path / "outer"), project(tmp_path / "inner")
    add = ["git", "-c", "protocol.file.allow=always", "-C", str(outer), "submodule", "-q", "add", str(inner), "sub"]
    subprocess.run(add, check=True)
    place = opening.place_for(outer / "sub")
    assert place.resolve() == (outer / ".git" / "modules" / "sub" / "ledger").resolve()


def test_a_bare_repository_is_a_project_too(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "bare.git")], check=True)
    assert opening.place_for(tmp_path / "bare.git") == tmp_path / "bare.git" / "ledger"


def test_outside_git_the_nearest_folder_above_counts(tmp_path: Path) -> None:
    start = tmp_path / "a" / "b"
    start.mkdir(parents=True)
    assert opening.find(start) is None
    assert opening.place_for(start) == start / ".ledger"
    opening.create(tmp_path / ".ledger")
    assert opening.find(start) == tmp_path / ".ledger"
    opening.create(tmp_path / "a" / ".ledger")
    assert opening.find(start) == tmp_path / "a" / ".ledger"


def test_a_project_does_not_use_the_ledger_of_a_folder_around_it(tmp_path: Path) -> None:
    opening.create(tmp_path / ".ledger")
    assert opening.find(project(tmp_path / "project")) is None


def test_the_environment_of_a_hook_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = project(tmp_path / "here"), project(tmp_path / "other")
    opening.create(other / ".git" / "ledger")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert opening.find(here) is None


def test_a_new_ledger_is_private_under_any_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o027, 0o277):
        os.umask(umask)
        layout = opening.create(tmp_path / f"{umask:o}" / "ledger")
        for path in (layout.root, *layout.root.rglob("*")):
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_git_takes_the_new_repositories_for_its_own(layout: Layout) -> None:
    for git_dir in layout.repositories:
        ran = subprocess.run(["git", f"--git-dir={git_dir}", "fsck", "--strict"], capture_output=True, check=True)
        assert b"error" not in ran.stderr
        config = subprocess.run(["git", f"--git-dir={git_dir}", "config", "gc.auto"], capture_output=True, check=True)
        assert config.stdout == b"0\n"


def test_creating_again_keeps_what_is_there(layout: Layout) -> None:
    store = GitStore(layout.git_dir)
    oid = commit(store, "x")
    store.move_ref(MAIN, oid, None)
    layout.config.write_text("durability = 'batch'\n")
    again = opening.create(layout.root)
    assert GitStore(again.git_dir).ref(MAIN) == oid
    assert layout.config.read_text() == "durability = 'batch'\n"


def test_a_ledger_cut_short_at_any_file_is_recognised_and_completed(tmp_path: Path) -> None:
    whole = opening.create(tmp_path / "whole")
    parts = sorted(path.relative_to(whole.root) for path in whole.root.rglob("*"))
    for part in parts:
        root = tmp_path / "half"
        shutil.copytree(whole.root, root)
        victim = root / part
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
        opening.create(root)
        opening.require(root)
        assert sorted(path.relative_to(root) for path in root.rglob("*")) == parts
        shutil.rmtree(root)


@pytest.mark.parametrize("content", [b"", b"\0" * 23], ids=["empty", "zeros"])
def test_a_head_that_a_power_cut_emptied_counts_as_missing(layout: Layout, content: bytes) -> None:
    for name in ("HEAD", "config"):
        (layout.git_dir / name).write_bytes(content)
    assert opening.missing_parts(layout) == ["ledger.git/HEAD", "ledger.git/config"]
    opening.create(layout.root)
    assert opening.missing_parts(layout) == []


def test_a_folder_that_is_no_ledger_is_refused_by_all_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(NotALedgerError, match="no such folder"):
        opening.require(tmp_path / "nothing")
    with pytest.raises(NotALedgerError, match=r"journal, ledger\.git/HEAD, .*payloads\.git/HEAD"):
        opening.require(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_ledger_of_another_user_is_refused_with_the_way_out(layout: Layout) -> None:
    os.chown(layout.root, 4242, 4242)
    for verb in (opening.require, opening.create):
        with pytest.raises(RefusedError, match="user 4242") as refused:
            verb(layout.root)
        assert "chown" in (refused.value.hint or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_may_work_for_the_owner_of_the_project(tmp_path: Path) -> None:
    root = tmp_path / "project" / "ledger"
    opening.create(root)
    os.chown(root, 4242, 4242)
    os.chown(root.parent, 4242, 4242)
    assert opening.require(root).root == root
