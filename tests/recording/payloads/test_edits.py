"""Which files a call that is about to run will write to, in whatever form an agent announces it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.recording.payloads.edits import edited

PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-1\n+2\n*** Add File: src/b.py\n+3\n*** End Patch\n"


@pytest.mark.parametrize(
    ("payload", "files"),
    [
        ({"tool_name": "Edit", "tool_input": {"file_path": "/p/a.py", "old_string": "x"}}, ("/p/a.py",)),
        ({"tool_name": "apply_patch", "tool_input": {"command": PATCH}}, ("src/a.py", "src/b.py")),
        ({"tool_name": "Bash", "tool_input": {"command": f"apply_patch <<'E'\n{PATCH}E"}}, ("src/a.py", "src/b.py")),
        ({"tool_name": "replace", "tool_input": {"file_path": "a.py"}}, ("a.py",)),
        ({"toolName": "edit", "toolArgs": json.dumps({"path": "a.py"})}, ("a.py",)),
        ({"tool_name": "Read", "tool_input": {"file_path": "a.py"}}, ()),
        ({"tool_name": "Bash", "tool_input": {"command": "ls"}}, ()),
        ({"toolName": "edit", "toolArgs": "{cut"}, ()),
        ({"tool_name": 7, "tool_input": None}, ()),
        ({}, ()),
    ],
)
def test_the_files_of_an_edit_are_found(payload: dict[str, Any], files: tuple[str, ...]) -> None:
    assert edited(payload) == files
