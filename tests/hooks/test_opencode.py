"""OpenCode's plugin, loaded by node, with a hook in the ledger's place that writes down what it is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "hooks" / "opencode.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

HOOK = """#!/bin/sh
printf '%s ' "$2" >>"${0%/*}/told"
cat >>"${0%/*}/told"
echo >>"${0%/*}/told"
case $2 in
chat-message) echo '{"context": "read this"}' ;;
tool-before) echo '{"deny": "taken"}' ;;
esac
"""

SCRIPT = """
import { Ledger } from "./plugin.mjs"
const plugin = await Ledger({ directory: process.argv[2] })
const env = {}, message = { parts: [{ id: "prt_000000000000", type: "text", text: "hello" }] }
let denied = null
await plugin["shell.env"]?.({ sessionID: "s1" }, { env })
await plugin["chat.message"]?.({ sessionID: "s1" }, message)
const edit = plugin["tool.execute.before"]?.({ tool: "edit", sessionID: "s1" }, { args: {} })
await edit?.catch((error) => (denied = error.message))
await plugin.event?.({ event: { type: "message.part.updated", properties: { sessionID: "s1", part: {} } } })
await plugin.event?.({ event: { type: "session.idle", properties: { sessionID: "s1" } } })
await plugin.dispose?.()
console.log(JSON.stringify({ env, texts: message.parts.map((part) => part.text), denied }))
"""


def run(folder: Path, project: Path) -> dict[str, Any]:
    (folder / "plugin.mjs").write_bytes(PLUGIN.read_bytes())
    (folder / "main.mjs").write_text(SCRIPT)
    command = [str(NODE), "main.mjs", str(project)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LEDGER_DIR", raising=False)
    folder = tmp_path / "project"
    (folder / ".git" / "ledger").mkdir(parents=True)
    return folder


def test_the_plugin_hands_on_what_tells_something_and_gives_back_the_answers(tmp_path: Path, project: Path) -> None:
    hook = project / ".git" / "ledger" / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o700)
    assert run(tmp_path, project) == {
        "env": {"LEDGER_AGENT": "opencode", "LEDGER_AGENT_SESSION": "s1"},
        "texts": ["hello", "read this"],
        "denied": "taken",
    }
    told = [line.partition(" ") for line in (hook.parent / "told").read_text().splitlines()]
    events = [json.loads(body).get("type", event) for event, _, body in told]
    assert events == ["chat-message", "tool-before", "session.idle", "ledger.disposed"]


def test_the_plugin_is_silent_where_there_is_no_ledger(tmp_path: Path, project: Path) -> None:
    assert run(tmp_path, project) == {"env": {}, "texts": ["hello"], "denied": None}


def test_a_hook_that_cannot_run_is_in_nobodys_way(tmp_path: Path, project: Path) -> None:
    (project / ".git" / "ledger" / "hook").write_text("not a program")
    assert run(tmp_path, project)["texts"] == ["hello"]
