"""Programs that manage git's hooks run theirs and ours, whichever was there first; each is tried where it is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.projects import Project, script

from ledger.actions.install_git import git_hooks_status, uninstall_git
from ledger.api import Ledger, open_ledger

ROOT = Path(__file__).resolve().parents[2]
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
FRAMEWORKS = ("pre-commit", "prek")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "project")
    script(made.hooks / "post-commit", "echo users >>ran")
    return made


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with open_ledger(project.layout.root) as opened:
        yield opened


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """The path of one that is installed."""
    monkeypatch.setenv("PATH", PATH)
    for name in ("PRE_COMMIT_HOME", "PREK_HOME"):
        monkeypatch.setenv(name, str(home / name))
    found = shutil.which(request.param, path=PATH)
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    return found


def configure(project: Project) -> None:
    entry = (
        "{id: x, name: x, entry: sh -c 'echo theirs >>ran', language: system, always_run: true, stages: [post-commit]}"
    )
    (project.root / ".pre-commit-config.yaml").write_text(
        f"default_install_hook_types: [post-commit]\nrepos: [{{repo: local, hooks: [{entry}]}}]\n"
    )
    project.git("add", ".pre-commit-config.yaml")


def install(program: str, project: Project, *arguments: str) -> None:
    subprocess.run([program, "install", *arguments], cwd=project.root, check=True, capture_output=True)


def ran(project: Project) -> list[str]:
    path = project.root / "ran"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def states(project: Project) -> set[str]:
    return {one.state for one in git_hooks_status(project.layout, project.root)}


def require_all_run(project: Project) -> None:
    project.commit("one")
    assert ran(project) == ["users", "theirs"]
    assert len(list(project.waiting())) == 1
    assert states(project) == {"installed"}


def test_a_framework_that_was_there_first_goes_on_and_is_restored(project: Project, framework: str) -> None:
    configure(project)
    install(framework, project)
    before = {path.name: path.read_bytes() for path in project.hooks.iterdir()}
    project.install()
    require_all_run(project)
    install(framework, project)
    require_all_run(project)
    uninstall_git(project.layout, project.root)
    assert {path.name: path.read_bytes() for path in project.hooks.iterdir()} == before


def test_a_framework_that_comes_later_takes_us_along(project: Project, framework: str) -> None:
    configure(project)
    before = (project.hooks / "post-commit").read_bytes()
    project.install()
    install(framework, project)
    require_all_run(project)
    project.install()
    require_all_run(project)
    uninstall_git(project.layout, project.root)
    subprocess.run([framework, "uninstall"], cwd=project.root, check=True, capture_output=True)
    assert (project.hooks / "post-commit").read_bytes() == before
    project.commit("two")
    assert ran(project) == ["users"]


def test_a_framework_that_comes_later_may_leave_first(project: Project, framework: str) -> None:
    configure(project)
    before = (project.hooks / "post-commit").read_bytes()
    project.install()
    install(framework, project)
    subprocess.run([framework, "uninstall"], cwd=project.root, check=True, capture_output=True)
    assert states(project) == {"installed"}
    uninstall_git(project.layout, project.root)
    assert (project.hooks / "post-commit").read_bytes() == before


def pretend_husky(project: Project) -> None:
    """As husky leaves a project: git is sent to stubs, which run the file of their own name one folder up."""
    stubs = project.root / ".husky" / "_"
    run_one_up = 'name=$(basename "$0"); up=$(dirname "$(dirname "$0")")/$name; [ ! -f "$up" ] || sh -e "$up" "$@"'
    script(stubs / "h", run_one_up)
    for hook in ("post-commit", "post-rewrite", "post-checkout", "post-merge", "pre-push", "pre-commit"):
        script(stubs / hook, '. "$(dirname "$0")/h"')
    (stubs / ".gitignore").write_text("*")
    (project.root / ".husky" / "pre-commit").write_text("echo theirs >>ran\n")
    project.git("config", "core.hooksPath", ".husky/_")


@pytest.fixture(params=["as it leaves a project", pytest.param("itself", marks=pytest.mark.slow)])
def husky(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> None:
    if request.param != "itself":
        pretend_husky(project)
        return
    program = of_npm("husky", tmp_path)
    subprocess.run([program], cwd=project.root, check=True)
    (project.root / ".husky" / "pre-commit").write_text("echo theirs >>ran\n")


def of_npm(name: str, folder: Path) -> Path:
    """A program of npm's; skips the test where it cannot be had."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = ["npm", "install", "--prefix", str(folder / "npm"), "--no-save", name]
    if subprocess.run(command, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip(f"{name} cannot be installed from here")
    return folder / "npm" / "node_modules" / ".bin" / name


@pytest.mark.usefixtures("husky")
def test_under_husky_the_shims_are_files_of_the_team(project: Project, ledger: Ledger) -> None:
    before = {str(path) for path in (project.root / ".husky").rglob("*")}
    project.install()
    assert states(project) == {"installed"}
    project.commit("one")
    assert ran(project) == ["theirs"]
    project.git("commit", "--quiet", "--amend", "-m", "two")
    kinds = [fact.type for fact in project.facts(ledger.place)]
    assert kinds == ["git.committed", "git.committed", "git.rewritten"]
    uninstall_git(project.layout, project.root)
    assert {str(path) for path in (project.root / ".husky").rglob("*")} == before


def test_husky_that_comes_later_is_told_and_mended(project: Project) -> None:
    before = {path.name: path.read_bytes() for path in project.hooks.iterdir()}
    project.install()
    pretend_husky(project)
    assert states(project) == {"missing"}
    project.install()
    assert states(project) == {"installed"}
    uninstall_git(project.layout, project.root)
    assert {path.name: path.read_bytes() for path in project.hooks.iterdir()} == before


def move_away(project: Project, words: str = "") -> None:
    """As lefthook puts its own in place: what was there gets another name, and is not run any more."""
    hook = project.hooks / "post-commit"
    hook.rename(project.hooks / "post-commit.old")
    script(hook, f"echo theirs >>ran {words}")


def test_a_program_that_moves_our_shim_away_is_told_and_mended(project: Project) -> None:
    users = (project.hooks / "post-commit").read_bytes()
    project.install()
    move_away(project)
    theirs = (project.hooks / "post-commit").read_bytes()
    (moved,) = [one for one in git_hooks_status(project.layout, project.root) if one.state != "installed"]
    assert (moved.name, moved.state, moved.path.name) == ("post-commit", "displaced", "post-commit.old")
    project.install()
    project.commit("one")
    assert ran(project) == ["theirs"]
    assert len(list(project.waiting())) == 1
    uninstall_git(project.layout, project.root)
    assert (project.hooks / "post-commit").read_bytes() == theirs
    assert (project.hooks / "post-commit.old").read_bytes() == users


def test_lefthook_is_left_alone_and_what_to_tell_it_is_said(project: Project) -> None:
    users = (project.hooks / "post-commit").read_bytes()
    project.install()
    move_away(project, "# call_lefthook")
    theirs = (project.hooks / "post-commit").read_bytes()
    (told,) = [one for one in project.install() if one.state != "installed"]
    assert (told.name, told.state) == ("post-commit", "refused")
    assert told.detail.endswith(
        "is lefthook's. Put this into lefthook.yml:\n"
        "post-commit:\n"
        "  commands:\n"
        "    ledger:\n"
        '      run: l="$(git rev-parse --git-common-dir)/ledger/git-hook"; [ ! -x "$l" ] || "$l" post-commit {0}\n'
        "      use_stdin: true\n"
    )
    assert (project.hooks / "post-commit").read_bytes() == theirs
    assert (project.hooks / "post-commit.old").read_bytes() == users
    assert states(project) == {"installed", "refused"}
    (project.root / "lefthook.yml").write_text(told.detail.partition("\n")[2])
    assert states(project) == {"installed"}


@pytest.mark.slow
def test_lefthook_itself_goes_on_and_runs_what_it_is_told(project: Project, ledger: Ledger, tmp_path: Path) -> None:
    program = str(of_npm("lefthook", tmp_path))
    settings = project.root / "lefthook.yml"
    settings.write_text("pre-push:\n  commands:\n    a:\n      run: echo theirs >>ran\n")
    project.install()
    install(program, project)
    (told,) = [one for one in project.install() if one.state != "installed"]
    settings.write_text(told.detail.partition("\n")[2] + "    a:\n      run: echo theirs >>ran\n")
    install(program, project)
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "bare")], check=True)
    project.git("push", "--quiet", f"file://{tmp_path}/bare", "main")
    assert ran(project) == ["theirs"]
    assert [fact.data["refs"] for fact in project.facts(ledger.place)] == [[f"{project.head()}:refs/heads/main"]]


def manifest() -> dict[str, dict[str, str]]:
    return {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def test_the_validating_hook_is_given_what_validate_knows_and_nothing_else() -> None:
    files = re.compile(manifest()["ledger-validate"]["files"])
    known = ["ledger/policy.yaml", ".ledger/config.toml", "a/ledger/context/b/c.yaml", "ledger/sessions/x/session.yaml"]
    assert [path for path in known if not files.search(path)] == []
    foreign = ["policy.yaml", "ledger/accounts.yaml", "context/a.yaml", "ledger/context/a.md", "myledger/policy.yaml"]
    assert [path for path in foreign if files.search(path)] == []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository that offers our hooks, for frameworks to clone."""
    offered = tmp_path / "source"
    (offered / "hooks").mkdir(parents=True)
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", offered)
    shutil.copy(ROOT / "hooks" / "git.sh", offered / "hooks")
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "x"], ["tag", "v1"]):
        subprocess.run(["git", *arguments], cwd=offered, check=True)
    return offered


def test_the_linking_hook_names_the_session_of_an_agent(
    project: Project, framework: str, source: Path, ledger: Ledger
) -> None:
    session = ledger.session("claude-code", "abc")
    session.start(pid=os.getpid())
    (project.root / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {source}\n  rev: v1\n  hooks: [{{id: ledger-link}}]\n"
    )
    project.git("add", ".pre-commit-config.yaml")
    install(framework, project, "--hook-type", "prepare-commit-msg")
    project.commit("one")
    project.git("commit", "--quiet", "--amend", "--no-edit")
    assert project.git("log", "-1", "--format=%B") == f"one\n\nLedger-Session: {session.id}"


@pytest.mark.slow
def test_the_validating_hook_installs_and_refuses_what_is_not_valid(project: Project, framework: str) -> None:
    events = project.root / "ledger" / "events"
    events.mkdir(parents=True)
    (events / "a.yaml").write_text("type: note.added\ndata: {text: 5}\n")
    project.git("add", "ledger")
    command = [framework, "try-repo", str(ROOT), "ledger-validate", "--all-files"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)
    if "Passed" not in done.stdout and "Failed" not in done.stdout:
        pytest.skip("the package cannot be installed from here")
    assert "ledger/events/a.yaml: invalid (note.added.v1)\n" in done.stdout
    assert done.returncode == 1
