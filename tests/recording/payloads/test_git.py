"""What git's hooks hand over is read as facts, whatever its refs and folders are called."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import schema
from ledger.errors import InvalidError
from ledger.recording.payloads.git import ProcessId, git_heard

TIME = "2026-11-22T15:13:04.123456Z"
OLD, NEW = "1" * 40, "2" * 40
ZERO = "0" * 40


def payload(hook: str, *lines: str, given: str = "") -> bytes:
    return "\n".join(["git 1", f"hook {hook}", *lines, "", given]).encode()


def facts(raw: bytes) -> list[tuple[str, dict[str, object], str]]:
    drafts = git_heard(raw, TIME).drafts
    for draft in drafts:
        assert draft.time == TIME
        assert not schema.explain(schema.schema(f"{draft.type}.v1"), draft.data)
    return [(draft.type, draft.data, draft.ref) for draft in drafts]


def test_a_commit_goes_by_its_own_name() -> None:
    assert facts(payload("post-commit", f"head {NEW}", "branch main")) == [
        ("git.committed", {"commit": NEW, "branch": "main"}, f"commit:{NEW}")
    ]


def test_a_commit_on_no_branch_names_none() -> None:
    assert facts(payload("post-commit", f"head {NEW}"))[0][1] == {"commit": NEW}


def test_a_checkout_says_from_where() -> None:
    raw = payload("post-checkout", f"argument {OLD}", f"argument {NEW}", "argument 1", "branch b", "runner 7:99")
    assert facts(raw) == [("git.checked-out", {"commit": NEW, "branch": "b", "from": OLD}, "checkout:7:99:0")]


def test_a_new_worktree_comes_from_nowhere() -> None:
    raw = payload("post-checkout", f"argument {ZERO}", f"argument {NEW}", "argument 1")
    assert facts(raw) == [("git.checked-out", {"commit": NEW}, "checkout:#")]


@pytest.mark.parametrize(("argument", "squash"), [("0", False), ("1", True)])
def test_a_merge_says_whether_it_squashed(argument: str, squash: bool) -> None:
    raw = payload("post-merge", f"argument {argument}", f"head {NEW}", "branch main", "runner 7:99")
    assert facts(raw) == [("git.merged", {"commit": NEW, "branch": "main", "squash": squash}, "merge:7:99:0")]


def test_a_rewriting_keeps_old_and_new_together() -> None:
    raw = payload("post-rewrite", "argument rebase", given=f"{OLD} {NEW}\n{NEW} {OLD} extra\n\n")
    pairs = [{"old": OLD, "new": NEW}, {"old": NEW, "new": OLD}]
    assert facts(raw) == [("git.rewritten", {"by": "rebase", "commits": pairs}, f"rewrite:{OLD}:{NEW}")]


def test_a_long_rewriting_is_told_in_parts_that_fit_into_events() -> None:
    names = [f"{n:064x}" for n in range(1, 602)]
    raw = payload("post-rewrite", "argument amend", given="".join(f"{a} {b}\n" for a, b in pairwise(names)))
    told = facts(raw)
    assert [len(data["commits"]) for _, data, _ in told] == [250, 250, 100]  # type: ignore[arg-type]
    assert len({ref for _, _, ref in told}) == 3
    assert all(len(str(data)) < 60_000 for _, data, _ in told)


def test_a_push_says_which_commit_went_where() -> None:
    given = f"refs/heads/a {NEW} refs/heads/b {OLD}\n(delete) {ZERO} refs/heads/c {OLD}\n"
    raw = payload("pre-push", "argument origin", "argument file:///x", "runner 7:99", given=given)
    refs = [f"{NEW}:refs/heads/b", ":refs/heads/c"]
    assert facts(raw) == [("git.pushed", {"remote": "origin", "refs": refs}, "push:7:99:0")]


def test_a_push_of_nothing_is_none() -> None:
    assert facts(payload("pre-push", "argument origin", "argument x", given="\n")) == []


@pytest.mark.parametrize(
    ("address", "recorded"),
    [
        ("https://me:secret@host/a@b.git", "https://host/a@b.git"),
        ("https://token@host", "https://host"),
        ("git@host:a/b.git", "git@host:a/b.git"),
    ],
)
def test_no_password_in_an_address_is_recorded(address: str, recorded: str) -> None:
    raw = payload("pre-push", f"argument {address}", given=f"x {NEW} refs/heads/a {OLD}")
    assert facts(raw)[0][1]["remote"] == recorded


def test_it_says_whose_session_it_may_be() -> None:
    heard = git_heard(
        payload(
            "post-commit", f"head {NEW}", "session me", "agent codex a b", "agent x", "process 12:34", "process no"
        ),
        TIME,
    )
    assert (heard.session, heard.agents) == ("me", (("codex", "a b"),))
    assert heard.processes == (ProcessId(12, "34"),)


def test_a_folder_with_a_line_end_in_its_name_is_one_value() -> None:
    assert git_heard(payload("post-commit", "cwd /a", " head x", f"head {NEW}"), TIME).cwd == "/a\nhead x"


def test_odd_bytes_become_text() -> None:
    assert (
        git_heard(payload("post-commit", f"head {NEW}").replace(b"head", b"branch \xff\xfe\nhead"), TIME)
        .drafts[0]
        .data["branch"]
        == "��"
    )


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        git_heard(b"git 2\nhook post-checkout\nargument x\n\n", TIME)
    assert [problem.path for problem in caught.value.problems] == ["git", "argument/0", "argument/1"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        b" x",
        payload("pre-commit"),
        payload("post-rewrite", "argument amend", given=OLD),
        payload("post-rewrite", "argument other", given=f"{OLD} {NEW}"),
        payload("pre-push", given="a b c d"),
    ],
)
def test_what_is_no_such_payload_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidError):
        git_heard(raw, TIME)


@given(st.binary(max_size=200), st.sampled_from(["post-commit", "post-checkout", "post-rewrite", "pre-push", "x"]))
def test_any_bytes_are_read_or_refused(rest: bytes, hook: str) -> None:
    with suppress(InvalidError):
        facts(f"git 1\nhook {hook}\n".encode() + rest)
