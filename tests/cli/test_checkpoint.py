"""Checkpoints at the command line: whole answers, in words and for programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.cli.test_pages import documented, fields

PERSON = "8b281575-ac67-5b66-bbd0-2c5995ce8258"


def git(folder: Path, *arguments: str | Path) -> str:
    command = ["git", "-C", str(folder), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a ledger, in which the commands run: two files, one of them untracked."""
    folder = home / "project"
    git(home, "init", "-q", "-b", "main", folder)
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("a = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "plan").write_text("one\ntwo\n")
    monkeypatch.chdir(folder)
    assert run("init").code == 0
    return folder


def made(run: Run, *arguments: str) -> str:
    done = run("checkpoint", *arguments)
    assert done.code == 0
    return done.out.strip()


def test_it_prints_the_id_alone_and_says_beside_it_what_was_kept(run: Run, project: Path) -> None:
    (project / ".env").write_text("A=1\n")
    code, out, err = run("checkpoint", "--title", "login works")
    assert (code, len(out)) == (0, 37)
    assert err == (
        f"1 event verified. 2 files of {project}, 1 left out (`ledger checkpoint show` says why); 14 B read anew.\n"
    )
    assert run("checkpoint", "--no-worktree").err == "0 events verified. Without a working tree.\n"


def test_outside_of_git_it_goes_without_a_working_tree_and_says_so_where_one_was_asked_for(ledger: Run) -> None:
    assert ledger("checkpoint").err == "1 event verified. Without a working tree.\n"
    said = "0 events verified. Without the working tree: no working tree of git begins there.\n"
    assert ledger("checkpoint", "--worktree").err == said


def test_it_answers_programs_with_all_that_is_known(run: Run, project: Path) -> None:
    answer = json.loads(run("checkpoint", "--title", "login works", "--json").out)
    tree, worktree, event = answer.pop("tree"), answer.pop("worktree"), answer.pop("event")
    assert (len(tree), len(worktree), len(event)) == (40, 40, 36)
    assert answer == {
        "session": PERSON,
        "time": "2026-11-22T15:14:04.000000Z",
        "reason": "by hand",
        "title": "login works",
        "events": 1,
        "path": str(project),
        "head": git(project, "rev-parse", "HEAD").strip(),
        "files": 2,
        "skipped": 0,
        "bytes": 14,
        "missing": "",
    }
    assert json.loads(run("checkpoint", "list", "--json").out) == [
        {"event": event, "tree": tree, "worktree": worktree, **answer}
    ]


def test_the_list_begins_with_the_newest(run: Run, project: Path) -> None:
    assert run("checkpoint", "list").err == "No checkpoints yet. To make one: ledger checkpoint\n"
    first, second = made(run, "--title", "login works"), made(run, "--no-worktree")
    assert run("checkpoint", "list").out == (
        f"{second[:18]}  1m ago  8b281575  by hand\n{first[:18]}  2m ago  8b281575  by hand  2 files  login works\n"
    )
    assert run("checkpoint", "list", "--of", PERSON, "-n", "1").out.startswith(second[:18])


def test_show_names_what_it_holds_and_what_was_left_out(run: Run, project: Path) -> None:
    (project / ".env").write_text("A=1\n")
    event = made(run, "--title", "login works")
    found = json.loads(run("checkpoint", "show", event[:18], "--json").out)
    assert (found["kept"], found["size"], found["modules"]) == (True, 14, {})
    assert found["left_out"] == [{"path": ".env", "reason": "its name is that of a secret", "size": 4}]
    files = git(project / ".git" / "ledger" / "payloads.git", "rev-parse", f"{found['worktree']}:files").strip()
    assert run("checkpoint", "show", event).out == (
        f"checkpoint  {event}\n"
        f"session     {PERSON}\n"
        "time        2026-11-22T15:14:04.000000Z (2m ago)\n"
        "reason      by hand\n"
        "title       login works\n"
        "verified    1 event\n"
        f"path        {project}\n"
        f"head        {git(project, 'rev-parse', 'HEAD')}"
        "\n"
        f"2 files, 14 B, in {files}\n"
        "  left out .env (4 B): its name is that of a secret\n"
    )


def test_show_says_where_the_working_tree_is_not_kept_any_longer(run: Run, project: Path) -> None:
    event = made(run)
    payloads = project / ".git" / "ledger" / "payloads.git"
    git(payloads, "update-ref", "-d", f"refs/heads/checkpoint/{PERSON}")
    git(payloads, "prune", "--expire=now")
    assert json.loads(run("checkpoint", "show", event, "--json").out)["kept"] is False
    assert "is not kept any longer: it made room for others" in run("checkpoint", "show", event).out
    code, _, err = run("checkpoint", "restore", event)
    assert (code, "is not kept any longer" in err) == (1, True)


def test_diff_shows_what_became_of_the_files(run: Run, project: Path) -> None:
    event = made(run)
    assert run("checkpoint", "diff", event) == (0, "", "Nothing differs.\n")
    (project / "src" / "a.py").write_text("a = 2\n")
    (project / "plan").unlink()
    (project / "new").write_bytes(b"\0\1")
    code, out, err = run("checkpoint", "diff", event)
    assert (code, err) == (1, "")
    assert out == "added    new       no text\ndeleted  plan      +0 -2\nchanged  src/a.py  +1 -1\n"
    assert "-a = 1\n+a = 2\n" in run("checkpoint", "diff", event, "--patch").out
    later = made(run)
    answer = json.loads(run("checkpoint", "diff", later, event, "--json").out)
    assert (answer["from"], answer["to"], answer["patch"]) == (later, event, None)
    assert answer["files"] == [
        {"path": "new", "how": "deleted", "added": None, "removed": None},
        {"path": "plan", "how": "added", "added": 2, "removed": 0},
        {"path": "src/a.py", "how": "changed", "added": 1, "removed": 1},
    ]


def test_restore_shows_first_and_then_does_it(run: Run, project: Path) -> None:
    event = made(run)
    assert run("checkpoint", "restore", event) == (0, "", f"Nothing to do: {project} is so already.\n")
    (project / "src" / "a.py").write_text("a = 2\n")
    (project / "new").write_text("new\n")
    steps = "write   src/a.py\ndelete  new\n"
    said = f"Nothing was changed in {project}. To do it, give the same with --yes\n"
    assert run("checkpoint", "restore", event) == (0, steps, said)
    assert (project / "new").exists()
    code, out, err = run("checkpoint", "restore", event, "--yes")
    assert (code, out, err[:21]) == (0, steps, "To take it back: ledg")
    assert (project / "src" / "a.py").read_text() == "a = 1\n"
    assert not (project / "new").exists()
    back = err.split()[-2]
    assert json.loads(run("checkpoint", "restore", back, "--yes", "--json").out)["write"] == ["new", "src/a.py"]
    assert (project / "src" / "a.py").read_text() == "a = 2\n"


def test_what_is_not_saved_and_not_in_the_checkpoint_stays_and_is_named(run: Run, project: Path) -> None:
    (project / "a.key").write_text("then\n")
    event = made(run)
    (project / "a.key").write_text("now\n")
    (project / ".env").write_text("A=1\n")
    (project / "new").write_text("new\n")
    assert run("checkpoint", "restore", event, "--yes").out == "delete  new\nkeep    .env\nkeep    a.key\n"
    assert (project / "a.key").read_text() == "now\n"
    assert (project / ".env").exists()


def test_long_lists_are_cut_short_for_people(run: Run, project: Path) -> None:
    for number in range(50):
        (project / f"{number:02}.key").write_text("x")
    event = made(run)
    assert run("checkpoint", "show", event).out.endswith(
        "  left out 39.key (1 B): its name is that of a secret\n  … and 10 more; --json names all\n"
    )
    for number in range(41):
        (project / f"{number:02}.txt").write_text("x")
    shown = run("checkpoint", "restore", event).out.splitlines()
    assert shown[39:42] == ["delete  39.txt", "delete  … and 1 more; --json names all", "keep    00.key"]


def test_a_path_is_seen_from_where_one_stands(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = made(run)
    (project / "src" / "a.py").write_text("a = 2\n")
    (project / "plan").write_text("other\n")
    monkeypatch.chdir(project / "src")
    assert run("checkpoint", "restore", event, "a.py").out == "write   src/a.py\n"
    assert run("checkpoint", "restore", event, ".").out == "write   src/a.py\n"
    assert run("checkpoint", "restore", event, "..").out == "write   plan\nwrite   src/a.py\n"


def test_what_no_checkpoint_saves_is_named_and_refused(run: Run, project: Path) -> None:
    event = made(run)
    (project / ".git" / "info" / "exclude").write_text("plan\n")
    (project / "plan").write_text("precious\n")
    code, out, err = run("checkpoint", "restore", event)
    assert (code, out) == (4, "blocked plan: its present content is not saved\n")
    assert err == "Nothing was changed, nor would it be: move these away, or name the PATHs that you want back.\n"
    code, out, err = run("checkpoint", "restore", event, "--yes")
    assert (code, out) == (4, "")
    assert err == (
        "error: some files would be overwritten for good:\n  plan: its present content is not saved\n"
        "  hint: move them away, or name the PATHs that you want back without them\n"
    )
    assert (project / "plan").read_text() == "precious\n"


def test_it_goes_into_another_folder(run: Run, project: Path, home: Path) -> None:
    event = made(run)
    answer = json.loads(run("checkpoint", "restore", event, "src", "--to", str(home / "copy"), "--yes", "--json").out)
    assert answer == {
        "done": True,
        "checkpoint": event,
        "path": str(home / "copy"),
        "write": ["src/a.py"],
        "delete": [],
        "same": 0,
        "kept": [],
        "blocked": [],
        "before": None,
        "left": [],
    }
    assert (home / "copy" / "src" / "a.py").read_text() == "a = 1\n"


def test_another_event_is_refused(run: Run, project: Path) -> None:
    run("note", "hello")
    event = json.loads(run("log", "-n", "1", "--jsonl").out)["id"]
    assert run("checkpoint", "show", event) == (
        1,
        "",
        f"error: '{event}' is no checkpoint, but note.added\n  hint: `ledger checkpoint list` lists them\n",
    )


def test_the_page_of_json_lists_the_fields_of_every_answer(run: Run, project: Path) -> None:
    (project / ".env").write_text("A=1\n")
    event = made(run)
    (project / "src" / "a.py").write_text("a = 2\n")
    (project / ".git" / "info" / "exclude").write_text("plan\n")
    (project / "plan").write_text("precious\n")
    for heading, arguments in (
        ("checkpoint, checkpoint list", ["list"]),
        ("checkpoint show", ["show", event]),
        ("checkpoint diff", ["diff", event]),
        ("checkpoint restore", ["restore", event]),
        ("checkpoint restore", ["restore", event, "src", "--yes"]),
    ):
        answer = json.loads(run("checkpoint", *arguments, "--json").out)
        assert {name.removeprefix("[].") for name in fields(answer)} <= documented(heading) | {"[]"}
