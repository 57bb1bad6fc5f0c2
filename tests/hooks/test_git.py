"""Real git in a project with a ledger: what it did is in the spool, and it never fails or waits for that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import TIME, Project, script

from ledger.actions.git_facts import hear_git
from ledger.api import Ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.storage.layout import Layout
from ledger.storage.spool import Fired, fired

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("dash", "bash", "busybox")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose git tells the ledger."""
    made = Project(tmp_path / "project")
    made.install()
    return made


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with open_ledger(project.layout.root) as opened:
        yield opened


def kinds(project: Project, ledger: Ledger) -> list[str]:
    return [draft.type for draft in project.facts(ledger.place)]


def test_a_commit_is_told_with_what_is_in_it(project: Project, ledger: Ledger) -> None:
    parent = project.head()
    commit = project.commit("feat: log in", name="src.py")
    (said,) = project.heard(ledger.place)
    (fact,) = said.heard.drafts
    assert (fact.type, fact.ref) == ("git.committed", f"commit:{commit}")
    assert fact.data == {
        "commit": commit,
        "branch": "main",
        "subject": "feat: log in",
        "parents": [parent],
        "files": ["src.py"],
    }
    assert said.heard.cwd == str(project.root)


def test_the_first_commit_has_no_parents(project: Project, ledger: Ledger) -> None:
    project.git("switch", "--quiet", "--orphan", "other")
    project.commit("alone")
    fact = project.facts(ledger.place)[-1]
    assert (fact.data["subject"], fact.data["parents"], fact.data["files"]) == ("alone", [], ["file"])


def test_an_amended_commit_is_linked_to_the_one_before(project: Project, ledger: Ledger) -> None:
    old = project.commit("wrong")
    project.git("commit", "--quiet", "--amend", "-m", "right")
    new = project.head()
    facts = project.facts(ledger.place)
    assert [(fact.type, fact.ref) for fact in facts] == [
        ("git.committed", f"commit:{old}"),
        ("git.committed", f"commit:{new}"),
        ("git.rewritten", f"rewrite:{old}:{new}"),
    ]
    assert facts[-1].data == {"by": "amend", "commits": [{"old": old, "new": new}]}


def test_after_a_rebase_every_commit_is_found_by_its_old_name(project: Project, ledger: Ledger) -> None:
    project.git("switch", "--quiet", "-c", "work")
    olds = [project.commit(f"w{n}", name=f"w{n}") for n in range(5)]
    project.git("switch", "--quiet", "main")
    project.commit("upstream", name="up")
    project.git("rebase", "--quiet", "main", "work")
    (fact,) = [fact for fact in project.facts(ledger.place) if fact.type == "git.rewritten"]
    news = project.git("rev-list", "--reverse", "main..work").split()
    assert fact.data["by"] == "rebase"
    assert fact.data["commits"] == [{"old": old, "new": new} for old, new in zip(olds, news, strict=True)]


def test_a_rebase_of_a_hundred_commits_is_one_rewriting(project: Project, ledger: Ledger) -> None:
    project.git("switch", "--quiet", "-c", "work")
    start = "from refs/heads/work^0\n"
    stream = "".join(
        f"commit refs/heads/work\ncommitter T <t@example.invalid> {n + 1} +0000\ndata 1\nw\n{'' if n else start}"
        f"M 100644 inline w{n}\ndata 1\nx\n"
        for n in range(100)
    )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=project.root, input=stream.encode(), check=True)
    project.git("reset", "--quiet", "--hard")
    project.git("switch", "--quiet", "main")
    project.commit("upstream", name="up")
    list(project.waiting())
    project.git("rebase", "--quiet", "main", "work")
    told = kinds(project, ledger)
    assert told.count("git.rewritten") == 1
    assert told.count("git.committed") == 100


def test_a_cherry_pick_is_a_commit(project: Project, ledger: Ledger) -> None:
    project.git("switch", "--quiet", "-c", "work")
    picked = project.commit("pick me", name="p")
    project.git("switch", "--quiet", "main")
    list(project.waiting())
    project.commit("before", name="q")
    project.git("cherry-pick", picked)
    facts = project.facts(ledger.place)
    assert [fact.type for fact in facts] == ["git.committed", "git.committed"]
    assert facts[-1].ref == f"commit:{project.head()}"


@pytest.mark.parametrize("way", [["--no-ff"], ["--ff-only"], ["--squash"]])
def test_a_merge_is_told(project: Project, ledger: Ledger, way: list[str]) -> None:
    project.git("switch", "--quiet", "-c", "work")
    project.commit("theirs", name="t")
    project.git("switch", "--quiet", "main")
    list(project.waiting())
    project.git("merge", "--quiet", "--no-edit", *way, "work")
    (fact,) = project.facts(ledger.place)
    assert fact.type == "git.merged"
    assert fact.data["commit"] == project.head()
    assert (fact.data["branch"], fact.data["squash"]) == ("main", way == ["--squash"])


def test_branches_that_are_checked_out_are_told_and_files_are_not(project: Project, ledger: Ledger) -> None:
    head = project.head()
    project.git("switch", "--quiet", "-c", "feature/ü")
    project.git("checkout", "--quiet", "--", "file")
    project.git("checkout", "--quiet", "--detach")
    facts = project.facts(ledger.place)
    assert [fact.data for fact in facts] == [
        {"commit": head, "branch": "feature/ü", "from": head},
        {"commit": head, "from": head},
    ]
    assert len({fact.ref for fact in facts}) == 2


def test_a_new_worktree_is_told_and_its_commits_too(project: Project, ledger: Ledger, tmp_path: Path) -> None:
    other = tmp_path / "other\nfolder"
    project.git("worktree", "add", "--quiet", "-b", "side", str(other))
    commit = project.commit("there", cwd=other)
    checked_out, committed = project.heard(ledger.place)
    assert "from" not in checked_out.heard.drafts[0].data
    assert (committed.heard.cwd, committed.heard.drafts[0].ref) == (str(other), f"commit:{commit}")


def test_a_push_is_told_and_arrives(project: Project, ledger: Ledger, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "bare")], check=True)
    project.git("remote", "add", "origin", f"file://{tmp_path}/bare")
    project.git("push", "--quiet", "origin", "main", "main:other")
    project.git("push", "--quiet", "origin", ":other")
    head = project.head()
    assert [fact.data for fact in project.facts(ledger.place)] == [
        {"remote": "origin", "refs": [f"{head}:refs/heads/main", f"{head}:refs/heads/other"]},
        {"remote": "origin", "refs": [":refs/heads/other"]},
    ]
    assert project.git(f"--git-dir={tmp_path}/bare", "rev-parse", "main") == head


def test_commits_past_the_hooks_that_may_refuse_are_told(project: Project, ledger: Ledger) -> None:
    (project.root / "message").write_text("from a file\n")
    project.git("commit", "--quiet", "--allow-empty", "--no-verify", "-F", "message")
    assert project.facts(ledger.place)[0].data["subject"] == "from a file"


def test_git_that_is_told_its_repository_by_the_environment_tells_the_right_ledger(
    project: Project, ledger: Ledger, tmp_path: Path
) -> None:
    other = Project(tmp_path / "another")
    other.install()
    leaked = {"GIT_DIR": str(project.root / ".git"), "GIT_WORK_TREE": str(other.root)}
    other.git("commit", "--quiet", "--allow-empty", "-m", "elsewhere", **leaked)
    assert list(other.waiting()) == []
    (fact,) = project.facts(ledger.place)
    assert fact.ref == f"commit:{project.head()}"


def test_nothing_of_gits_environment_reaches_the_ledger(project: Project, tmp_path: Path) -> None:
    script(project.layout.hook, f'env >"{tmp_path}/env"; cat >/dev/null')
    worktree = tmp_path / "other"
    project.git("worktree", "add", "--quiet", str(worktree))
    project.commit("one", cwd=worktree)
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert not names & set(project.git("rev-parse", "--local-env-vars").split())


def test_what_a_payload_says_of_the_environment_is_who_runs_git_alone(project: Project) -> None:
    project.commit("one", SECRET_TOKEN="planted", CODEX_SESSION_ID="c", LEDGER_AGENT="x", LEDGER_AGENT_SESSION="y z")
    (raw,) = project.waiting()
    assert b"planted" not in raw
    names = {line.split(b" ")[0].decode() for line in raw.splitlines() if line}
    assert names == {"git", "hook", "cwd", "head", "branch", "agent", "runner", "process"}
    assert b"\nagent x y z\nagent codex c\n" in raw


def told_head(project: Project) -> tuple[bytes, bytes]:
    """The head and the branch in the last payload."""
    values = dict(line.split(b" ", 1) for line in list(project.waiting())[-1].splitlines() if line)
    return values[b"head"], values.get(b"branch", b"")


def test_head_is_told_wherever_git_keeps_it(project: Project, tmp_path: Path) -> None:
    project.git("branch", "packed")
    project.git("pack-refs", "--all")
    project.git("switch", "--quiet", "packed")
    assert told_head(project) == (project.head().encode(), b"packed")
    project.git("symbolic-ref", "refs/heads/other-name", "refs/heads/packed")
    project.git("symbolic-ref", "HEAD", "refs/heads/other-name")
    project.commit("by another name")
    assert told_head(project)[0] == project.head().encode()
    project.git("switch", "--quiet", "--detach")
    assert told_head(project) == (project.head().encode(), b"")
    project.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    commit = project.commit("there", cwd=tmp_path / "side")
    assert told_head(project) == (commit.encode(), b"side")


def test_where_the_ledger_is_off_nothing_is_told_and_it_is_counted(project: Project) -> None:
    project.install(trailer=True)
    project.commit("one", LEDGER_OFF="1", LEDGER_SESSION="0199f3c2-0000-5000-8000-000000000000")
    assert list(project.waiting()) == []
    assert fired(project.layout) == {("git", "post-commit"): Fired(0, 1, 0)}
    assert project.git("log", "-1", "--format=%B") == "one"


BROKEN = {
    "no launcher": "rm hook",
    "a launcher that fails": "printf '#!/bin/sh\\nexit 9\\n' >hook",
    "a launcher of nothing": ": >hook",
    "a launcher for no interpreter": "printf '#!/nowhere\\n' >hook",
    "a launcher that hears nothing": "printf '#!/bin/sh\\nexec <&-\\n' >hook",
    "no program": "rm git-hook",
    "a program that fails": "printf '#!/bin/sh\\nexit 9\\n' >git-hook",
    "a program that is killed": "printf '#!/bin/sh\\nkill -9 $$\\n' >git-hook",
    "no ledger": "rm -rf ../ledger",
    "a file for a ledger": "rm -rf ../ledger; : >../ledger",
    "no spool": "rm -rf spool; : >spool",
}


@pytest.mark.parametrize("how", BROKEN)
def test_git_works_whatever_has_become_of_the_ledger(project: Project, tmp_path: Path, how: str) -> None:
    subprocess.run(["sh", "-c", BROKEN[how]], cwd=project.layout.root, check=True)
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "bare")], check=True)
    before = project.head()
    assert project.commit("one") != before
    assert project.git("commit", "--quiet", "--amend", "-m", "two") == ""
    assert project.git("switch", "--quiet", "-c", "b") == ""
    assert project.git("push", "--quiet", str(tmp_path / "bare"), "b") == ""


def test_a_hook_before_ours_reads_what_git_gives_and_may_refuse(project: Project, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "bare")], check=True)
    (project.hooks / "pre-push").unlink()
    script(project.hooks / "pre-push", f'cat >"{tmp_path}/given"; echo no >&2; exit 7')
    project.install()
    said = project.git("push", str(tmp_path / "bare"), "main", check=False)
    assert said.startswith("no\n")
    assert "error: failed to push" in said
    head = project.head()
    assert (tmp_path / "given").read_text() == f"refs/heads/main {head} refs/heads/main {'0' * 40}\n"
    assert list(project.waiting()) == []


def test_the_exit_code_of_a_hook_before_ours_is_gits(project: Project) -> None:
    (project.hooks / "post-checkout").unlink()
    script(project.hooks / "post-checkout", "exit 5")
    project.install()
    done = subprocess.run(["git", "switch", "--quiet", "-c", "b"], cwd=project.root, check=False)
    assert done.returncode == 1  # git's own, where this hook fails
    assert len(list(project.waiting())) == 1


def test_a_commit_by_a_child_of_an_agent_is_the_agents(project: Project, ledger: Ledger) -> None:
    agent = subprocess.Popen(
        ["sh", "-c", "read -r go; sh -c 'git commit --quiet --allow-empty -m done; true'; true"],
        cwd=project.root,
        stdin=subprocess.PIPE,
    )
    session = ledger.session("claude-code", "abc")
    session.start(pid=agent.pid)
    agent.communicate(b"go\n", timeout=60)
    (said,) = project.heard(ledger.place)
    assert (said.agent, said.session, said.heard.session) == ("claude-code", session.id, "abc")
    assert not said.heard.ends_turn


def test_the_nearest_of_two_agents_around_git_has_done_it(project: Project, ledger: Ledger) -> None:
    inner = "read -r go; git commit --quiet --allow-empty -m done; true"
    outer = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import subprocess; p = subprocess.Popen(['sh', '-c', {inner!r}]); print(p.pid, flush=True); p.wait()",
        ],
        cwd=project.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"CODEX_SESSION_ID": "outer"},
    )
    assert outer.stdout is not None
    ledger.session("codex", "outer").start(pid=outer.pid)
    ledger.session("claude-code", "inner").start(pid=int(outer.stdout.readline()))
    outer.communicate(b"go\n", timeout=60)
    (said,) = project.heard(ledger.place)
    assert (said.agent, said.heard.session) == ("claude-code", "inner")


def test_a_session_that_the_environment_names_has_done_it(project: Project, ledger: Ledger) -> None:
    session = ledger.session("claude-code", "abc")
    session.start(pid=os.getpid())
    other = ledger.session("aider", "x")
    other.note("on the roster, in no process that is known")
    project.commit("a", LEDGER_SESSION=other.id)
    project.commit("b", LEDGER_SESSION="x")
    project.commit("c", LEDGER_AGENT="aider", LEDGER_AGENT_SESSION="not heard of")
    project.commit("d", CODEX_SESSION_ID="c1")
    project.commit("e", LEDGER_SESSION="nobody")
    told = [(said.agent, said.heard.session) for said in project.heard(ledger.place)]
    assert told == [("aider", "x"), ("aider", "x"), ("aider", "not heard of"), ("codex", "c1"), ("claude-code", "abc")]


def test_what_no_session_did_a_person_did(project: Project, ledger: Ledger) -> None:
    project.commit("a")
    (said,) = project.heard(ledger.place)
    assert (said.agent, said.session) == ("person", SessionId.of("person", ledger.place.person))
    assert said.heard.ends_turn


def test_a_session_that_is_drained_along_is_known_by_its_process(project: Project, ledger: Ledger) -> None:
    project.commit("a")
    (raw,) = project.waiting()
    said = hear_git(ledger.place, raw, TIME, {os.getpid(): ("claude-code", "new")})
    assert (said.agent, said.session) == ("claude-code", SessionId.of("claude-code", "new"))


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_tells_the_same(project: Project, ledger: Ledger, tmp_path: Path, shell: str) -> None:
    found = subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True, text=True, check=False).stdout
    if not found:
        pytest.skip(f"{shell} is not installed")
    first = f"#!{found.strip()}{' sh' if shell == 'busybox' else ''}"
    for path in (*project.hooks.iterdir(), project.layout.git_hook):
        path.write_text(path.read_text().replace("#!/bin/sh", first, 1))
    commit = project.commit("one")
    project.git("commit", "--quiet", "--amend", "-m", "two")
    facts = project.facts(ledger.place)
    assert facts[0].ref == f"commit:{commit}"
    assert [fact.type for fact in facts] == ["git.committed", "git.committed", "git.rewritten"]


def trailer_of(project: Project, rev: str = "HEAD") -> str:
    return project.git("log", "-1", "--format=%(trailers:key=Ledger-Session,valueonly)", rev)


def test_an_agents_commit_names_its_session_once(project: Project, ledger: Ledger) -> None:
    project.install(trailer=True)
    session = ledger.session("claude-code", "abc")
    session.start(pid=os.getpid())
    project.commit("one")
    assert trailer_of(project) == session.id
    project.git("commit", "--quiet", "--amend", "--no-edit")
    assert trailer_of(project) == session.id
    project.commit("two", LEDGER_SESSION="0199f3c2-0000-5000-8000-000000000000")
    assert trailer_of(project) == "0199f3c2-0000-5000-8000-000000000000"


def test_a_message_is_otherwise_as_it_was_written(project: Project, ledger: Ledger) -> None:
    project.install(trailer=True)
    session = ledger.session("claude-code", "abc")
    session.start(pid=os.getpid())
    (project.root / "message").write_text("subject\n\nbody\n\nSigned-off-by: A <a@example.invalid>\n")
    project.git("commit", "--quiet", "--allow-empty", "-F", "message")
    body = project.git("log", "-1", "--format=%B")
    assert body == f"subject\n\nbody\n\nSigned-off-by: A <a@example.invalid>\nLedger-Session: {session.id}"


def test_a_persons_commit_has_no_trailer(project: Project) -> None:
    project.install(trailer=True)
    project.commit("one")
    assert project.git("log", "-1", "--format=%B") == "one"


def test_an_empty_message_still_stops_a_commit(project: Project, ledger: Ledger) -> None:
    project.install(trailer=True)
    ledger.session("claude-code", "abc").start(pid=os.getpid())
    said = project.git("commit", "--allow-empty", check=False, GIT_EDITOR="true")
    assert "empty commit message" in said


def test_a_line_in_a_body_is_no_trailer(project: Project) -> None:
    project.git("commit", "--quiet", "--allow-empty", "-m", "x\n\nLedger-Session: forged\n\nand more words\n")
    assert trailer_of(project) == ""


def test_a_clone_without_a_ledger_is_not_bothered(project: Project, tmp_path: Path) -> None:
    project.git("clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    for path in project.hooks.iterdir():
        if not path.name.endswith(".sample"):
            (tmp_path / "clone" / ".git" / "hooks" / path.name).write_bytes(path.read_bytes())
            (tmp_path / "clone" / ".git" / "hooks" / path.name).chmod(0o755)
    assert project.git("commit", "--allow-empty", "-q", "-m", "x", cwd=tmp_path / "clone") == ""
    assert project.git("push", "-q", "origin", "HEAD:x", cwd=tmp_path / "clone") == ""


def test_a_project_that_was_moved_is_told_of_all_the_same(project: Project, tmp_path: Path) -> None:
    project.root = project.root.rename(tmp_path / "moved there")
    project.commit("after the move")
    assert [hook[1] for hook in fired(Layout(project.root / ".git" / "ledger"))] == ["post-commit"]
