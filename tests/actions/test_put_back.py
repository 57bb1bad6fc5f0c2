"""Putting the code of a checkpoint back: byte for byte, and nothing is overwritten that is not saved."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.planted import body

from ledger.actions.checkpoint import Checkpoint, checkpoint, list_checkpoints
from ledger.actions.put_back import BEFORE, plan_putting_back, put_back
from ledger.actions.session import Session
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import InvalidError, NotFoundError, RefusedError
from ledger.storage import putting_back


def git(folder: Path, *arguments: str | Path) -> str:
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def walked(top: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder with its mode and content, but for what git keeps for itself."""
    found = {}
    for place, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != ".git"]
        links = [name for name in folders if Path(place, name).is_symlink()]
        for path in (Path(place, name) for name in (*names, *links) if name != ".git"):
            mode = path.lstat().st_mode
            data = os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else path.read_bytes()
            found[str(path.relative_to(top))] = mode, data
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a submodule, links, modes, ignored and untracked files, and a name that is no text."""
    other, folder = tmp_path / "other", tmp_path / "project"
    for repository in (other, folder):
        git(tmp_path, "init", "-q", "-b", "main", repository)
    write(other / "m.py", "m\n")
    git(other, "add", ".")
    git(other, "commit", "-q", "-m", "m")
    git(folder, "submodule", "--quiet", "add", other, "vendor/other")
    write(folder / ".gitignore", "*.log\n/build/\n")
    write(folder / "src" / "a.py", "a = 1\n")
    write(folder / "src" / "deep" / "b.py", "b\n")
    write(folder / "run.sh", "#!/bin/sh\n", 0o755)
    (folder / "link").symlink_to("src/a.py")
    (folder / "to-folder").symlink_to("src")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    write(folder / "untracked" / "new.py", "new\r\n")
    write(folder / os.fsdecode(b"caf\xe9"), "x\n")
    write(folder / "noise.log", "ignored\n")
    return folder


@pytest.fixture
def here(project: Path) -> Iterator[Ledger]:
    """The ledger of the project."""
    create_ledger(project / ".git" / "ledger")[0].close()
    with open_ledger(project / ".git" / "ledger") as opened:
        yield opened


@pytest.fixture
def me(here: Ledger) -> Session:
    """A session in that ledger."""
    made = here.session("claude-code", "abc")
    made.start()
    return made


@pytest.fixture
def made(here: Ledger, me: Session, project: Path) -> Checkpoint:
    """A checkpoint of the project as it is at first."""
    return checkpoint(here.place, me.author, "by hand", project)


def mix_up(project: Path) -> None:
    """Change the working tree in every way there is."""
    write(project / "src" / "a.py", "a = 2\n")
    (project / "src" / "deep" / "b.py").unlink()
    (project / "src" / "deep").rmdir()
    write(project / "src" / "deep", "a file now\n")
    (project / "run.sh").chmod(0o644)
    (project / "link").unlink()
    write(project / "link" / "inside", "a folder now\n")
    (project / "to-folder").unlink()
    (project / "to-folder").symlink_to("vendor")
    (project / "untracked" / "new.py").rename(project / "moved.py")
    (project / "untracked").rmdir()
    write(project / "brand" / "new" / "c.py", "c\n")
    write(project / "vendor" / "other" / "m.py", "changed\n")
    write(project / "vendor" / "other" / "n.py", "n\n")
    (project / os.fsdecode(b"caf\xe9")).unlink()


def test_whatever_changed_the_files_are_again_what_they_were(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    before = walked(project)
    mix_up(project)
    middle = walked(project)
    done = put_back(here.place, me.author, made)
    assert done.left == ()
    assert walked(project) == before
    assert not (project / "brand").exists()
    assert done.before is not None
    assert (done.before.reason, done.before.title) == (BEFORE, made.event)
    put_back(here.place, me.author, done.before)
    assert walked(project) == middle


def test_nothing_of_the_projects_repository_is_touched(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    mix_up(project)
    git(project, "stash", "list")

    def own() -> dict[Path, tuple[int, int]]:
        files = [path for path in (project / ".git").rglob("*") if "ledger" not in path.parts[-3:]]
        outside = [path for path in files if project / ".git" / "ledger" not in path.parents]
        return {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in outside if path.is_file()}

    before = own()
    put_back(here.place, me.author, made)
    assert own() == before


def test_a_plan_names_what_would_be_written_and_deleted_and_changes_nothing(
    here: Ledger, made: Checkpoint, project: Path
) -> None:
    write(project / "src" / "a.py", "a = 2\n")
    write(project / "new", "x")
    before = walked(project)
    todo = plan_putting_back(here.place, made)
    assert (todo.write, todo.delete, todo.blocked) == ((b"src/a.py",), (b"new",), ())
    assert walked(project) == before
    assert len(list(list_checkpoints(here.place))) == 1


def test_where_nothing_differs_nothing_is_done_and_no_checkpoint_made(
    here: Ledger, me: Session, made: Checkpoint
) -> None:
    done = put_back(here.place, me.author, made)
    assert (done.before, done.plan.write, done.plan.delete) == (None, (), ())
    assert len(list(list_checkpoints(here.place))) == 1


def test_named_paths_alone_are_put_back_and_what_lies_below_them(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    write(project / "src" / "a.py", "a = 2\n")
    write(project / "src" / "new.py", "new\n")
    write(project / "run.sh", "changed\n", 0o755)
    put_back(here.place, me.author, made, ["src/"])
    assert (project / "src" / "a.py").read_text() == "a = 1\n"
    assert not (project / "src" / "new.py").exists()
    assert (project / "run.sh").read_text() == "changed\n"


def test_a_path_that_is_nowhere_is_refused(here: Ledger, made: Checkpoint) -> None:
    with pytest.raises(NotFoundError, match=r"has src/nothing$"):
        plan_putting_back(here.place, made, ["src/nothing"])


def test_a_file_whose_present_content_is_not_saved_keeps_all_from_being_put_back(
    here: Ledger, me: Session, project: Path
) -> None:
    write(project / "plan.txt", "harmless\n")
    made = checkpoint(here.place, me.author, "by hand", project)
    write(project / "plan.txt", f"GITHUB_TOKEN=ghp_{body(36)}\n")
    write(project / "src" / "a.py", "a = 2\n")
    with pytest.raises(InvalidError, match="overwritten for good") as refused:
        put_back(here.place, me.author, made)
    assert [problem.path for problem in refused.value.problems] == ["plan.txt"]
    assert (project / "src" / "a.py").read_text() == "a = 2\n"
    put_back(here.place, me.author, made, ["src"])
    assert (project / "src" / "a.py").read_text() == "a = 1\n"


def test_an_ignored_file_is_neither_overwritten_nor_deleted(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    write(project / ".gitignore", "*.log\nrun.sh\nuntracked/\n")
    write(project / "untracked" / "new.py", "precious\n")
    todo = plan_putting_back(here.place, made)
    assert [path for path, _ in todo.blocked] == [b"untracked/new.py"]
    write(project / "untracked" / "new.py", "new\r\n")
    put_back(here.place, me.author, made)
    assert (project / "noise.log").read_text() == "ignored\n"


def test_what_was_ignored_then_is_not_deleted_though_it_is_not_ignored_now(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    write(project / "build" / "out", "built\n")
    write(project / "src" / "extra.py", "x\n")
    write(project / "vendor" / "other" / "x.log", "x\n")
    (project / ".gitignore").unlink()
    todo = plan_putting_back(here.place, made)
    assert (todo.write, todo.delete) == ((b".gitignore",), (b"src/extra.py",))
    put_back(here.place, me.author, made)
    assert (project / "build" / "out").read_text() == "built\n"
    assert (project / "noise.log").read_text() == "ignored\n"


def test_a_submodule_that_was_not_checked_out_stays_as_it_is_and_one_without_files_is_emptied(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    (project / "vendor" / "other" / "m.py").unlink()
    empty = checkpoint(here.place, me.author, "by hand", project)
    git(project, "submodule", "--quiet", "deinit", "--force", "vendor/other")
    absent = checkpoint(here.place, me.author, "by hand", project)
    git(project, "submodule", "--quiet", "update", "--init")
    assert plan_putting_back(here.place, absent).delete == ()
    put_back(here.place, me.author, empty)
    assert sorted(path.name for path in (project / "vendor" / "other").iterdir()) == [".git"]


def test_what_was_left_out_of_the_checkpoint_stays_as_it_is(here: Ledger, me: Session, project: Path) -> None:
    write(project / "a.key", "a key\n")
    made = checkpoint(here.place, me.author, "by hand", project)
    git(project, "add", "-f", "a.key")  # now it is saved by checkpoints
    put_back(here.place, me.author, made)
    assert (project / "a.key").read_text() == "a key\n"


def test_a_link_in_the_way_is_not_followed(
    here: Ledger, me: Session, made: Checkpoint, project: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    write(outside / "a.py", "not yours\n")
    for name in ("a.py", "deep/b.py"):
        (project / "src" / name).unlink()
    (project / "src" / "deep").rmdir()
    (project / "src").rmdir()
    (project / "src").symlink_to(outside)
    put_back(here.place, me.author, made)
    assert (outside / "a.py").read_text() == "not yours\n"
    assert (project / "src").is_dir()
    assert not (project / "src").is_symlink()


def test_an_unsaved_link_in_the_way_is_named(here: Ledger, made: Checkpoint, project: Path, tmp_path: Path) -> None:
    (project / ".git" / "info").mkdir(exist_ok=True)
    write(project / ".git" / "info" / "exclude", "/untracked\n")
    (project / "untracked" / "new.py").unlink()
    (project / "untracked").rmdir()
    (project / "untracked").symlink_to(tmp_path)
    assert [path for path, _ in plan_putting_back(here.place, made).blocked] == [b"untracked/new.py"]


def test_a_private_file_stays_private(here: Ledger, me: Session, made: Checkpoint, project: Path) -> None:
    write(project / "src" / "a.py", "a = 2\n", 0o600)
    write(project / "run.sh", "x\n", 0o640)
    put_back(here.place, me.author, made)
    assert stat.S_IMODE((project / "src" / "a.py").stat().st_mode) == 0o600
    assert stat.S_IMODE((project / "run.sh").stat().st_mode) == 0o750


def test_it_goes_into_another_folder_too_where_nothing_is_overwritten(
    here: Ledger, me: Session, made: Checkpoint, project: Path, tmp_path: Path
) -> None:
    to = tmp_path / "copy" / "here"
    done = put_back(here.place, me.author, made, to=to)
    expected = walked(project)
    del expected["noise.log"]
    assert (done.before, walked(to)) == (None, expected)
    assert put_back(here.place, me.author, made, to=to).plan.write == ()
    write(to / "run.sh", "mine\n", 0o755)
    with pytest.raises(InvalidError, match="overwritten for good"):
        put_back(here.place, me.author, made, to=to)


def test_a_checkpoint_without_a_working_tree_has_nothing_to_put_back(here: Ledger, me: Session) -> None:
    made = checkpoint(here.place, me.author, "by hand")
    with pytest.raises(NotFoundError, match="has no working tree"):
        plan_putting_back(here.place, made)


def test_a_working_tree_that_is_gone_is_put_back_elsewhere_only(
    here: Ledger, me: Session, made: Checkpoint, project: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(project, "worktree", "add", "-q", linked)
    other = checkpoint(here.place, me.author, "by hand", linked)
    git(project, "worktree", "remove", linked)
    with pytest.raises(RefusedError):
        plan_putting_back(here.place, other)
    assert plan_putting_back(here.place, other, to=tmp_path / "new").write


def test_what_changes_between_the_plan_and_the_write_is_left(here: Ledger, made: Checkpoint, project: Path) -> None:
    assert here.place.payloads is not None
    store = here.place.payloads.store
    write(project / "src" / "a.py", "a = 2\n")
    write(project / "extra", "x\n")
    (project / "run.sh").unlink()
    todo = plan_putting_back(here.place, made)
    write(project / "src" / "a.py", "a = 3, at the last moment\n")
    write(project / "extra", "more\n")
    write(project / "run.sh", "mine\n")
    left = putting_back.put_back(todo, lambda oid: store.read_object("blob", oid))
    assert [path for path, _ in left] == [b"extra", b"run.sh", b"src/a.py"]
    assert (project / "src" / "a.py").read_text() == "a = 3, at the last moment\n"


def test_what_takes_the_place_of_a_file_or_a_folder_at_the_last_moment_is_left(
    here: Ledger, made: Checkpoint, project: Path, tmp_path: Path
) -> None:
    assert here.place.payloads is not None
    store = here.place.payloads.store
    for name in ("run.sh", "src/deep/b.py", "src/a.py"):
        (project / name).unlink()
    (project / "src" / "deep").rmdir()
    todo = plan_putting_back(here.place, made)
    os.mkfifo(project / "src" / "a.py")
    write(project / "run.sh" / "inside" / "x", "x\n")
    (tmp_path / "outside").mkdir()
    (project / "src" / "deep").symlink_to(tmp_path / "outside")
    left = putting_back.put_back(todo, lambda oid: store.read_object("blob", oid))
    assert [path for path, _ in left] == [b"run.sh", b"src/a.py", b"src/deep/b.py"]
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_folder_that_holds_only_folders_gives_way(here: Ledger, me: Session, made: Checkpoint, project: Path) -> None:
    (project / "run.sh").unlink()
    (project / "run.sh" / "a" / "b").mkdir(parents=True)
    put_back(here.place, me.author, made)
    assert (project / "run.sh").read_text() == "#!/bin/sh\n"


def test_a_file_of_an_earlier_restore_that_was_killed_is_no_part_of_anything(
    here: Ledger, me: Session, made: Checkpoint, project: Path
) -> None:
    write(project / "src" / ".ledger-restore-0123456789abcdef", "half")
    time.sleep(0.03)
    again = checkpoint(here.place, me.author, "by hand", project)
    assert again.worktree == made.worktree


NAMES = ("a", "b", "c.log", "a/b", "a/c", "b/a", "b/c/a", "b/c/b", "c/a", "a-b", "vendor/other/m.py", "vendor/other/x")


def disturb(project: Path, chance: random.Random) -> None:
    """Do something to some file, folder or link, whatever stands in its way."""
    path = project / chance.choice(NAMES)
    for one in reversed((path, *path.parents)):
        if project in one.parents and (one.is_symlink() or one.is_file()):
            one.unlink()
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    how = chance.randrange(5)
    if how == 0:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if how == 1:
        path.symlink_to(chance.choice(("a", "b", "../src", "nowhere", "/")))
    else:
        write(path, chance.choice("xyz") * chance.randrange(3), chance.choice((0o644, 0o755)))


def through(ledger: Ledger, me: Session, project: Path, rounds: int) -> None:
    """Make checkpoints and disturb what is there, then go back to one of them, and on from there."""
    chance = random.Random(rounds)
    made: list[tuple[Checkpoint, dict[str, tuple[int, bytes]]]] = []
    for number in range(rounds):
        for _ in range(chance.randrange(8)):
            disturb(project, chance)
        kept = {path: file for path, file in walked(project).items() if not path.endswith(".log")}
        made.append((checkpoint(ledger.place, me.author, f"round {number}", project), kept))
        for _ in range(chance.randrange(8)):
            disturb(project, chance)
        wanted, files = chance.choice(made)
        for path in [path for path in project.rglob("*.log") if not path.is_symlink() and path.is_file()]:
            path.unlink()  # ignored, and might be in the way
        done = put_back(ledger.place, me.author, wanted)
        assert done.left == ()
        assert {path: file for path, file in walked(project).items() if not path.endswith(".log")} == files


def test_whatever_is_done_to_the_files_any_checkpoint_comes_back(here: Ledger, me: Session, project: Path) -> None:
    through(here, me, project, 12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_holds_for_long(here: Ledger, me: Session, project: Path) -> None:
    through(here, me, project, 600)
