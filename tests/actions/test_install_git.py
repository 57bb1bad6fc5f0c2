"""Shims are put among git's hooks and taken out again, and nobody else's hook is lost or left out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.projects import Project, script

from ledger.actions.install_git import HOOKS, GitHook, git_hooks_status, install_git, uninstall_git
from ledger.storage.layout import Layout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def states(told: Sequence[GitHook]) -> dict[str, str]:
    return {one.name: one.state for one in told}


def listing(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}


def all_are(state: str) -> dict[str, str]:
    return dict.fromkeys(HOOKS, state)


def status(project: Project) -> dict[str, str]:
    return states(git_hooks_status(project.layout, project.root))


def test_what_is_installed_is_told_and_taken_out_without_a_trace(project: Project) -> None:
    before = listing(project.hooks)
    assert status(project) == all_are("missing")
    assert states(project.install()) == all_are("installed")
    assert status(project) == all_are("installed")
    assert states(uninstall_git(project.layout, project.root)) == all_are("removed")
    assert listing(project.hooks) == before
    assert not project.layout.git_hook.exists()
    assert uninstall_git(project.layout, project.root) == []


def test_installing_again_changes_nothing(project: Project) -> None:
    project.install()
    before = {path: path.stat().st_mtime_ns for path in [*project.hooks.iterdir(), project.layout.git_hook]}
    project.install()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_shim_names_no_path_of_this_machine(project: Project) -> None:
    project.install(trailer=True)
    for path in project.hooks.iterdir():
        if not path.name.endswith(".sample"):
            assert str(project.root).encode() not in path.read_bytes()
            assert os.fsencode(Path.home()) not in path.read_bytes()


def test_the_folder_of_hooks_is_made_where_there_is_none(project: Project) -> None:
    shutil.rmtree(project.hooks)
    assert states(project.install()) == all_are("installed")


def test_all_worktrees_share_the_shims(project: Project, tmp_path: Path) -> None:
    project.install()
    project.git("worktree", "add", "--quiet", str(tmp_path / "other"))
    assert states(git_hooks_status(project.layout, tmp_path / "other")) == all_are("installed")
    assert states(uninstall_git(project.layout, tmp_path / "other")) == all_are("removed")
    assert status(project) == all_are("missing")


def test_a_hook_that_was_there_runs_first_and_comes_back_to_the_byte(project: Project) -> None:
    script(project.hooks / "post-commit", 'echo theirs "$@" >>ran')
    (project.hooks / "post-commit").chmod(0o750)
    before = listing(project.hooks)
    project.install()
    project.commit("one")
    assert (project.root / "ran").read_text() == "theirs\n"
    assert len(list(project.waiting())) == 1
    uninstall_git(project.layout, project.root)
    assert listing(project.hooks) == before


def test_a_hook_that_git_passed_over_is_still_passed_over(project: Project) -> None:
    script(project.hooks / "post-commit", "touch ran").chmod(0o644)
    before = listing(project.hooks)
    project.install()
    project.commit("one")
    assert not (project.root / "ran").exists()
    assert len(list(project.waiting())) == 1
    uninstall_git(project.layout, project.root)
    assert listing(project.hooks) == before


def test_a_hook_that_is_a_link_stays_one(project: Project) -> None:
    script(project.root / "theirs", "touch ran")
    (project.hooks / "post-commit").symlink_to("../../theirs")
    project.install()
    project.commit("one")
    assert (project.root / "ran").exists()
    uninstall_git(project.layout, project.root)
    assert (project.hooks / "post-commit").readlink() == Path("../../theirs")


@pytest.mark.parametrize("text", ['exec "$(basename "$0")"', "n=${0##*/}", "\0elf"])
def test_a_hook_that_asks_for_its_name_is_left_alone(project: Project, text: str) -> None:
    script(project.hooks / "post-commit", text)
    before = listing(project.hooks)["post-commit"]
    told = {one.name: one for one in project.install()}["post-commit"]
    assert told.state == "refused"
    assert 'ledger/git-hook"; [ ! -x "$l" ] || "$l" post-commit "$@"' in told.detail
    assert listing(project.hooks)["post-commit"] == before
    assert status(project)["post-commit"] == "refused"


def test_the_line_that_is_proposed_does_what_a_shim_does(project: Project) -> None:
    script(project.hooks / "post-commit", "n=${0##*/}")
    told = {one.name: one for one in project.install()}["post-commit"]
    script(project.hooks / "post-commit", "n=${0##*/}\n" + told.detail.partition("at its end: ")[2])
    project.commit("one")
    assert len(list(project.waiting())) == 1
    assert states(project.install()) == status(project) == all_are("installed")


def test_a_shim_that_somebody_changed_is_left(project: Project) -> None:
    project.install()
    shim = project.hooks / "post-commit"
    shim.write_text(shim.read_text() + "echo mine\n")
    changed = shim.read_bytes()
    assert status(project)["post-commit"] == "changed"
    assert states(project.install())["post-commit"] == "changed"
    assert states(uninstall_git(project.layout, project.root)) == all_are("removed") | {"post-commit": "left"}
    assert shim.read_bytes() == changed
    assert project.layout.git_hook.exists()


def test_two_hooks_that_claim_one_place_are_both_left(project: Project) -> None:
    script(project.hooks / "post-commit", "one")
    script(project.hooks / "post-commit.before-ledger", "two")
    before = listing(project.hooks)
    assert states(project.install())["post-commit"] == "refused"
    assert {name: listing(project.hooks)[name] for name in before} == before


def test_a_shim_that_may_not_run_is_told_and_mended(project: Project) -> None:
    project.install()
    (project.hooks / "post-merge").chmod(0o644)
    assert status(project) == all_are("installed") | {"post-merge": "displaced"}
    project.install()
    assert status(project) == all_are("installed")


def test_shims_without_a_launcher_are_told(project: Project) -> None:
    project.install()
    project.layout.hook.unlink()
    assert status(project) == all_are("displaced")


def test_the_trailer_comes_only_where_it_is_wished_for(project: Project) -> None:
    trailer = project.hooks / "prepare-commit-msg"
    project.install()
    assert not trailer.exists()
    assert states(project.install(trailer=True)) == all_are("installed") | {"prepare-commit-msg": "installed"}
    project.install()
    assert trailer.exists()
    assert states(project.install(trailer=False))["prepare-commit-msg"] == "removed"
    assert not trailer.exists()
    project.layout.config.write_text("[git]\ntrailer = true\n")
    assert status(project)["prepare-commit-msg"] == "missing"
    project.install()
    assert trailer.exists()


def test_hooks_that_other_projects_share_are_never_written(project: Project, tmp_path: Path) -> None:
    shared = tmp_path / "everybody"
    script(shared / "post-commit", "true")
    project.git("config", "core.hooksPath", str(shared))
    before = listing(shared)
    for told in (project.install(), git_hooks_status(project.layout, project.root)):
        assert states(told) == all_are("refused")
        assert f"core.hooksPath is {shared}, outside of the project" in told[0].detail
    assert uninstall_git(project.layout, project.root) == []
    assert listing(shared) == before


def test_hooks_that_other_projects_share_can_be_told_by_hand(project: Project, tmp_path: Path) -> None:
    project.git("config", "core.hooksPath", str(tmp_path / "everybody"))
    told = project.install()[0]
    script(
        tmp_path / "everybody" / "post-commit", told.detail.partition("into yours: ")[2].replace("HOOK", "post-commit")
    )
    project.commit("one")
    assert len(list(project.waiting())) == 1
    expected = all_are("refused") | {"post-commit": "installed"}
    assert states(project.install()) == status(project) == expected


def test_a_path_of_the_users_own_settings_counts(project: Project, home: Path) -> None:
    (home / ".gitconfig").write_text("[core]\n\thooksPath = ~/hooks\n")
    told = git_hooks_status(project.layout, project.root)
    assert told[0].path == home / "hooks" / "post-commit"
    assert told[0].state == "refused"


def test_a_folder_of_hooks_that_leads_out_of_the_project_is_outside(project: Project, tmp_path: Path) -> None:
    shutil.rmtree(project.hooks)
    (tmp_path / "elsewhere").mkdir()
    project.hooks.symlink_to(tmp_path / "elsewhere")
    assert states(project.install()) == all_are("refused")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_hooks_that_the_team_shares_get_a_shim_each_but_none_is_replaced(project: Project) -> None:
    script(project.root / ".githooks" / "pre-push", "true")
    project.git("config", "core.hooksPath", ".githooks")
    before = listing(project.root / ".githooks")
    told = {one.name: one for one in project.install()}
    assert states(list(told.values())) == all_are("installed") | {"pre-push": "refused"}
    assert "is the team's. Put this at its end: " in told["pre-push"].detail
    project.commit("one")
    assert len(list(project.waiting())) == 1
    uninstall_git(project.layout, project.root)
    assert listing(project.root / ".githooks") == before


def test_shims_in_a_folder_that_git_no_longer_asks_are_taken_out_too(project: Project) -> None:
    before = listing(project.hooks)
    project.install()
    project.git("config", "core.hooksPath", ".githooks")
    project.install()
    uninstall_git(project.layout, project.root)
    assert listing(project.hooks) == before
    assert list((project.root / ".githooks").iterdir()) == []


def test_a_ledger_elsewhere_is_not_found_by_hooks_and_says_so(project: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    told = install_git(Layout(tmp_path / "elsewhere"), project.root)
    assert states(told) == all_are("refused")
    assert "and this one is in" in told[0].detail


def test_outside_of_git_there_is_nothing_to_install(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "ledger")
    assert install_git(layout, tmp_path) == git_hooks_status(layout, tmp_path) == uninstall_git(layout, tmp_path) == []
