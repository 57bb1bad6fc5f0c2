"""Hooks put in, taken out and told of, one agent at a time; nothing else in their files moves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ledger.recording.payloads.dialects import DIALECTS
from ledger.recording.registering import AGENTS

SPLICED = [name for name, agent in AGENTS.items() if agent.entry is not None]


@pytest.fixture
def project(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git project with a ledger."""
    folder = home / "project"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert run("init").code == 0
    return folder


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agents_hooks_go_in_arrive_and_come_out(project: Path, run: Run, agent: str) -> None:
    path = project / AGENTS[agent].files["shared"]
    done = run("hooks", "install", agent)
    assert done.code == 0, done.err
    assert done.out == f"{agent:11}  {AGENTS[agent].files['shared']}  written\n"
    told = json.loads(run("hooks", "status", "--json").out)
    (one,) = told["files"]
    assert one["state"] == "installed"
    assert one["hooks"] == [hook.event for hook in DIALECTS[agent].HOOKS]
    checks = {check["name"]: check for check in json.loads(run("doctor", "--json").out)["checks"]}
    assert checks[f"{agent} hooks"]["ok"], checks
    assert run("hooks", "uninstall", agent).out == f"{agent}  {AGENTS[agent].files['shared']}  deleted\n"
    assert not path.parent.exists()


@pytest.mark.parametrize("agent", SPLICED)
def test_a_hook_stands_as_its_agent_takes_it(project: Path, run: Run, agent: str) -> None:
    run("hooks", "install", agent)
    text = json.loads((project / AGENTS[agent].files["shared"]).read_text())
    event = DIALECTS[agent].HOOKS[0].event
    (entry,) = text["hooks"][event]
    hook = entry if agent == "cursor" else entry["hooks"][0]
    assert f"ledger {agent} {event}" in hook["command"]
    seconds = DIALECTS[agent].HOOKS[0].seconds
    assert hook["timeout"] == (seconds * 1000 if agent == "gemini" else seconds)
    assert ("name" in hook) == (agent == "gemini")
    assert text.get("version") == (1 if agent == "cursor" else None)


def test_a_dry_run_writes_nothing(project: Path, run: Run) -> None:
    shown = run("hooks", "install", "claude-code", "--dry-run")
    assert shown.out.startswith(".claude/settings.json, a new file\n  hooks  SessionStart, UserPromptSubmit, ")
    assert not (project / ".claude").exists()
    run("hooks", "install", "claude-code")
    before = (project / ".claude/settings.json").read_bytes()
    assert run("hooks", "uninstall", "claude-code", "--dry-run").out == ".claude/settings.json: deleted\n"
    assert (project / ".claude/settings.json").read_bytes() == before
    assert run("hooks", "install", "claude-code", "--dry-run").out == ".claude/settings.json: is as it should be\n"


def test_no_agent_gets_its_hooks_twice(project: Path, run: Run, home: Path) -> None:
    run("hooks", "install", "codex")
    code, out, err = run("hooks", "install", "codex", "--user")
    assert (code, out) == (4, "")
    assert err == (
        f"error: codex would run every hook twice: {project}/.codex/hooks.json has ours already\n"
        "  hint: take those out first: ledger hooks uninstall codex\n"
    )
    assert not (home / ".codex").exists()


def test_an_agent_without_settings_of_one_clone_is_named(project: Path, run: Run) -> None:
    assert run("hooks", "install", "droid", "--local") == (
        2,
        "",
        "error: droid has no settings of one clone alone\n  hint: use --user, or the project's shared ones\n",
    )


def test_an_unknown_agent_is_refused_with_those_that_there_are(project: Path, run: Run) -> None:
    code, _, err = run("hooks", "install", "emacs")
    assert code == 2
    assert err.startswith("error: no such agent: emacs\n  hint: one of: claude-code, codex, gemini")


def test_two_files_at_once_are_refused(project: Path, run: Run) -> None:
    assert run("hooks", "install", "claude-code", "--local", "--user").code == 2


def test_a_link_out_of_the_project_is_not_followed(project: Path, run: Run, home: Path) -> None:
    (home / "elsewhere.json").write_text("{}")
    (project / ".claude").mkdir()
    (project / ".claude/settings.json").symlink_to(home / "elsewhere.json")
    code, _, err = run("hooks", "install", "claude-code")
    assert code == 4
    assert err.startswith(f"error: {project}/.claude/settings.json is a link that leads out of {project}: to ")
    assert (home / "elsewhere.json").read_text() == "{}"


def test_a_link_within_the_home_is_followed_and_stays_one(project: Path, run: Run, home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles/claude.json").write_text("{}\n")
    (home / ".claude").mkdir()
    (home / ".claude/settings.json").symlink_to(home / "dotfiles/claude.json")
    assert run("hooks", "install", "claude-code", "--user").code == 0
    assert (home / ".claude/settings.json").is_symlink()
    assert "ledger" in (home / "dotfiles/claude.json").read_text()
    assert run("hooks", "uninstall", "claude-code").code == 0
    assert (home / "dotfiles/claude.json").read_text() == "{}\n"


def test_a_file_that_should_be_wholly_ours_and_is_not_is_left(project: Path, run: Run) -> None:
    path = project / ".github/hooks/ledger.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    code, _, err = run("hooks", "install", "copilot-cli")
    assert code == 4
    assert err.startswith(f"error: {path} is there already, and not ours")
    assert path.read_text() == "{}"


def test_hooks_that_somebody_changed_are_told_and_mended(project: Path, run: Run) -> None:
    run("hooks", "install", "claude-code")
    path = project / ".claude/settings.json"
    asked = DIALECTS["claude-code"].HOOKS[0]
    text = path.read_text()
    path.write_text(text.replace(f'"timeout": {asked.seconds}', '"timeout": 1', 1))
    told = run("hooks", "status")
    assert f"  {asked.event} is not as it was installed\n" in told.out
    assert run("hooks", "install", "claude-code").code == 0
    assert path.read_text() == text


def test_hooks_that_a_team_has_committed_are_left_as_they_are(project: Path, run: Run) -> None:
    """Who finds them in a fresh clone has nothing to write, and `down` nothing to take back."""
    run("hooks", "install", "claude-code")
    path = project / ".claude/settings.json"
    committed = path.read_bytes()
    subprocess.run(["git", "add", "."], check=True)
    (project / ".git/ledger/installed.json").unlink()
    assert run("hooks", "install", "claude-code").out.endswith("as it was\n")
    done = run("down")
    assert path.read_bytes() == committed
    assert done.err.startswith(
        ".claude/settings.json keeps our hooks: they are in git, so they are the team's. "
        "To take them out: ledger hooks uninstall claude-code\n"
    )
    assert run("hooks", "uninstall", "claude-code").code == 0
    assert json.loads(path.read_text()) == {}


def test_the_line_is_put_in_only_where_nobody_has_one(project: Path, run: Run, home: Path) -> None:
    (home / ".claude").mkdir()
    (home / ".claude/settings.json").write_text('{"statusLine": {"type": "command", "command": "date"}}')
    run("hooks", "install", "claude-code", "--local")
    assert "statusLine" not in json.loads((project / ".claude/settings.local.json").read_text())


def test_the_line_runs_as_its_agent_runs_it(project: Path, run: Run) -> None:
    run("hooks", "install", "claude-code", "--local")
    line = json.loads((project / ".claude/settings.local.json").read_text())["statusLine"]["command"]
    ran = subprocess.run(["sh", "-c", line], input=b"{}", capture_output=True, check=False, cwd=project)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"ledger: 0 sessions\n", b"")


def test_without_any_hooks_the_way_to_them_is_told(project: Path, run: Run) -> None:
    assert run("hooks").err == "No agent's settings have our hooks. To put them there: ledger up\n"


def wrong(run: Run) -> list[str]:
    """What is wrong with hooks, by `hooks status`."""
    return [words for one in json.loads(run("hooks", "status", "--json").out)["files"] for words in one["wrong"]]


def test_hooks_that_are_missing_doubled_or_no_longer_used_are_told(project: Path, run: Run) -> None:
    run("hooks", "install", "claude-code")
    path = project / ".claude/settings.json"
    text = json.loads(path.read_text())
    first, second = (hook.event for hook in DIALECTS["claude-code"].HOOKS[:2])
    text["hooks"]["Retired"] = text["hooks"].pop(first)
    text["hooks"][second] *= 2
    path.write_text(json.dumps(text))
    assert wrong(run) == [
        f"{first} is missing",
        f"{second} stands there 2 times",
        "Retired is not used any more",
    ]
    assert json.loads(run("hooks", "status", "--json").out)["files"][0]["state"] == "drifted"


def test_the_same_hooks_in_two_files_are_told_of_both(project: Path, run: Run, home: Path) -> None:
    run("hooks", "install", "codex")
    (home / ".codex").mkdir()
    (home / ".codex/hooks.json").write_bytes((project / ".codex/hooks.json").read_bytes())
    assert wrong(run) == [
        f"the same hooks stand in {home}/.codex/hooks.json",
        f"the same hooks stand in {project}/.codex/hooks.json",
    ]


def test_a_file_of_our_own_that_somebody_changed_is_told_and_mended(project: Path, run: Run) -> None:
    run("hooks", "install", "copilot-cli", "opencode")
    for name in ("copilot-cli", "opencode"):
        path = project / AGENTS[name].files["shared"]
        path.write_text(path.read_text() + "\n")
    assert wrong(run) == ["the file is not as it was installed"] * 2
    assert run("hooks", "install", "copilot-cli", "opencode").code == 0
    assert wrong(run) == []


def test_settings_that_cannot_be_read_any_more_are_told_and_left(project: Path, run: Run) -> None:
    run("hooks", "install", "gemini")
    path = project / ".gemini/settings.json"
    path.write_text(path.read_text()[:-3])
    (state,) = (one["state"] for one in json.loads(run("hooks", "status", "--json").out)["files"])
    assert state == "unreadable"
    assert wrong(run)[0].startswith("our hooks still stand in it, but: line ")
    path.write_text('{"theme": ')
    assert wrong(run) == ["our hooks stood in it, but: line 1, column 11: a value is expected here"]
    path.write_text("{}")
    assert json.loads(run("hooks", "status", "--json").out)["files"] == []


def test_settings_that_are_not_utf_8_are_refused_with_the_place(project: Path, run: Run) -> None:
    path = project / ".gemini/settings.json"
    path.parent.mkdir()
    path.write_bytes(b'{"theme": "caf\xe9"}')
    code, out, err = run("hooks", "install", "gemini")
    assert (code, out) == (4, "")
    assert err == (
        f"error: {path} cannot be changed:\n  byte 14: is not UTF-8\n"
        "  hint: nothing was written; save the file as UTF-8, then try again\n"
    )


def test_a_ledger_that_nobody_finds_from_the_project_is_named_in_the_hooks(project: Path, run: Run, home: Path) -> None:
    run("init", "--ledger", str(home / "far"))
    assert run("hooks", "install", "cursor", "--ledger", str(home / "far")).code == 0
    assert f"{home}/far/hook cursor stop" in (project / ".cursor/hooks.json").read_text()
    checks = json.loads(run("doctor", "--json", "--ledger", str(home / "far")).out)["checks"]
    assert next(one for one in checks if one["name"] == "cursor hooks")["ok"]


def test_status_tells_of_broken_settings_and_of_hooks_that_do_nothing(project: Path, run: Run) -> None:
    run("hooks", "install", "gemini", "cursor", "git")
    path = project / ".gemini/settings.json"
    path.write_text("{ // broken\n" + path.read_text())
    (project / ".git/ledger/hook").unlink()
    assert run("hooks", "status") == (
        0,
        "gemini       .gemini/settings.json  unreadable  0 hooks\n"
        "  our hooks still stand in it, but: line 2, column 1: a key in double quotes is expected here\n"
        "cursor       .cursor/hooks.json     installed   10 hooks\n"
        "git          displaced: post-commit, post-checkout, post-merge, post-rewrite, pre-push "
        f"({project}/.git/ledger/hook is missing, so it does nothing: install it again)\n",
        f"They do nothing: {project}/.git/ledger/hook is not there. To record again: ledger up\n",
    )


def test_hooks_of_the_user_are_told_and_taken_out_where_no_ledger_is(
    project: Path, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("hooks", "install", "gemini", "--user")
    monkeypatch.chdir(home)  # as a project, it has the user's settings for its own
    assert run("hooks").out == f"gemini       .gemini/settings.json  installed  {len(DIALECTS['gemini'].HOOKS)} hooks\n"
    assert run("down") == (
        3,
        "",
        ".gemini/settings.json keeps our hooks: they count in every project. "
        "To take them out: ledger hooks uninstall gemini\n"
        f"error: no ledger belongs to {home}\n  hint: `ledger init` makes one for this project\n",
    )
    assert run("hooks", "uninstall", "gemini").code == 0
    assert not (home / ".gemini/settings.json").exists()
    assert run("hooks", "uninstall", "gemini").code == 3


def test_the_hook_of_ones_own_that_would_step_aside_is_named_before_it_does(project: Path, run: Run) -> None:
    (project / ".git/hooks/pre-push").write_text("#!/bin/sh\n")
    assert run("hooks", "install", "git", "--dry-run").out == (
        ".git/hooks\n"
        "  hooks  post-commit, post-checkout, post-merge, post-rewrite, pre-push\n"
        "  pre-push: the hook that is there becomes pre-push.before-ledger, and runs first\n"
    )
    run("hooks", "install", "git")
    assert (project / ".git/hooks/pre-push.before-ledger").read_text() == "#!/bin/sh\n"
    assert run("hooks", "uninstall", "git", "--dry-run").out == (
        ".git/hooks: taken out, post-commit, post-checkout, post-merge, post-rewrite, pre-push\n"
    )


def test_a_dry_run_names_what_programs_of_our_own_and_settings_of_one_clone_bring(project: Path, run: Run) -> None:
    whole = run("hooks", "install", "copilot-cli", "opencode", "--dry-run")
    assert whole.out.splitlines()[:4] == [
        ".github/hooks/ledger.json, a new file",
        f"  hooks  {', '.join(dict.fromkeys(hook.event for hook in DIALECTS['copilot-cli'].HOOKS))}",
        ".opencode/plugins/ledger.js, a new file",
        f"  hooks  {', '.join(hook.event for hook in DIALECTS['opencode'].HOOKS)}",
    ]
    assert whole.out.splitlines()[4].endswith(" ledger AGENT EVENT"), "the plugin runs no command"
    assert run("hooks", "install", "claude-code", "--local", "--dry-run").out == (
        ".claude/settings.local.json, a new file\n"
        f"  hooks     {', '.join(hook.event for hook in DIALECTS['claude-code'].HOOKS)}\n"
        "  settings  statusLine\n"
        ".git/info/exclude\n"
        "  line  # context-ledger: settings of this clone alone\n"
        "  line  /.claude/settings.local.json\n"
        """Each hook runs: exec sh -c 'h=$0; [ -x "$h" ] && [ -O "$h" ] && exec "$h" "$@"; exit 0' """
        f"{project}/.git/ledger/hook AGENT EVENT\n"
    )


def test_a_dry_run_of_down_shows_what_would_go_what_is_left_and_what_is_kept(project: Path, run: Run) -> None:
    run("hooks", "install", "claude-code", "gemini", "cursor", "git")
    subprocess.run(["git", "add", ".claude"], check=True)
    memory = project / ".git/ledger/installed.json"
    files = json.loads(memory.read_text())["files"]
    memory.write_text(json.dumps({"files": [one for one in files if one["agent"] != "claude-code"]}))
    (project / ".gemini/settings.json").write_text("{")
    before = {
        path: path.read_bytes() for path in project.rglob("*") if path.is_file() and "ledger.git" not in str(path)
    }
    assert run("down", "--dry-run") == (
        1,
        ".cursor/hooks.json: deleted\n"
        ".git/hooks: taken out, post-commit, post-checkout, post-merge, post-rewrite, pre-push\n",
        ".claude/settings.json keeps our hooks: they are in git, so they are the team's. "
        "To take them out: ledger hooks uninstall claude-code\n"
        "error: .gemini/settings.json could not be changed, and keeps what is ours:\n"
        "  line 1, column 2: a key in double quotes is expected here\n"
        "  hint: put that right, then: ledger down\n",
    )
    plan = json.loads(run("down", "--dry-run", "--json").out)
    assert [Path(one["path"]).parent.name for one in plan["files"] + plan["left"] + plan["kept"]] == [
        ".cursor",
        ".gemini",
        ".claude",
    ]
    assert [one["hook"] for one in plan["git"]][-1] == "pre-push"
    assert all(path.read_bytes() == data for path, data in before.items())


def test_a_linked_worktree_without_the_folder_that_codex_wants_is_shown_it_first(
    project: Path, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run(["git", "worktree", "add", "-q", str(home / "side")], check=True)
    run("hooks", "install", "codex")
    monkeypatch.chdir(home / "side")
    told = run("hooks", "status")
    assert told.out.startswith(
        f"codex        ~/project/.codex/hooks.json  installed  {len(DIALECTS['codex'].HOOKS)} hooks\n"
        f"  codex does not look into it here: {home}/side/.codex is missing\n"
    )
    assert told.err == f"Codex reads no hooks in this worktree: {home}/side/.codex is missing. To make it: ledger up\n"
    assert run("hooks", "install", "codex", "--dry-run").out == (
        f"~/project/.codex/hooks.json\n  folder  {home}/side/.codex: without it, hooks are not looked for here\n"
    )
    run("hooks", "install", "codex")
    assert run("hooks", "status").out.count("\n") == 2
    monkeypatch.chdir(project)
    run("hooks", "uninstall", "codex")
    assert not (home / "side/.codex").exists()
