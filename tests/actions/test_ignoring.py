"""Of a file that the project's `.ledgerignore` names the ledger keeps that it was touched, and not what was in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.actions.payloads import Claude, events, types, written_below

from ledger.actions.drain import drain
from ledger.actions.ignoring import covers_at
from ledger.actions.import_transcripts import import_transcripts
from ledger.api import Ledger, create_ledger
from ledger.recording.ignored import LEFT_OUT
from ledger.storage.layout import Layout

CONTENT = "the rain in spain"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a ledger, and a file whose contents it does not want kept."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".ledgerignore").write_text("# not for the ledger\nprivate/\n*.env\n")
    return folder


@pytest.fixture
def ledger(project: Path) -> Ledger:
    return create_ledger(project / ".ledger")[0]


def transcript(claude: Claude, path: Path) -> Path:
    """A transcript in which a file is read that is to be left out, and one that is not."""
    lines = [
        {"type": "user", "message": {"role": "user", "content": "Look into both."}, "promptId": "p"},
        {"type": "assistant", "message": {"id": "m1", "content": [used("toolu_1", "a.env")]}},
        {"type": "user", "message": {"content": [given("toolu_1", CONTENT)]}},
        {"type": "assistant", "message": {"id": "m2", "content": [used("toolu_2", "b.txt")]}},
        {"type": "user", "message": {"content": [given("toolu_2", "kept as it is")]}},
    ]
    common = {"sessionId": claude.key, "timestamp": "2026-11-22T15:13:04.000Z", "cwd": claude.cwd}
    path.write_text("".join(json.dumps(common | {"uuid": f"u{n}"} | line) + "\n" for n, line in enumerate(lines)))
    return path


def written(layout: Layout) -> bytes:
    """Every byte that the ledger wrote, with the objects of its repositories as they were."""
    objects = ("cat-file", "--batch", "--batch-all-objects")
    inflated = [subprocess.check_output(["git", f"--git-dir={folder}", *objects]) for folder in layout.repositories]
    return b"".join([written_below(layout.root), *inflated])


def used(call: str, file: str) -> dict[str, object]:
    return {"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": file}}


def given(call: str, content: str) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": call, "content": content}


def test_a_hook_that_tells_of_such_a_file_tells_its_name_alone(ledger: Ledger, project: Path) -> None:
    with ledger:
        claude = Claude(ledger.layout, cwd=str(project))
        claude.use(command=f"cat {project}/private/key", output=CONTENT)
        claude.use("toolu_02", "cat public", "kept as it is")
        drain(ledger.place)
        outputs = [one.data["output"] for one in events(ledger) if one.type == "tool.completed"]
        assert outputs == [LEFT_OUT, "kept as it is"]
        assert CONTENT.encode() not in written(ledger.layout)


def test_a_transcript_loses_what_was_in_it(ledger: Ledger, project: Path, tmp_path: Path) -> None:
    with ledger:
        claude = Claude(ledger.layout, cwd=str(project), transcript=str(tmp_path / "t.jsonl"))
        transcript(claude, tmp_path / "t.jsonl")
        claude.stop()
        drain(ledger.place)
        assert "transcript.appended" in types(ledger)
        assert CONTENT.encode() not in written(ledger.layout)
        assert b"kept as it is" in written(ledger.layout)


def test_an_import_loses_it_too_and_adds_nothing_the_second_time(ledger: Ledger, project: Path, tmp_path: Path) -> None:
    with ledger:
        file = transcript(Claude(ledger.layout, cwd=str(project)), tmp_path / "t.jsonl")
        assert import_transcripts(ledger.place, [file]).events > 0
        assert CONTENT.encode() not in written(ledger.layout)
        assert import_transcripts(ledger.place, [file]).events == 0


def test_a_file_that_names_nothing_leaves_nothing_out(project: Path) -> None:
    layout = Layout(project / ".ledger")
    (project / ".ledgerignore").write_text("\n# nothing yet\n")
    assert covers_at(layout) is None
    (project / ".ledgerignore").unlink()
    assert covers_at(layout) is None
    assert covers_at(None) is None


def test_a_file_that_cannot_be_read_leaves_everything_out(project: Path) -> None:
    (project / ".ledgerignore").unlink()
    (project / ".ledgerignore").mkdir()
    covers = covers_at(Layout(project / ".ledger"))
    assert covers is not None
    assert covers("anything")


@pytest.mark.parametrize("folder", ["", "relative", "/nowhere/at/all", "/with\0nul"])
def test_where_a_folder_says_nothing_the_project_does(project: Path, folder: str) -> None:
    for root in (project / ".ledger", project / ".git" / "ledger"):
        covers = covers_at(Layout(root), folder)
        assert covers is not None
        assert covers("a.env")
        assert covers(str(project / "private/key"))
        assert not covers("a.txt")
