"""The first minute: what `up` writes is what it shows, works, and is taken back by `down` to the byte."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.cli.test_pages import documented, fields

from ledger.recording.payloads.dialects import DIALECTS
from ledger.recording.registering import AGENTS

# Five ways in which people keep settings: with comments, in an order of their own, with hooks of others.
KEPT = {
    ".claude/settings.json": """\
{
  // what the whole team uses
  "model": "opus",
  "hooks": {
    "Stop": [
      { "hooks": [{ "type": "command", "command": "make check" }] }, // must stay the first
    ],
    "Notification": [],
  },
  "permissions": { "deny": ["Read(./.env)"], },
}
""",
    ".codex/hooks.json": '{"hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command","command":"true"}]}]}}',
    ".gemini/settings.json": '\ufeff{\r\n\t"theme": "Dracula",\r\n\t"hooks": {}\r\n}\r\n',
    ".cursor/hooks.json": '{\n    "version": 1,\n    "hooks": {"stop": [{"command": "./bye.sh"}]}\n}',
    ".factory/settings.json": '/* ours */ {\n  "b": 1, "a": [1, 2,],\n}\n\n',
}

NAMES = ("claude-code", "codex", "gemini", "cursor", "droid")
CLAUDES = DIALECTS["claude-code"].HOOKS


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git project in which Cursor has hooks of somebody's, and no agent's program on PATH."""
    tools = home / "bin"
    tools.mkdir()
    for name in ("git", "sh", "dd", "mv", "sync", "cat", "mkdir", "ls", "id", "od", "rm"):
        (tools / name).symlink_to(shutil.which(name) or "/bin/false")
    monkeypatch.setenv("PATH", str(tools))
    folder = home / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "-q"], check=True)
    furnish(folder, ".cursor/hooks.json")
    return folder


@pytest.fixture
def five(project: Path) -> Path:
    """The same with the settings of five agents."""
    furnish(project, *(name for name in KEPT if not (project / name).exists()))
    return project


def furnish(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir()
        path.write_bytes(KEPT[name].encode())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a project, git's own left out, with its mode."""
    return {
        f"{path.relative_to(folder)} {stat.S_IMODE(path.lstat().st_mode):o}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git/" not in str(path)
    }


def hooks_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / ".git" / "hooks").iterdir())}


def put_in(run: Run, *agents: str) -> None:
    """What `up` writes, and nothing tried: that takes most of its time."""
    run("init")
    assert run("hooks", "install", *agents, "git").code == 0


def test_down_leaves_everything_byte_for_byte_as_it_was_before_up(five: Path, run: Run) -> None:
    (five / ".cursor/hooks.json").chmod(0o600)
    before, shims = contents(five), hooks_folder(five)
    put_in(run, *NAMES)
    assert contents(five) != before
    assert stat.S_IMODE((five / ".cursor/hooks.json").stat().st_mode) == 0o600
    gone = run("down")
    assert gone.code == 0, gone.err
    assert contents(five) == before
    assert hooks_folder(five) == shims
    assert not (five / ".git/ledger/installed.json").exists()
    assert not (five / ".git/ledger/hook").exists()


def test_up_says_that_it_records_only_once_every_hook_has_arrived(project: Path, run: Run) -> None:
    furnish(project, ".codex/hooks.json")
    assert run("up", "--yes") == (
        0,
        "codex        .codex/hooks.json   written  10 of 10 hooks arrived\n"
        "cursor       .cursor/hooks.json  written  10 of 10 hooks arrived\n",
        "git          installed: post-commit, post-checkout, post-merge, post-rewrite, pre-push\n"
        "Codex runs no hook that its user has not trusted (codex is not on PATH): "
        "start codex in this project, trust the folder, then trust the hooks: /hooks\n"
        f"Recording codex, cursor in {project}, from each one's next start on.\n",
    )
    assert not list((project / ".git/ledger/spool/new").iterdir())
    assert [json.loads(line)["type"] for line in run("log", "--jsonl").out.splitlines()] == ["ledger.created"]


def test_up_again_changes_nothing(project: Path, run: Run) -> None:
    put_in(run, "cursor")
    before = contents(project)
    again = json.loads(run("up", "--yes", "--json").out)
    assert contents(project) == before
    assert [one["changed"] for one in again["files"]] == [False]
    assert again["recording"] is True
    assert run("down").code == 0
    assert contents(project).keys() == {".cursor/hooks.json 644"}


FINDS = """\
exec sh -c 'd=${CLAUDE_PROJECT_DIR:-$PWD}; \
until [ -e "$d/.git" ] || [ -e "$d/.ledger" ] || [ "$d" = "${d%/*}" ]; do d=${d%/*}; done; \
g=$d/.git; [ -f "$g" ] && read -r _ g <"$g" && case $g in /*) ;; *) g=$d/$g;; esac; \
c=.; [ -f "$g/commondir" ] && read -r c <"$g/commondir"; case $c in /*) g=$c;; *) g=$g/$c;; esac; \
h=${LEDGER_DIR:-$g/ledger}/hook; [ -e "$h" ] || h=$d/.ledger/hook; \
[ -x "$h" ] && [ -O "$h" ] && exec "$h" "$@"; exit 0' ledger AGENT EVENT"""


def test_a_dry_run_shows_all_that_would_be_written_each_command_once_and_writes_nothing(
    project: Path, run: Run
) -> None:
    furnish(project, ".codex/hooks.json")
    own = project / ".git/hooks/post-commit"
    own.write_text("#!/bin/sh\n")
    before, shims = contents(project), hooks_folder(project)
    assert run("up", "--dry-run") == (
        0,
        f"""\
.git/ledger, the ledger: a new folder
.codex/hooks.json
  hooks  PreToolUse, SessionStart, UserPromptSubmit, PostToolUse, SubagentStart, SubagentStop, PreCompact, Stop, \
Interrupt, SessionEnd
.cursor/hooks.json
  hooks  stop, sessionStart, beforeSubmitPrompt, preToolUse, postToolUse, postToolUseFailure, subagentStart, \
subagentStop, preCompact, sessionEnd
Each hook runs: {FINDS}
.git/hooks
  hooks  post-commit, post-checkout, post-merge, post-rewrite, pre-push
  post-commit: the hook that is there becomes post-commit.before-ledger, and runs first
""",
        "",
    )
    assert (contents(project), hooks_folder(project)) == (before, shims)
    assert not (project / ".git/ledger").exists()


def test_a_dry_run_has_the_whole_text_for_programs(project: Path, run: Run) -> None:
    plan = json.loads(run("up", "--dry-run", "--json").out)
    put_in(run, "cursor")
    assert plan["files"][0]["after"] == (project / ".cursor/hooks.json").read_text()
    assert plan["created"] is True
    assert run("up", "--dry-run").out == (
        ".git/ledger, the ledger: is there\n.cursor/hooks.json: is as it should be\n.git/hooks: is as it should be\n"
    )


def test_nobody_is_asked_where_nobody_could_answer(project: Path, run: Run) -> None:
    before = contents(project)
    code, out, err = run("up")
    assert (code, out) == (2, "")
    assert err == (
        "error: nobody can be asked here, and nothing was written\n  hint: look with --dry-run, then: ledger up --yes\n"
    )
    assert contents(project) == before


def on_a_terminal(*arguments: str, typed: str) -> tuple[int, str]:
    """A command on a terminal of its own, with what somebody types there; its exit code and what the terminal shows."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ledger", *arguments], stdin=follower, stdout=follower, stderr=follower, close_fds=True
    ) as process:
        os.close(follower)
        os.write(leader, typed.encode())
        shown = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # nobody writes to it any more
                break
            shown += part
        os.close(leader)
        return process.wait(), shown.decode().replace("\r\n", "\n")


def test_on_a_terminal_it_shows_everything_and_asks(project: Path) -> None:
    before = contents(project)
    code, shown = on_a_terminal("up", typed="n\n")
    assert code == 1
    assert ".cursor/hooks.json" in shown
    assert "  hooks  stop, sessionStart, " in shown
    assert "Nothing was written." in shown
    assert contents(project) == before
    assert not (project / ".git/ledger").exists()


def test_on_a_terminal_past_sessions_are_offered(project: Path, home: Path, run: Run) -> None:
    shutil.rmtree(project / ".cursor")
    folder = home / ".claude/projects" / re.sub(r"[^A-Za-z0-9]", "-", str(project))
    folder.mkdir(parents=True)
    (folder / "s1.jsonl").write_text(
        '{"type":"user","uuid":"u1","parentUuid":null,"isSidechain":false,"sessionId":"s1","cwd":"/p",'
        '"version":"2.1.0","timestamp":"2026-11-20T10:00:00.000Z","message":{"role":"user","content":"hi"}}\n'
    )
    code, shown = on_a_terminal("up", typed="y\ny\n")
    assert code == 0, shown
    assert "Import 1 past session of this project?" in shown
    assert "prompt.submitted" in run("log").out


def test_purge_on_a_terminal_names_the_way_to_keep_a_copy_and_asks(project: Path, run: Run) -> None:
    run("init")
    code, shown = on_a_terminal("down", "--purge", typed="n\n")
    assert code == 1
    assert "Keep a copy first, if in doubt: ledger backup\n" in shown
    assert (project / ".git/ledger").exists()
    assert on_a_terminal("down", "--purge", typed="y\n")[0] == 0
    assert not (project / ".git/ledger").exists()


def test_settings_that_cannot_be_read_are_left_alone_and_named_and_others_recorded(project: Path, run: Run) -> None:
    furnish(project, ".gemini/settings.json")
    (project / ".gemini/settings.json").write_text('{"theme": }')
    done = run("up", "--yes")
    assert done.code == 1
    assert done.out == "cursor       .cursor/hooks.json  written  10 of 10 hooks arrived\n"
    assert (project / ".gemini/settings.json").read_text() == '{"theme": }'
    assert done.err == (
        f"gemini is left out: {project}/.gemini/settings.json cannot be changed:\n"
        "  line 1, column 11: a value is expected here\n"
        "  hint: nothing was written; mend the file, then try again\n"
        "git          installed: post-commit, post-checkout, post-merge, post-rewrite, pre-push\n"
        f"Recording cursor in {project}, from each one's next start on. Not recorded: gemini, as said above.\n"
    )


def test_where_the_only_agents_settings_cannot_be_read_up_says_no(project: Path, run: Run) -> None:
    (project / ".cursor/hooks.json").write_text("{")
    dry, done = run("up", "--dry-run"), run("up", "--yes")
    assert (dry.code, done.code) == (1, 1)
    assert dry.err.startswith(f"cursor is left out: {project}/.cursor/hooks.json cannot be changed:\n  line 1, ")
    assert done.err.startswith(dry.err)
    assert done.err.endswith("\nNot recorded: cursor, as said above.\n")


def test_what_others_change_meanwhile_is_kept_by_down(project: Path, run: Run) -> None:
    put_in(run, "cursor")
    path = project / ".cursor/hooks.json"
    path.write_text(path.read_text().replace('"./bye.sh"', '"./farewell.sh"'))
    assert run("down").code == 0
    assert path.read_text() == KEPT[".cursor/hooks.json"].replace("./bye.sh", "./farewell.sh")


def test_files_and_folders_that_up_made_are_gone_after_down(home: Path, project: Path, run: Run) -> None:
    (home / ".factory").mkdir()
    put_in(run, "droid")
    assert (project / ".factory/settings.json").exists()
    run("down")
    assert not (project / ".factory").exists()
    assert (home / ".factory").is_dir()


def test_down_goes_on_where_one_file_cannot_be_read_and_a_second_one_finishes(project: Path, run: Run) -> None:
    furnish(project, ".codex/hooks.json")
    put_in(run, "cursor", "codex")
    broken = project / ".codex/hooks.json"
    whole = broken.read_text()
    for text in (whole[:-2], "{"):  # with ours in it still, and without
        broken.write_text(text)
        code, _, err = run("down")
        assert code == 1
        assert err.startswith("error: .codex/hooks.json could not be changed, and keeps what is ours:\n  line ")
        assert err.endswith("  hint: put that right, then: ledger down\n")
        assert broken.read_text() == text
    assert (project / ".cursor/hooks.json").read_text() == KEPT[".cursor/hooks.json"]
    broken.write_text(whole)
    assert run("down").code == 0
    assert broken.read_text() == KEPT[".codex/hooks.json"]


@pytest.mark.parametrize("is_made_anew", [True, False])
def test_hooks_that_have_outlived_their_ledger_are_told_and_taken_out(
    five: Path, run: Run, *, is_made_anew: bool
) -> None:
    (five / ".claude/settings.json").unlink()
    (five / ".gemini/settings.json").write_text("{}")  # that an empty list of hooks stood there, nobody could tell
    before, shims = contents(five), hooks_folder(five)
    put_in(run, *NAMES)
    shutil.rmtree(five / ".git/ledger")
    told = run("hooks", "status")
    assert told.code == 1
    assert told.out.startswith(f"claude-code  .claude/settings.json   installed  {len(CLAUDES)} hooks\n")
    assert told.err.endswith(
        f"They do nothing: no ledger belongs to {five}. To record again: ledger up. To take them out: ledger down\n"
    )
    if is_made_anew:
        put_in(run, *NAMES)
    done = run("down")
    assert done.code == 0, done.err
    assert "claude-code  .claude/settings.json   deleted\n" in done.out
    assert (contents(five), hooks_folder(five)) == (before, shims)
    assert run("hooks", "status").code == (0 if is_made_anew else 3)


def test_settings_of_which_nobody_knows_who_made_them_are_left_empty_and_that_is_said(project: Path, run: Run) -> None:
    (project / ".cursor/hooks.json").write_text("{  }")
    put_in(run, "cursor")
    (project / ".git/ledger/installed.json").unlink()
    assert run("down").out.startswith("cursor  .cursor/hooks.json  taken out, and nothing else is in it\n")
    assert json.loads((project / ".cursor/hooks.json").read_text()) == {"version": 1}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_down_changes_nothing_where_the_ledger_cannot_be_written_and_finishes_once_it_can(
    project: Path, run: Run
) -> None:
    before = contents(project)
    put_in(run, "cursor")
    there, root = contents(project), str(project / ".git/ledger")
    subprocess.run(["/bin/mount", "--bind", root, root], check=True)
    try:
        subprocess.run(["/bin/mount", "-o", "remount,ro,bind", root], check=True)
        assert run("down") == (
            7,
            "",
            f"error: {root} cannot be written, and nothing was changed\n"
            "  hint: mount it for writing, or run as its owner; then try again\n",
        )
        assert contents(project) == there
    finally:
        subprocess.run(["/bin/umount", root], check=True)
    assert run("down").code == 0
    assert contents(project) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_down_does_what_it_can_where_files_refuse_and_says_what_is_left(project: Path, run: Run) -> None:
    before, shims = contents(project), hooks_folder(project)
    put_in(run, "cursor")
    folders = [str(project / ".cursor"), str(project / ".git/hooks")]
    for folder in folders:
        subprocess.run(["/bin/mount", "--bind", folder, folder], check=True)
        subprocess.run(["/bin/mount", "-o", "remount,ro,bind", folder], check=True)
    try:
        done = run("down", "--json")
        assert done.code == 1
        assert [one["path"] for one in json.loads(done.out)["left"]] == [f"{folders[0]}/hooks.json", folders[1]]
        assert done.err.count("could not be changed, and keeps what is ours:\n") == 2
        assert done.err.count("  hint: put that right, then: ledger down\n") == 2
        assert "LEDGER_DIR" not in done.err
    finally:
        for folder in folders:
            subprocess.run(["/bin/umount", folder], check=True)
    assert run("down").code == 0
    assert (contents(project), hooks_folder(project)) == (before, shims)


def test_purge_deletes_the_ledger_only_where_that_is_said(project: Path, run: Run) -> None:
    before = contents(project)
    put_in(run, "cursor")
    assert run("down", "--purge").code == 2
    assert (project / ".git/ledger").exists()
    assert run("down", "--purge", "--yes").code == 0
    assert not (project / ".git/ledger").exists()
    assert contents(project) == before


def test_a_teammate_without_a_ledger_notices_nothing(project: Path, run: Run, home: Path) -> None:
    """The command that a team shares, in a clone that has no ledger: silent, and done."""
    put_in(run, "cursor")
    clone = home / "clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    for command in commands(project / ".cursor/hooks.json"):
        assert str(project) not in command
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=clone,
            input=b"{}",
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"]},
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert not (clone / ".git/ledger").exists()


def commands(path: Path) -> list[str]:
    found = re.findall(r'"command": "((?:[^"\\]|\\.)*)"', path.read_text())
    return [text for one in found if "ledger" in (text := json.loads(f'"{one}"'))]


def test_a_linked_worktree_has_hooks_of_its_own_and_the_same_ledger(
    project: Path, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run(["git", "worktree", "add", "-q", str(home / "side")], check=True)
    (home / "side/.gemini").mkdir()
    monkeypatch.chdir(home / "side")
    done = json.loads(run("up", "--yes", "--json").out)
    assert done["ledger"] == str(project / ".git/ledger")
    assert [one["path"] for one in done["files"]] == [str(home / "side/.gemini/settings.json")]
    assert done["recording"] is True
    monkeypatch.chdir(project)
    assert run("down").code == 0
    assert not (home / "side/.gemini/settings.json").exists()


def test_a_project_without_git(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "plain"
    (folder / ".gemini").mkdir(parents=True)
    monkeypatch.chdir(folder)
    done = json.loads(run("up", "--yes", "--json").out)
    assert done["ledger"] == str(folder / ".ledger")
    assert done["recording"] is True
    assert done["git"] == []
    assert run("down", "--purge", "--yes").code == 0
    assert [path.name for path in folder.rglob("*")] == [".gemini"]


def test_where_no_agent_is_up_says_so(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = run("up", "--yes", "--json")
    assert json.loads(done.out)["recording"] is False
    assert done.err.endswith("No agent was found here. With one installed: ledger hooks install AGENT\n")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def test_local_writes_nothing_that_others_see(project: Path, run: Run, home: Path) -> None:
    (project / ".cursor").rename(project / ".claude")
    before = contents(project)
    done = json.loads(run("up", "--yes", "--local", "--json").out)
    assert [(one["agent"], one["scope"]) for one in done["files"]] == [
        ("claude-code", "local"),
        ("claude-code", "exclude"),
    ]
    assert done["git"] == []
    assert {name: data for name, data in contents(project).items() if "local" not in name} == before
    assert "local" not in git("status", "--short", "--untracked-files=all")
    assert json.loads((project / ".claude/settings.local.json").read_text())["statusLine"]["type"] == "command"
    run("down")
    assert contents(project) == before
    assert not any((home / agent.home).exists() for agent in AGENTS.values() if not agent.home.startswith(".config"))


def test_local_goes_to_the_users_own_settings_for_agents_that_have_none_of_one_clone(five: Path, run: Run) -> None:
    plan = json.loads(run("up", "--dry-run", "--local", "--json").out)
    assert [(one["agent"], one["scope"]) for one in plan["files"] if one["agent"] != "claude-code"] == [
        (name, "user") for name in NAMES[1:]
    ]


ANSWERS = [
    ("up", ["up", "--yes"]),
    ("hooks install", ["hooks", "install", "codex", "git"]),
    ("hooks status", ["hooks"]),
    ("doctor", ["doctor"]),
    ("pause, unpause", ["pause"]),
    ("statusline", ["statusline"]),
    ("hooks uninstall", ["hooks", "uninstall", "codex", "git"]),
    ("down", ["down"]),
]


def test_the_page_of_json_lists_the_fields_of_every_answer(project: Path, run: Run) -> None:
    furnish(project, ".codex/hooks.json")
    (project / ".cursor/hooks.json").write_text("{")
    for heading, arguments in ANSWERS:
        found = set(fields(json.loads(run(*arguments, "--json").out)))
        assert found - documented(heading) == set(), heading
        assert {name for name in documented(heading) - found if "[]" not in name} == set(), heading
