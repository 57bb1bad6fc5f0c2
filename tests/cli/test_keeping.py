"""Proving, backing up, exporting, importing, declaring and checking, by command."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.recording.refusing import refuse_prompts

MAIN = Path(".ledger/ledger.git/refs/heads/main")


def answer(ledger: Run, *arguments: str, stdin: bytes = b"", code: int = 0) -> Any:
    result = ledger(*arguments, "--json", stdin=stdin)
    assert result.code == code, result.err
    return json.loads(result.out)


def git(*arguments: str, git_dir: Path = Path(".ledger/ledger.git")) -> str:
    command = ["git", f"--git-dir={git_dir}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_verify_says_that_the_state_is_what_the_events_say(ledger: Run) -> None:
    ledger("set", "a", "x")
    assert ledger("verify") == (0, "sound: 3 commits, 3 events, all checked\n", "")
    document = answer(ledger, "verify", "--full")
    seconds = document.pop("seconds")
    assert seconds >= 0
    assert document == {"ok": True, "commits": 3, "events": 3, "checked": 3, "problems": [], "witnesses": ["heads"]}


def test_verify_ends_with_6_and_names_what_is_wrong(ledger: Run) -> None:
    ledger("set", "a", "x")
    tree = git("rev-parse", "main~1^{tree}")
    raw = git("cat-file", "commit", "main").replace(git("rev-parse", "main^{tree}"), tree)
    Path("forged").write_text(raw + "\n")
    MAIN.write_text(git("hash-object", "-t", "commit", "-w", "forged") + "\n")
    document = answer(ledger, "verify", "--full", code=6)
    assert document["ok"] is False
    assert {"kind", "commit", "path", "detail"} == set(document["problems"][0])
    assert any(p["path"] == "context/a.yaml" for p in document["problems"])
    words = ledger("verify", "--full")
    assert "context/a.yaml" in words.out
    assert words.err == "What each kind means, and what to do: docs/reference/problems.md\n"


def test_replay_folds_again_and_finds_the_same(ledger: Run) -> None:
    ledger("set", "a", "x")
    tip = MAIN.read_text().strip()
    assert ledger("replay") == (
        0,
        f"3 events from the first event to {tip[:10]}: the same as what is stored\n",
        "",
    )
    document = answer(ledger, "replay", "ann@desk", "--state")
    assert document["ok"] is True
    assert document["session"] == "8b281575-ac67-5b66-bbd0-2c5995ce8258"
    assert document["to"] == tip
    assert document["state_tree"] == document["expected_tree"] == git("rev-parse", "main^{tree}")
    assert document["state"]["context/a.yaml"]["value"] == "x"
    assert answer(ledger, "replay", "--to", "main", "--from", tip)["events_replayed"] == 0


def test_a_backup_makes_a_ledger_with_the_same_commits(ledger: Run, tmp_path: Path) -> None:
    ledger("set", "a", "x")
    made = answer(ledger, "backup", str(tmp_path / "copy"))
    assert made["folder"] == str(tmp_path / "copy")
    assert [file["name"] for file in made["files"]] == ["config.toml", "heads", "ledger.bundle"]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    done = answer(ledger, "restore", str(tmp_path / "copy"), "--to", str(tmp_path / "new"))
    assert (done["ok"], done["commits"], done["ledger"]) == (True, 3, str(tmp_path / "new"))
    there = ledger("log", "--json", "--ledger", str(tmp_path / "new")).out
    assert there == ledger("log", "--json").out
    assert ledger("set", "a", "y", "--ledger", str(tmp_path / "new")).code == 0
    assert ledger("get", "a").out == "x\n"


def test_a_backup_keeps_attachments_and_what_waits_in_the_spool(
    ledger: Run, tmp_path: Path, small_transcript: Path
) -> None:
    ledger("import", str(small_transcript))
    Path(".ledger/spool/new/waiting").write_text("payload")
    ledger("backup", str(tmp_path / "copy"))
    ledger("restore", str(tmp_path / "copy"), "--to", str(tmp_path / "new"))
    assert (tmp_path / "new/spool/new/waiting").read_text() == "payload"
    refs = ["git", "for-each-ref", "--format=%(refname) %(objectname)"]
    first, second = (
        subprocess.run(
            [*refs[:1], f"--git-dir={folder}/payloads.git", *refs[1:]], capture_output=True, check=True
        ).stdout
        for folder in (".ledger", tmp_path / "new")
    )
    assert first == second != b""


@pytest.mark.parametrize(
    ("folder", "where"),
    [
        (".ledger", "the ledger itself"),
        (".ledger/backup", "the ledger itself"),
        (".ledger/ledger.git/x/y", "the git folder"),
        (".git/backup", "the git folder"),
        ("link/backup", "the git folder"),
    ],
)
def test_a_backup_lies_apart_from_what_it_is_to_outlive(ledger: Run, folder: str, where: str) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    Path("link").symlink_to(".git")
    code, out, err = ledger("backup", folder, "--ledger", ".ledger")
    assert (code, out) == (4, "")
    assert f"lies in {where}" in err
    assert "hint: what deletes that deletes the backup too" in err
    assert not Path(folder, "manifest.json").exists()
    assert ledger("backup", "copy", "--ledger", ".ledger").code == 0


def test_a_backup_goes_to_the_data_directory_unless_told(ledger: Run, home: Path) -> None:
    folder = Path(ledger("backup").out.rstrip("\n"))
    assert folder.is_relative_to(home / "data_home" / "context-ledger" / "backups")
    assert (folder / "manifest.json").is_file()


def test_nothing_is_overwritten_by_a_backup_or_a_restore(ledger: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    assert ledger("backup", str(tmp_path / "full")).code == 4
    ledger("backup", str(tmp_path / "copy"))
    assert ledger("restore", str(tmp_path / "copy"), "--to", str(tmp_path / "full")).code == 4
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
    assert ledger("restore", str(tmp_path / "nope"), "--to", str(tmp_path / "new")).code == 1
    assert ledger("restore", str(tmp_path / "full"), "--to", str(tmp_path / "new")).code == 1


@pytest.mark.parametrize("name", ["ledger.bundle", "config.toml", "manifest.json"])
def test_a_damaged_backup_is_refused_and_leaves_nothing(ledger: Run, tmp_path: Path, name: str) -> None:
    ledger("backup", str(tmp_path / "copy"))
    with (tmp_path / "copy" / name).open("r+b") as file:
        file.write(b"#damage")
    result = ledger("restore", str(tmp_path / "copy"), "--to", str(tmp_path / "new"))
    assert result.code == 6
    assert "use another backup" in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_a_backup_of_a_history_that_breaks_the_law_is_not_restored(ledger: Run, tmp_path: Path) -> None:
    ledger("set", "a", "x")
    raw = git("cat-file", "commit", "main").replace(git("rev-parse", "main^{tree}"), git("rev-parse", "main~1^{tree}"))
    Path("forged").write_text(raw + "\n")
    MAIN.write_text(git("hash-object", "-t", "commit", "-w", "forged") + "\n")
    git("bundle", "create", str(tmp_path / "forged.bundle"), "--all")
    result = ledger("restore", str(tmp_path / "forged.bundle"), "--to", str(tmp_path / "new"))
    assert result.code == 6
    assert not (tmp_path / "new").exists()


def test_a_bundle_of_the_events_alone_can_be_restored(ledger: Run, tmp_path: Path) -> None:
    ledger("set", "a", "x")
    git("bundle", "create", str(tmp_path / "events.bundle"), "--all")
    assert ledger("restore", str(tmp_path / "events.bundle"), "--to", str(tmp_path / "new")).code == 0
    assert ledger("get", "a", "--ledger", str(tmp_path / "new")).out == "x\n"


def test_gc_packs_and_loses_nothing(ledger: Run) -> None:
    ledger("set", "a", "x")
    before = ledger("log", "--json").out
    (events, payloads) = answer(ledger, "gc")["repositories"]
    assert (events["repository"], payloads["repository"]) == ("ledger.git", "payloads.git")
    assert events["before"]["loose"] > 0 == events["after"]["loose"]
    assert ledger("log", "--json").out == before
    assert ledger("gc", "--full").out.startswith("ledger.git    ")


def test_the_report_says_what_takes_room_and_changes_nothing(ledger: Run) -> None:
    ledger("set", "a", "x")
    before = answer(ledger, "du")
    document = answer(ledger, "gc", "--report")
    assert (document["parts"], document["bytes"]) == (before["parts"], before["bytes"])
    assert document["days"] == [{"date": "2026-11-22", "events": 3}]
    page = ledger("gc", "--report")
    assert (page.code, page.err) == (0, "")
    assert answer(ledger, "du") == before
    heads = [line for line in page.out.splitlines() if line and not line.startswith(" ")]
    assert heads == ["What takes room", "What is added", "What to do"]
    assert "  2026-11-22      3 events  about " in page.out
    assert page.out.endswith("What to do\n  nothing needs to be done\n")


def test_the_report_names_the_command_that_helps(ledger: Run) -> None:
    for number in range(70):
        ledger("set", f"a/{number}", "x")
    assert "\nWhat to do\n  ledger gc  gives back about 2." in ledger("gc", "--report").out
    advice = answer(ledger, "gc", "--report")["advice"][0]
    assert (advice["kind"], advice["do"]) == ("pack", "ledger gc")


def test_the_report_goes_with_nothing_that_changes_anything(ledger: Run) -> None:
    assert ledger("gc", "--report", "--full").code == 2
    assert ledger("gc", "--report", "--truncate", "main", "--yes").code == 2


def test_du_names_the_parts_the_largest_first(ledger: Run) -> None:
    document = answer(ledger, "du")
    assert document["bytes"] == sum(document["parts"].values())
    assert list(document["parts"].values()) == sorted(document["parts"].values(), reverse=True)
    assert ledger("du").out.splitlines()[0].endswith("the events")


def test_export_json_is_the_state_of_any_moment(ledger: Run) -> None:
    ledger("set", "a", "x")
    first = json.loads(ledger("log", "-n1", "--jsonl").out)
    ledger("set", "a", "y")
    document = json.loads(ledger("export", "json", "--events").out)
    assert document["context"]["a"]["value"] == "y"
    assert [e["type"] for e in document["events"]] == [
        "ledger.created",
        "session.started",
        "context.set",
        "context.set",
    ]
    then = json.loads(ledger("export", "json", "--at", first["id"]).out)
    assert (then["commit"], then["context"]["a"]["value"]) == (first["commit"], "x")
    assert ledger("export", "json", "--out", "state.json") == (0, "", "Written: state.json\n")
    assert json.loads(Path("state.json").read_text())["context"] == document["context"]
    assert ledger("export").code == 2


@pytest.fixture
def small_transcript(tmp_path: Path) -> Path:
    """Two lines of a session of Claude Code."""
    head = '"isSidechain":false,"sessionId":"9a4d1c1e-0000-4000-8000-000000000000","cwd":"/p","version":"2.1.0"'
    lines = [
        f'{{"type":"user","uuid":"9a4d1c1e-0001-4000-8000-000000000001","parentUuid":null,{head},'
        '"timestamp":"2026-11-20T10:00:00.000Z","message":{"role":"user","content":"Which flow?"}}',
        f'{{"type":"assistant","uuid":"9a4d1c1e-0002-4000-8000-000000000002",'
        f'"parentUuid":"9a4d1c1e-0001-4000-8000-000000000001",{head},"timestamp":"2026-11-20T10:00:05.000Z",'
        '"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude",'
        '"content":[{"type":"text","text":"The device flow."}],"stop_reason":"end_turn",'
        '"usage":{"input_tokens":10,"output_tokens":5}}}',
    ]
    file = tmp_path / "session.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_import_takes_a_transcript_in_once(ledger: Run, small_transcript: Path) -> None:
    document = answer(ledger, "import", "claude-code", str(small_transcript))
    assert document["events"] > 0
    assert (document["skipped"], document["rejected"], len(document["sessions"])) == (0, [], 1)
    assert document["bytes"] == small_transcript.stat().st_size
    again = answer(ledger, "import", str(small_transcript))
    assert (again["events"], again["sessions"]) == (0, [])
    assert again["skipped"] > 0
    assert "prompt.submitted" in ledger("log").out
    assert ledger("verify").code == 0


def test_import_refuses_another_agents_transcript_and_what_is_none(ledger: Run, small_transcript: Path) -> None:
    other = ledger("import", "codex", str(small_transcript))
    assert (other.code, other.err.splitlines()[1]) == (2, f"  hint: ledger import claude-code {small_transcript}")
    Path("poem.jsonl").write_text("roses are red\n")
    assert ledger("import", "poem.jsonl").code == 4
    assert ledger("import", "codex") == (2, "", "error: no file is named\n  hint: ledger import codex PATH...\n")
    assert ledger("import", "nope.jsonl").code == 1
    Path("folder").mkdir()
    small_transcript.rename("folder/session.jsonl")
    Path("poem.jsonl").rename("folder/poem.jsonl")
    result = ledger("import", "folder")
    assert result.code == 0
    assert result.err == (
        "passed over: folder/poem.jsonl: not a transcript: no line has the shape of an agent's record\n"
    )


def test_what_an_import_passes_over_is_told_by_reason_and_not_without_end(ledger: Run, small_transcript: Path) -> None:
    Path("in").mkdir()
    for number in range(13):
        Path(f"in/{number:02}.jsonl").write_text("roses are red\n")
    reason = "not a transcript: no line has the shape of an agent's record"
    assert ledger("import", "in").err.splitlines() == [
        f"passed over: 13 files: {reason}",
        *(f"  in/{number:02}.jsonl" for number in range(10)),
        "  and 3 more; --json lists them all",
    ]
    told = answer(ledger, "import", "in")["passed_over"]
    assert {one["reason"] for one in told} == {reason}
    assert len(told) == 13


def test_lines_that_are_not_understood_are_not_listed_without_end(ledger: Run, small_transcript: Path) -> None:
    with small_transcript.open("a") as file:
        file.write("{torn\n" * 13)
    lines = ledger("import", str(small_transcript)).err.splitlines()
    assert len(lines) == 11
    assert lines[0].endswith("(the line itself is kept)")
    assert lines[10] == "not understood: 3 more lines; --json lists them all"


def test_an_import_sets_aside_what_is_refused_says_where_it_stood_and_ends_with_1(
    ledger: Run, small_transcript: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_prompts(monkeypatch)
    told = answer(ledger, "import", str(small_transcript), code=1)
    (refused,) = told["rejected"]
    reason = refused.pop("reason")
    assert refused == {"file": str(small_transcript), "line": 1, "event": "prompt.submitted"}
    assert told["events"] > 0
    again = ledger("import", str(small_transcript))
    assert again.code == 1
    where = f"{small_transcript}:1: prompt.submitted"
    assert again.err == f"refused: {where}: {reason} (the line itself is kept)\n"


def test_an_import_names_what_it_cannot_take_once(ledger: Run, small_transcript: Path) -> None:
    assert ledger("import", "/dev/null").err.startswith("error: /dev/null is not a regular file\n")
    assert ledger("import", "bogus", str(small_transcript)) == (
        2,
        "",
        "error: bogus is neither an agent nor a path\n  hint: the agents are claude-code, codex, gemini\n",
    )


@pytest.mark.parametrize("folder", ["index", "spool", "quarantine", "logs"])
def test_a_folder_that_can_be_made_again_stops_nothing(ledger: Run, folder: str, small_transcript: Path) -> None:
    ledger("set", "a", "x")
    shutil.rmtree(Path(".ledger", folder))
    assert ledger("get", "a").out == "x\n"
    assert ledger("import", str(small_transcript)).code == 0
    assert ledger("verify").code == 0


def test_du_says_what_every_part_is(ledger: Run) -> None:
    ledger("set", "a", "x")
    lines = ledger("du").out.splitlines()
    assert [line for line in lines if len(line.split(maxsplit=3)) < 4] == []
    assert any("heads.lock" in line for line in lines)


def test_policies_are_declared_listed_and_taken_back(ledger: Run) -> None:
    assert ledger("policy") == (0, "", "Nothing is declared. For example: ledger policy set 'stats/**' counter\n")
    ledger("policy", "set", "stats/**", "counter")
    ledger("policy", "set", "short/*", "--schema", "-", stdin=b"{type: string}")
    assert ledger("policy", "type", "review.requested", "--schema", "-", stdin=b"{required: [by]}").code == 0
    assert ledger("policy").out == (
        "stats/**          policy  counter\n"
        "short/*           schema  type: string\n"
        "review.requested  type    required: by\n"
    )
    assert answer(ledger, "policy", "list")["policies"] == {"stats/**": "counter"}
    assert ledger("record", stdin=b"{type: review.requested, data: {by: ann}}").code == 0
    assert "data.by: is missing" in ledger("record", stdin=b"{type: review.requested, data: {}}").err
    ledger("policy", "set", "stats/**", "--remove")
    ledger("policy", "set", "short/*", "--schema", "-", stdin=b"null")
    ledger("policy", "type", "review.requested", "--remove")
    assert not any(answer(ledger, "policy").values())
    assert ledger("policy", "set", "stats/**").code == 2
    assert ledger("policy", "set", "a//b", "counter").code == 4
    assert ledger("policy", "set", "a", "nope").code == 4


def test_schemas_are_listed_and_printed(run: Run) -> None:
    listed = json.loads(run("schema", "--json").out)
    assert {"envelope", "context.set.v1"} <= {one["name"] for one in listed}
    assert all(one["description"] for one in listed)
    assert run("schema", "note.added").out.startswith("$schema: https://json-schema.org/draft/2020-12/schema\n")
    assert json.loads(run("schema", "note.added.v1", "--json").out)["title"] == "note.added.v1"


def test_validate_names_all_problems_and_writes_nothing(run: Run) -> None:
    Path("good.yaml").write_text("type: note.added\ndata: {text: x}\n")
    Path("bad.yaml").write_text("type: context.set\ndata: {key: A B, value: 1, more: 2}\n")
    Path("config.toml").write_text('durability = "always"\n')
    Path("twice.json").write_text('{"a": 1, "a": 2}')
    result = run("validate", "good.yaml", "bad.yaml", "config.toml")
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0] == "good.yaml: valid (note.added.v1)"
    assert lines[1] == "bad.yaml: invalid (context.set.v1)"
    assert any(line.startswith("  data.key: ") for line in lines)
    assert any(line.startswith("  durability: ") for line in lines)
    assert run("validate", "good.yaml") == (0, "good.yaml: valid (note.added.v1)\n", "")
    (told,) = json.loads(run("validate", "twice.json", "--schema", "policy", "--json").out)
    assert (told["ok"], told["schema"]) == (False, "policy")
    assert told["problems"][0]["path"] == "line 1, column 10"
    assert run("validate", "-", "--schema", "note.added", stdin=b"{text: 5}").code == 1
    Path("what.yaml").write_text("{}")
    assert run("validate", "what.yaml").err == (
        "error: nothing tells what what.yaml should be\n"
        "  hint: say so: --schema NAME; `ledger schema` lists the names\n"
    )
    assert not Path(".ledger").exists()


def test_validate_judges_an_event_with_its_envelope_too(ledger: Run) -> None:
    ledger("set", "a", "x")
    event = json.loads(ledger("log", "-n1", "--jsonl").out)
    envelope = {name: event[name] for name in ("id", "type", "v", "session", "time", "prev", "data")}
    Path("event.json").write_text(json.dumps(envelope))
    Path("wrong.json").write_text(json.dumps(envelope | {"id": "7", "more": 1}))
    assert ledger("validate", "event.json").code == 0
    (told,) = json.loads(ledger("validate", "wrong.json", "--json").out)
    assert told["problems"] == [{"path": "more", "rule": "is not a field of the envelope"}]


def test_validate_knows_the_files_of_a_ledgers_tree_by_where_they_lie(run: Run) -> None:
    run("init")
    run("set", "auth/decision", "x")
    run("task", "create", "Write it")
    run("policy", "set", "n/*", "counter")
    subprocess.run(["git", "clone", "-q", ".ledger/ledger.git", "tree"], check=True)
    files = sorted(str(path) for path in Path("tree").rglob("*.yaml"))
    told = {one["file"]: one for one in json.loads(run("validate", *files, "--json").out)}
    assert all(one["ok"] for one in told.values())
    kinds = {one["schema"] for one in told.values()}
    assert kinds == {"entry", "ledger", "policy", "session", "task"}
    entry = Path("tree/context/auth/decision.yaml")
    entry.write_text(entry.read_text().replace("policy: lww", "policy: 7"))
    result = run("validate", str(entry))
    assert (result.code, result.out.startswith(f"{entry}: invalid (entry)\n  policy: 7 is not")) == (1, True)


def test_validate_knows_a_json_schema(run: Run) -> None:
    Path("port.yaml").write_text("$schema: https://json-schema.org/draft/2020-12/schema\ntype: integer\n")
    Path("wrong.yaml").write_text("$schema: https://json-schema.org/draft/2020-12/schema\ntype: number of a port\n")
    assert run("validate", "port.yaml") == (0, "port.yaml: valid (JSON Schema)\n", "")
    result = run("validate", "wrong.yaml")
    assert (result.code, result.out.splitlines()[0]) == (1, "wrong.yaml: invalid (JSON Schema)")
    assert result.out.splitlines()[1].startswith("  type: ")


SECRET = "ghp_" + "1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R"


def test_redact_replaces_secrets_and_lets_everything_else_through(run: Run) -> None:
    given = f"first\ntoken {SECRET} and more\n"
    assert run("redact", stdin=given.encode()).out == "first\ntoken [redacted:github-token] and more\n"


def test_redact_check_names_place_and_kind_and_never_the_secret(run: Run) -> None:
    Path("log.txt").write_text(f"first\ntoken {SECRET} and more\n")
    result = run("redact", "--check", "log.txt")
    assert (result.code, result.out) == (1, "log.txt:2:7  github-token  40 characters\n")
    told = json.loads(run("redact", "--check", "log.txt", "--json").out)
    assert told == [{"rule": "github-token", "line": 2, "column": 7, "length": 40}]
    Path("log.txt").write_text("nothing\n")
    assert run("redact", "--check", "log.txt") == (0, "", "No secrets found.\n")


def test_redact_knows_the_ledgers_own_rules(ledger: Run) -> None:
    Path(".ledger/config.toml").write_text('[redaction.rules]\nbadge = "badge-[0-9]{4}"\n')
    assert ledger("redact", stdin=b"badge-1234").out == "[redacted:badge]"
