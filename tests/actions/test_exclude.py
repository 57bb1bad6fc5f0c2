"""Settings of one clone alone stay out of `git status`, by a line that comes out again to the byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ledger.actions.exclude import exclusion, without
from ledger.actions.install import Target, Where, agent_named, carry_out, plan, target_of
from ledger.actions.uninstall import plan_removal, plan_undoing, take_out
from ledger.api import create_ledger
from ledger.storage.layout import Layout

LINE = b"# context-ledger: settings of this clone alone\n/.claude/settings.local.json\n"


@pytest.fixture
def where(home: Path) -> Where:
    """A git project with a ledger and one commit."""
    project = home / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    create_ledger(project / ".git/ledger")[0].close()
    where = Where(Layout(project / ".git/ledger"), project, home, {"PATH": ""})
    git(where, "commit", "-q", "--allow-empty", "-m", "x")
    return where


def git(where: Where, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(where.project), *arguments], check=True, capture_output=True, text=True
    ).stdout


def local(where: Where) -> Target:
    return target_of(where, agent_named("claude-code"), "local")


def install(where: Where) -> None:
    for change in [plan(where, local(where)), *exclusion(where, local(where))]:
        carry_out(where, change)


def undo(where: Where) -> None:
    for removal in plan_undoing(where).removals:
        take_out(where, removal)


def seen(where: Where) -> str:
    return git(where, "status", "--short", "--untracked-files=all")


@pytest.mark.parametrize("before", [None, b"", b"*.log", b"*.log\n", b"\xef\xbb\xbf*.log\r\n!/.claude/x\r\n"])
def test_the_line_goes_in_and_comes_out_to_the_byte(where: Where, before: bytes | None) -> None:
    path = where.project / ".git/info/exclude"
    path.unlink()
    if before is None:
        path.parent.rmdir()
    else:
        path.write_bytes(before)
    install(where)
    assert path.read_bytes().replace(LINE, b"") == (before or b"")
    assert seen(where) == ""
    undo(where)
    assert (path.read_bytes() if path.exists() else None) == before
    assert path.parent.exists() == (before is not None)


def test_what_others_added_to_the_list_meanwhile_stays(where: Where) -> None:
    path = where.project / ".git/info/exclude"
    before = path.read_bytes()
    install(where)
    path.write_bytes(b"/first\n" + path.read_bytes() + b"/last")
    undo(where)
    assert path.read_bytes() == b"/first\n" + before + b"/last"


def test_a_ledger_that_has_lost_its_memory_finds_the_line(where: Where) -> None:
    path = where.project / ".git/info/exclude"
    before = path.read_bytes()
    install(where)
    where.layout.installed.unlink()
    undo(where)
    assert path.read_bytes() == before
    assert not local(where).path.exists()


def test_putting_hooks_in_again_adds_no_second_line(where: Where) -> None:
    install(where)
    assert exclusion(where, local(where)) == []


def test_no_line_is_written_where_a_rule_ignores_the_file_or_git_tracks_it(where: Where) -> None:
    (where.project / ".gitignore").write_text("*.local.json\n")
    assert exclusion(where, local(where)) == []
    (where.project / ".gitignore").unlink()
    local(where).path.parent.mkdir()
    local(where).path.write_text("{}")
    git(where, "add", ".claude")
    assert exclusion(where, local(where)) == []


def test_settings_that_a_team_shares_and_projects_without_git_need_no_line(where: Where, tmp_path: Path) -> None:
    assert exclusion(where, target_of(where, agent_named("claude-code"), "shared")) == []
    assert exclusion(where._replace(project=tmp_path), local(where)) == []


def test_the_line_stays_for_as_long_as_one_worktree_needs_it(where: Where) -> None:
    git(where, "worktree", "add", "-q", str(where.home / "side"))
    side = where._replace(project=where.home / "side")
    path = where.project / ".git/info/exclude"
    before = path.read_bytes()
    install(where)
    install(side)
    assert (seen(where), seen(side)) == ("", "")
    for one in plan_removal(where, "claude-code"):
        take_out(where, one)
    assert seen(side) == ""
    for one in plan_removal(side, "claude-code"):
        take_out(side, one)
    assert path.read_bytes() == before


def test_only_our_lines_are_taken_out_of_a_list() -> None:
    assert without(b"a\n" + LINE + b"b\n" + LINE) == b"a\nb\n"
    assert without(b"/.claude/settings.local.json\n") == b"/.claude/settings.local.json\n"
