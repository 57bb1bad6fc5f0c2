"""A capture of a working tree: every file as its bytes are, and no hand on the project's repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.errors import RefusedError
from ledger.storage import capture
from ledger.storage.capture import Captured, Rules, Skipped
from ledger.storage.git import GitStore
from ledger.storage.layout import Layout
from ledger.storage.nesting import Entry, read_tree
from ledger.storage.stats import Stats, read_stats, write_stats

EASY = Rules(None, lambda text: frozenset(re.findall("hunter[0-9]+", text)))


def git(folder: Path, *arguments: str | Path) -> str:
    settings = ("-c", "protocol.file.allow=always")
    command = ["git", *settings, "-C", str(folder), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one commit: two files, one of them in a folder."""
    folder = tmp_path / "project"
    git(tmp_path, "init", "-q", "-b", "main", folder)
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("a = 1\n")
    (folder / "README").write_text("read me\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def store(layout: Layout) -> Iterator[GitStore]:
    """Where captures are put."""
    store = GitStore(layout.payloads_dir)
    yield store
    store.close()


def take(project: Path, store: GitStore, rules: Rules = EASY, stats: Stats | None = None) -> Captured:
    seen = capture.look(project, rules, stats or Stats())
    assert seen is not None
    with store.bulk():
        return capture.take(seen, rules, store.write_object)


def files_of(store: GitStore, done: Captured) -> dict[str, Entry]:
    files = next(entry.oid for entry in store.tree_entries(done.tree) if entry.name == "files")
    return {path.decode(): entry for path, entry in read_tree(store, files)}


def reasons(done: Captured) -> dict[str, str]:
    return {path: reason for path, reason, _ in done.skipped}


def test_tracked_and_untracked_files_are_captured_as_they_are_and_ignored_ones_are_not(
    project: Path, store: GitStore
) -> None:
    (project / ".gitignore").write_text("*.log\n/build/\n")
    (project / "noise.log").write_text("x")
    (project / "build").mkdir()
    (project / "build" / "out").write_text("x")
    (project / "src" / "new.py").write_bytes(b"line\r\nline\r\n\xff\x00")
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    (project / "link").symlink_to("src/a.py")
    (project / "README").unlink()
    done = take(project, store)
    found = {path: (entry.mode, store.read_object("blob", entry.oid)) for path, entry in files_of(store, done).items()}
    assert found == {
        ".gitignore": (b"100644", b"*.log\n/build/\n"),
        "link": (b"120000", b"src/a.py"),
        "run.sh": (b"100755", b"#!/bin/sh\n"),
        "src/a.py": (b"100644", b"a = 1\n"),
        "src/new.py": (b"100644", b"line\r\nline\r\n\xff\x00"),
    }
    assert done.skipped == ()


def test_the_trees_are_what_git_itself_would_write(project: Path, store: GitStore, layout: Layout) -> None:
    for name in ("src.txt", "src/a/b/c", "src0", "src-1/x", "a b", "ümlaut"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    done = take(project, store)
    git(project, "add", "-A")
    assert done.stats.folders[b""] == git(project, "write-tree").strip()
    subprocess.run(["git", f"--git-dir={layout.payloads_dir}", "fsck", "--strict"], check=True, capture_output=True)


def test_no_filter_and_no_line_ending_rule_changes_a_byte(project: Path, store: GitStore) -> None:
    git(project, "config", "core.autocrlf", "true")
    (project / ".gitattributes").write_text("*.txt text eol=lf ident\n")
    (project / "a.txt").write_bytes(b"$Id$\r\nx\n")
    assert store.read_object("blob", files_of(store, take(project, store))["a.txt"].oid) == b"$Id$\r\nx\n"


def test_nothing_of_the_projects_repository_is_touched(project: Path, store: GitStore) -> None:
    (project / "README").write_text("changed\n")
    os.utime(project / "src" / "a.py")  # git would refresh its index for this
    before = {path: path.lstat() for path in sorted((project / ".git").rglob("*"))}
    take(project, store)
    after = {path: path.lstat() for path in sorted((project / ".git").rglob("*"))}
    assert [(p, s.st_mtime_ns, s.st_ino) for p, s in after.items()] == [
        (p, s.st_mtime_ns, s.st_ino) for p, s in before.items()
    ]


def test_what_looks_like_a_secret_is_left_out_and_said(project: Path, store: GitStore) -> None:
    (project / ".env").write_text("A=1\n")
    (project / "src" / "config.py").write_text("password = 'hunter2'\n")
    done = take(project, store)
    assert done.skipped == (
        Skipped(".env", capture.TELLING_NAME, 4),
        Skipped("src/config.py", capture.TELLING_TEXT, 21),
    )
    assert not {".env", "src/config.py"} & files_of(store, done).keys()


def test_what_the_project_has_committed_is_captured_though_it_looks_like_a_secret(
    project: Path, store: GitStore
) -> None:
    (project / "test.pem").write_text("hunter2\n")
    git(project, "add", ".")
    first = take(project, store)
    assert "test.pem" in files_of(store, first)
    (project / "test.pem").write_text("hunter2, another one\n")
    assert reasons(take(project, store, stats=first.stats)) == {"test.pem": capture.TELLING_NAME}


def test_a_change_beside_a_secret_that_the_project_has_committed_is_captured_and_another_secret_is_not(
    project: Path, store: GitStore
) -> None:
    (project / "test_login.py").write_text("password = 'hunter2'\n")
    git(project, "add", ".")
    (project / "test_login.py").write_text("password = 'hunter2'  # changed\n")
    assert reasons(take(project, store)) == {}
    (project / "test_login.py").write_text("password = 'hunter2'\npassword = 'hunter3'\n")
    assert reasons(take(project, store)) == {"test_login.py": capture.TELLING_TEXT}


def test_a_file_that_leaves_the_index_is_judged_anew(project: Path, store: GitStore) -> None:
    (project / ".env").write_text("A=1\n")
    git(project, "add", "-f", ".env")
    settle()
    first = take(project, store)
    assert ".env" in files_of(store, first)
    git(project, "rm", "-q", "--cached", ".env")
    assert reasons(take(project, store, stats=first.stats)) == {".env": capture.TELLING_NAME}


def test_what_is_too_much_to_be_searched_at_once_is_taken_by_the_next_captures(
    project: Path, store: GitStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MAX_SEARCHED", 100)
    for name in "abc":
        (project / name).write_text(name * 60)
    settle()
    first = take(project, store)
    assert reasons(first) == {"b": capture.UNSEARCHED, "c": capture.UNSEARCHED}
    second = take(project, store, stats=first.stats)
    assert reasons(second) == {"c": capture.UNSEARCHED}
    assert reasons(take(project, store, stats=second.stats)) == {}


def test_what_the_ledgerignore_names_is_left_out_even_where_it_is_committed(project: Path, store: GitStore) -> None:
    rules = Rules(lambda path: path == "README", EASY.secrets)
    assert reasons(take(project, store, rules)) == {"README": capture.IGNORED}


def test_large_files_nested_repositories_and_pipes_are_named_with_the_reason(project: Path, store: GitStore) -> None:
    with (project / "large").open("wb") as file:
        file.truncate(capture.MAX_FILE + 1)
    with (project / "just.fits").open("wb") as file:
        file.truncate(capture.MAX_FILE)
    git(project, "init", "-q", "nested")
    (project / "nested" / "n").write_text("n")
    (project / "README").unlink()
    os.mkfifo(project / "README")
    done = take(project, store)
    assert done.skipped == (
        Skipped("README", capture.NO_FILE, 0),
        Skipped("large", capture.TOO_LARGE, capture.MAX_FILE + 1),
        Skipped("nested", capture.NESTED, 0),
    )
    assert "just.fits" in files_of(store, done)


def test_a_name_that_git_keeps_for_itself_on_some_machines_is_left_out(project: Path, store: GitStore) -> None:
    (project / "src" / ".GIT").mkdir()
    (project / "src" / ".GIT" / "config").write_text("x")
    (project / "src" / ".github").write_text("x")
    done = take(project, store)
    assert reasons(done) == {"src/.GIT/config": capture.RESERVED}
    assert "src/.github" in files_of(store, done)


def test_a_submodule_is_captured_with_its_own_files(project: Path, store: GitStore, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", other)
    (other / "m.py").write_text("m\n")
    (other / ".gitignore").write_text("*.tmp\n")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "m")
    git(project, "submodule", "--quiet", "add", other, "vendor/other")
    (project / "vendor" / "other" / "new").write_text("new\n")
    (project / "vendor" / "other" / "x.tmp").write_text("x\n")
    done = take(project, store)
    assert done.modules == {"vendor/other": git(other, "rev-parse", "HEAD").strip()}
    assert {path for path in files_of(store, done) if path.startswith("vendor/")} == {
        "vendor/other/.gitignore",
        "vendor/other/m.py",
        "vendor/other/new",
    }


def test_a_name_that_is_no_text_is_captured_too(project: Path, store: GitStore, tmp_path: Path) -> None:
    (project / os.fsdecode(b"caf\xe9")).write_text("x")
    settle()
    done = take(project, store)
    assert b"caf\xe9" in done.entries
    write_stats(tmp_path / "stats", done.stats)
    assert read_stats(tmp_path / "stats") == done.stats


def test_what_lies_behind_a_linked_folder_is_not_the_projects(project: Path, store: GitStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.py").write_text("secret plans")
    (project / "src" / "a.py").unlink()
    (project / "src").rmdir()
    (project / "src").symlink_to(tmp_path / "elsewhere")
    assert {path: entry.mode for path, entry in files_of(store, take(project, store)).items()} == {
        "README": b"100644",
        "src": b"120000",
    }


def test_a_folder_where_a_file_was_is_captured_with_what_is_in_it(project: Path, store: GitStore) -> None:
    (project / "README").unlink()
    (project / "README").mkdir()
    (project / "README" / "x").write_text("x")
    assert sorted(files_of(store, take(project, store))) == ["README/x", "src/a.py"]


def test_a_ledger_inside_the_working_tree_is_not_captured(project: Path) -> None:
    (project / "state" / "deep").mkdir(parents=True)
    (project / "state" / "deep" / "x").write_text("x")
    seen = capture.look(project, EASY, Stats(), leave_out=project / "state")
    assert seen is not None
    assert {file.path for file in seen.changed} == {b"README", b"src/a.py"}


def test_where_git_shows_no_untracked_files_none_is_captured(project: Path, store: GitStore) -> None:
    (project / "private").write_text("x")
    git(project, "config", "status.showUntrackedFiles", "no")
    assert sorted(files_of(store, take(project, store))) == ["README", "src/a.py"]


def test_a_working_tree_of_too_many_files_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MAX_FILES", 1)
    with pytest.raises(RefusedError, match="holds 2 files, and no more than 1 are kept"):
        capture.look(project, EASY, Stats())


def test_outside_of_git_there_is_nothing_to_capture(tmp_path: Path) -> None:
    assert capture.look(tmp_path, EASY, Stats()) is None


def test_the_second_time_only_what_changed_is_read_and_put(project: Path, store: GitStore) -> None:
    (project / ".env").write_text("A=1\n")
    settle()
    first = take(project, store)
    again = capture.look(project, EASY, first.stats)
    assert again is not None
    assert again.changed == []
    put = _Recorder()
    assert capture.take(again, EASY, put).tree == first.tree
    assert [kind for kind, _ in put.objects] == ["blob", "tree"]  # about.json, and the tree on top
    (project / "src" / "a.py").write_text("a = 2\n")
    later = capture.look(project, EASY, first.stats)
    assert later is not None
    assert [file.path for file in later.changed] == [b"src/a.py"]
    assert later.changed_bytes == 6


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("a = 2\n"), id="same size"),
        pytest.param(lambda path: path.chmod(0o755), id="mode"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.rename(path.with_name("b.py")), id="renamed"),
    ],
)
def test_a_change_shows_whatever_it_is(project: Path, store: GitStore, change: Callable[[Path], object]) -> None:
    settle()
    first = take(project, store)
    status = (project / "src" / "a.py").lstat()
    change(project / "src" / "a.py")
    if (project / "src" / "a.py").exists():
        os.utime(project / "src" / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    later = take(project, store, stats=first.stats)
    assert later.tree != first.tree
    assert later.tree == take(project, store).tree


def test_a_file_changed_within_a_tick_of_the_clock_is_read_again(project: Path, store: GitStore) -> None:
    (project / "README").write_text("one")
    first = take(project, store)
    assert b"README" not in first.stats.files


def test_what_was_decided_under_other_rules_is_not_trusted(project: Path, store: GitStore) -> None:
    (project / "plan").write_text("tea at five\n")
    settle()
    first = take(project, store)
    strict = Rules(None, lambda text: frozenset(re.findall("tea", text)), "strict")
    assert reasons(take(project, store, strict, first.stats)) == {"plan": capture.TELLING_TEXT}


def test_a_file_that_vanishes_between_the_two_steps_is_no_fault(project: Path, store: GitStore) -> None:
    seen = capture.look(project, EASY, Stats())
    assert seen is not None
    (project / "README").unlink()
    done = capture.take(seen, EASY, store.write_object)
    assert list(done.entries) == [b"src/a.py"]
    assert done.skipped == ()


def test_a_file_that_becomes_a_pipe_or_a_folder_between_the_two_steps_is_left_out(
    project: Path, store: GitStore
) -> None:
    (project / "gone").write_text("x")
    seen = capture.look(project, EASY, Stats())
    assert seen is not None
    for name in ("README", "gone", "src/a.py"):
        (project / name).unlink()
    os.mkfifo(project / "README")
    (project / "gone").mkdir()
    (project / "src").rmdir()
    (project / "src").write_text("a file now")
    done = capture.take(seen, EASY, store.write_object)
    assert reasons(done) == {"README": capture.UNSTEADY, "gone": capture.UNSTEADY}
    assert dict(done.entries) == {}


def test_files_that_change_all_the_while_leave_a_tree_that_git_takes(
    project: Path, store: GitStore, layout: Layout
) -> None:
    def churn() -> None:
        while not is_over.is_set():
            shutil.rmtree(project / "src", ignore_errors=True)
            (project / "src").write_text("a file")
            (project / "src").unlink()
            (project / "src").symlink_to("README")
            (project / "src").unlink()
            (project / "src").mkdir()
            (project / "src" / "a.py").write_text("x" * 10_000)
            with (project / "src" / "a.py").open("a") as file:
                file.write("y" * 10_000)

    is_over = threading.Event()
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        trees = [take(project, store).tree for _ in range(60)]
        until = time.monotonic() + 60
        while len(set(trees)) == 1:  # on a busy machine the other thread may not have had a turn
            assert time.monotonic() < until
            trees.append(take(project, store).tree)
    finally:
        is_over.set()
        thread.join()
    subprocess.run(["git", f"--git-dir={layout.payloads_dir}", "fsck", "--strict"], check=True, capture_output=True)


def test_remembered_stats_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    for damage in ("", "{", "[]", '{"form": 2}', '{"form": 1}'):
        (tmp_path / "stats").write_text(damage)
        assert read_stats(tmp_path / "stats") == Stats()


class _Recorder:
    def __init__(self) -> None:
        self.objects: list[tuple[str, bytes]] = []

    def __call__(self, kind: capture.Kind, data: bytes) -> str:
        self.objects.append((kind, data))
        return capture.hash_only(kind, data)


def settle() -> None:
    """Let the clock of the files go on, so that what was written is known by its times."""
    time.sleep(0.03)
