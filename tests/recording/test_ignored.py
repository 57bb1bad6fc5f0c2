"""What `.ledgerignore` names is kept by name alone: neither events nor transcripts hold its contents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.recording import ignored
from ledger.recording.adapter import Draft
from ledger.recording.ignored import LEFT_OUT, Screen, covering, without_contents

LINES = ["*.env", "!example.env", "private/", "/build"]
COVERS = covering(LINES, ["/home/dev/project"])
SECRET = "hunter2 is the word"


def tool(kind: str = "tool.completed", **data: Any) -> Draft:
    return Draft(kind, "2026-11-22T15:13:04.000000Z", {"tool": "t", "call": "c", **data}, "tool:c", "s")


@pytest.mark.parametrize(
    ("path", "is_covered"),
    [
        ("a.env", True),
        ("./deep/a.env", True),
        ("/home/dev/project/a.env", True),
        ("example.env", False),
        ("private/key", True),
        ("src/private/key", True),
        ("build/out", True),
        ("src/build/out", False),
        ("/etc/a.env", False),
        ("", False),
        ("a\nb.env", False),
        ("x" * 2_000 + ".env", False),
    ],
)
def test_paths_are_covered_as_git_ignores_them(path: str, *, is_covered: bool) -> None:
    assert COVERS(path) is is_covered


@pytest.mark.parametrize(
    "given",
    [
        {"file_path": "/home/dev/project/a.env", "content": SECRET},
        {"file_path": "with a space.env", "content": SECRET},
        {"command": f"cat private/key # {SECRET}"},
        {"command": "*** Begin Patch\n*** Update File: a.env\n@@\n+" + SECRET},
        {"command": ["bash", "-lc", f"echo '{SECRET}' > a.env"]},
    ],
)
@pytest.mark.parametrize("kind", ["tool.completed", "tool.failed"])
def test_a_call_that_names_such_a_path_is_kept_without_contents(kind: str, given: dict[str, Any]) -> None:
    told = "error" if kind == "tool.failed" else "output"
    kept = without_contents(tool(kind, input=given, exit_code=0, **{told: SECRET}), COVERS)
    assert SECRET not in json.dumps(kept.data)
    assert kept.data[told] == LEFT_OUT
    assert kept.data["exit_code"] == 0
    assert (kept.type, kept.ref) == (kind, "tool:c")
    if "file_path" in given:
        assert kept.data["input"] == {"file_path": given["file_path"]}


def test_a_call_is_known_by_the_files_it_wrote_too() -> None:
    kept = without_contents(tool(files=["a.env"], input={"x": 1}, output=SECRET), COVERS)
    assert kept.data == {"tool": "t", "call": "c", "files": ["a.env"], "input": {}, "output": LEFT_OUT}


@pytest.mark.parametrize(
    "draft",
    [
        tool(input={"command": "make build"}, output="ok"),
        tool(input={"command": "ls"}, output="private/key\na.env"),
        tool(input="cat example.env", output="PORT=1"),
        tool(),
        Draft("prompt.submitted", "", {"text": "look into a.env"}, "prompt:1", "s"),
    ],
)
def test_everything_else_stays_as_it_is(draft: Draft) -> None:
    assert without_contents(draft, COVERS) is draft


CLAUDE = [
    {"type": "user", "message": {"content": "read a.env"}},
    {
        "type": "assistant",
        "message": {"id": "m1", "content": [{"type": "tool_use", "id": "toolu_1", "input": {"file_path": "a.env"}}]},
    },
    {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": SECRET}]}},
    {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": "done"}]}},
]
CODEX = [
    {"type": "session_meta", "payload": {"id": "s", "cwd": "/home/dev/project"}},
    {"type": "response_item", "payload": {"call_id": "c1", "arguments": '{"cmd":"cat private/key"}'}},
    {"type": "response_item", "payload": {"call_id": "c1", "output": SECRET}},
    {"type": "response_item", "payload": {"call_id": "c2", "output": "fine"}},
]


@pytest.mark.parametrize("records", [CLAUDE, CODEX])
def test_a_transcript_loses_the_call_and_its_answer_and_no_other_line(records: list[dict[str, Any]]) -> None:
    screen = Screen(COVERS)
    assert [screen.hides(json.dumps(record).encode()) for record in records] == [False, True, True, False]


@pytest.mark.parametrize("raw", [b"", b"{cut", b"\xff", b"[" * 100_000, b"7", b'"a.env"'])
def test_a_line_that_is_no_record_hides_nothing(raw: bytes) -> None:
    assert not Screen(COVERS).hides(raw)


def test_the_file_has_a_name() -> None:
    assert ignored.FILE == ".ledgerignore"
