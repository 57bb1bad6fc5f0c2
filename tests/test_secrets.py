"""No secret reaches a git object, whichever command or importer it comes through."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.planted import PLANTED, Planted, fragments

from ledger.cli.main import main

TEXTS = ("text", "content", "command", "output", "prompt", "message", "stdout", "display")
TRANSCRIPTS = Path(__file__).parent / "recording" / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert main(["init", "--ledger", str(tmp_path / "ledger"), "--quiet"]) == 0
    return tmp_path / "ledger"


def everything(folder: Path) -> bytes:
    """Every object of both repositories, reachable or not, and every other file of the ledger."""
    objects = b""
    for name in ("ledger.git", "payloads.git"):
        objects += subprocess.run(
            ["git", f"--git-dir={folder / name}", "cat-file", "--batch-all-objects", "--unordered", "--batch"],
            capture_output=True,
            check=True,
        ).stdout
    others = (p for p in folder.rglob("*") if p.is_file() and "objects" not in p.parts)
    return objects + b"".join(p.read_bytes() for p in others)


def in_clear(folder: Path, planted: list[Planted]) -> list[str]:
    found = everything(folder)
    return [p.kind for p in planted if any(part.encode() in found for part in fragments(p.secret))]


def calls(planted: Planted, key: str) -> Iterator[tuple[list[str], str | None]]:
    """One call of every command that writes what it is given: arguments, and standard input."""
    line = planted.line
    yield ["set", "--", f"{key}/text", line], None
    yield ["set", f"{key}/json", "--json-value", json.dumps({"deep": [{"er": line}], line: 1})], None
    yield ["set", f"{key}/yaml", "--file", "-"], json.dumps({"value": line})
    yield ["set", "--policy", "text", "--", f"{key}/prose", line], None
    yield ["set", "--private", "--", f"{key}/own", line], None
    yield ["add", "--", f"{key}/set", line], None
    yield ["add", "--policy", "log", "--", f"{key}/log", line], None
    yield ["decide", f"--because={line}", f"--instead-of={line}", "--", f"{key}/decision", line], None
    yield ["delete", f"{key}/text"], None
    yield ["note", f"--about={line}", "--", line], None
    yield ["record"], json.dumps({"type": "prompt.submitted", "data": {"text": line}})
    yield (
        ["record"],
        json.dumps(
            {
                "type": "tool.completed",
                "data": {"tool": "Bash", "call": "c1", "input": {"command": line}, "output": line},
                "origin": {"source": "call", "ref": f"{key} {line}"[:900]},
            }
        ),
    )


def test_no_command_lets_a_planted_secret_through(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEDGER_DIR", str(folder))
    (folder / "config.toml").write_text('durability = "none"\n')
    for number, planted in enumerate(PLANTED):
        for arguments, given in calls(planted, f"k{number}"):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((given or "").encode())))
            code = main(arguments)
            assert code == 0, (planted.kind, arguments, capsys.readouterr().err)
    assert len(PLANTED) >= 40
    assert in_clear(folder, PLANTED) == []
    assert b"[redacted:" in everything(folder)


@pytest.mark.parametrize("name", ["claude-code.jsonl", "codex.jsonl", "gemini.jsonl", "gemini.json"])
def test_no_importer_lets_a_planted_secret_through(
    folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_DIR", str(folder))
    text = (TRANSCRIPTS / name).read_text()
    file = tmp_path / name
    file.write_text(with_secrets(text, is_document=name.endswith(".json")))
    assert main(["import", str(file), "--quiet"]) == 0
    assert in_clear(folder, PLANTED) == []
    assert b"[redacted:" in everything(folder)


def with_secrets(text: str, *, is_document: bool) -> str:
    """The transcript with every secret in each place that holds a text of its own."""
    lines = iter([p.line for p in PLANTED] * 40)
    if is_document:
        return json.dumps(planted_in(json.loads(text), lines), indent=2)
    records = [json.loads(line) for line in text.splitlines()] * 8
    return "".join(json.dumps(planted_in(record, lines)) + "\n" for record in records)


def planted_in(value: object, lines: Iterator[str], name: str = "") -> object:
    if isinstance(value, dict):
        return {k: planted_in(v, lines, k) for k, v in value.items()}
    if isinstance(value, list):
        return [planted_in(v, lines, name) for v in value]
    if isinstance(value, str) and name in TEXTS:
        return f"{value}\n{next(lines)}\n{next(lines)}"
    return value


def test_a_key_that_holds_a_secret_is_refused_or_cannot_be_spelled(folder: Path) -> None:
    before = sorted(everything(folder).splitlines())
    for planted in PLANTED:
        if main(["set", "--ledger", str(folder), "--quiet", "--", planted.secret, "x"]) == 0:
            pytest.fail(f"a {planted.kind} became a key")
    assert sorted(everything(folder).splitlines()) == before
