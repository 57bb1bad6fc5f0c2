"""Importing transcripts: each fact and each byte once, damage told where it is, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.recording.refusing import refuse_prompts

from ledger.actions.append import Draft
from ledger.actions.find import main_tip
from ledger.actions.import_transcripts import Imported, import_transcripts
from ledger.actions.record import record
from ledger.actions.session import Session
from ledger.actions.tip import Author, event_of
from ledger.api import Ledger, create_ledger
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.errors import NotFoundError, RefusedError, UsageError
from ledger.recording.transcripts import ADAPTERS
from ledger.storage.layout import MAIN

DATA = Path(__file__).parent.parent / "recording" / "data"
SAMPLES = sorted(p for p in DATA.iterdir() if p.suffix in (".jsonl", ".json") and "foreign" not in p.name)
AGENT_FOLDERS = ("claude-code", "codex", "gemini-cli")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made, _ = create_ledger(tmp_path / "ledger")
    with made:
        yield made


def take(ledger: Ledger, *paths: Path) -> Imported:
    return import_transcripts(ledger.place, paths)


def events(ledger: Ledger) -> list[Event]:
    tip = ledger.place.store.ref(MAIN)
    assert tip is not None
    return [event_of(commit) for commit in ledger.place.store.walk([tip], order="oldest")]


def attachments(ledger: Ledger) -> list[bytes]:
    """The bytes of every attachment that an event names, in the order of the events."""
    assert ledger.place.payloads is not None
    named = [e.data["attachment"] for e in events(ledger) if e.type == "transcript.appended"]
    return [ledger.place.payloads.get(a["id"], a["sha256"]) for a in named]


def fsck(ledger: Ledger) -> str:
    assert ledger.path is not None
    found = ""
    for name in ("ledger.git", "payloads.git"):
        done = subprocess.run(
            ["git", f"--git-dir={ledger.path / name}", "-c", "safe.directory=*", "fsck", "--strict", "--full"],
            capture_output=True,
            text=True,
            check=False,
        )
        found += done.stdout + (done.stderr if done.returncode else "")
    return found


def test_what_an_import_brought_is_recorded_by_nobody_again_nor_its_lines_after_that(ledger: Ledger) -> None:
    take(ledger, SAMPLES[0])
    before, layout = events(ledger), ledger.place.layout
    assert layout is not None
    layout.seen.unlink()  # a projection: record makes it again, lines and all
    fact = next(e for e in before if e.origin is not None)
    told = Draft("note.added", {"text": "worded otherwise"}, origin={**(fact.origin or {}), "source": "hook"})
    session = Session(ledger.place, Author(fact.session, "any"), {})
    assert record(ledger.place, session, [told]).events == ()
    again = take(ledger, SAMPLES[0])
    assert (again.events, again.bytes) == (0, 0)
    assert events(ledger) == before


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_a_transcript_goes_in_whole_and_a_second_time_adds_nothing(ledger: Ledger, sample: Path) -> None:
    first = take(ledger, sample)
    assert first.events > 0
    # A file that a fork wrote holds lines of two sessions, and each session keeps its own.
    assert sorted(b"".join(attachments(ledger)).split(b"\n")) == sorted(sample.read_bytes().split(b"\n"))
    again = take(ledger, sample)
    assert (again.events, again.bytes, again.sessions) == (0, 0, [])
    assert again.skipped > 0
    assert fsck(ledger) == ""


def test_what_is_recorded_is_known_after_the_index_is_deleted(ledger: Ledger) -> None:
    assert ledger.place.layout is not None
    take(ledger, *SAMPLES)
    before = [event.id for event in events(ledger)]
    ledger.place.layout.seen.unlink()
    assert take(ledger, *SAMPLES).events == 0
    assert [event.id for event in events(ledger)] == before


def test_a_broken_index_is_rebuilt(ledger: Ledger) -> None:
    assert ledger.place.layout is not None
    take(ledger, *SAMPLES)
    ledger.place.layout.seen.write_bytes(b"not a database" * 100)
    assert take(ledger, *SAMPLES).events == 0


def test_a_grown_file_adds_its_tail(ledger: Ledger, tmp_path: Path) -> None:
    lines = (DATA / "codex.jsonl").read_bytes().splitlines(True)
    file = tmp_path / "growing.jsonl"
    file.write_bytes(b"".join(lines[:8]))
    take(ledger, file)
    file.write_bytes(b"".join(lines))
    grown = take(ledger, file)
    assert grown.bytes == len(b"".join(lines[8:]))
    assert b"".join(attachments(ledger)) == b"".join(lines)


def test_the_session_has_left_the_roster_and_main_holds_all_of_it(ledger: Ledger) -> None:
    done = take(ledger, DATA / "codex.jsonl")
    assert ledger.place.store.refs() == {MAIN: ledger.place.store.ref(MAIN)}
    types = [event.type for event in events(ledger) if event.session in done.sessions]
    assert types[0] == "session.started"
    assert types[-1] == "session.ended"


def test_exactly_the_damaged_lines_are_told_and_their_bytes_kept(ledger: Ledger, tmp_path: Path) -> None:
    lines = (DATA / "claude-code.jsonl").read_bytes().splitlines(True)
    lines[2] = lines[2][: len(lines[2]) // 2] + b"\n"
    lines[5] = lines[5][:20] + b"\xff\xfe\x00" + lines[5][20:]
    file = tmp_path / "damaged.jsonl"
    file.write_bytes(b"".join(lines))
    done = take(ledger, file)
    assert [r.line for r in done.rejected] == [3, 6]
    assert b"".join(attachments(ledger)) == b"".join(lines)


def test_a_fact_that_is_refused_is_set_aside_alone_with_its_line_and_what_is_well_goes_in(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = DATA / "claude-code.jsonl"
    with monkeypatch.context() as patched:
        refuse_prompts(patched)
        done = take(ledger, sample, DATA / "codex.jsonl")
        again = take(ledger, sample)
    assert {(one.file, one.event) for one in done.refused} == {(str(sample), "prompt.submitted")}
    assert done.refused == done.rejected
    assert all("text" in one.reason for one in done.refused)
    assert len(done.sessions) >= 2  # the file behind it went in too
    assert "tool.completed" in {event.type for event in events(ledger)}
    assert sorted(b"".join(attachments(ledger)).split(b"\n")) == sorted(
        (sample.read_bytes() + (DATA / "codex.jsonl").read_bytes()).split(b"\n")
    )
    assert (again.events, again.refused) == (0, done.refused)
    assert take(ledger, sample).events == len(done.refused)  # once the rules, or the reader, are put right


def test_a_megabyte_in_a_line_goes_in(ledger: Ledger, tmp_path: Path) -> None:
    first, *others = (DATA / "codex.jsonl").read_bytes().splitlines(True)
    record = json.loads(others[4])
    record["payload"]["content"] = [{"type": "input_text", "text": "long " * 210_000}]
    file = tmp_path / "long.jsonl"
    file.write_bytes(b"".join([first, json.dumps(record).encode() + b"\n", *others]))
    assert take(ledger, file).rejected == []


def test_another_agents_file_is_refused_by_name_and_nothing_is_written(ledger: Ledger, tmp_path: Path) -> None:
    before = ledger.place.store.refs()
    file = tmp_path / "session.jsonl"
    file.write_bytes(b'{"type":"user.message","data":{},"id":"x","parentId":null}\n')
    with pytest.raises(RefusedError, match=r"session\.jsonl: this is a GitHub Copilot CLI transcript"):
        take(ledger, DATA / "codex.jsonl", file)
    assert ledger.place.store.refs() == before


def test_in_a_folder_what_is_no_transcript_is_passed_over_and_said_so(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.jsonl").write_bytes((DATA / "codex.jsonl").read_bytes())
    (tmp_path / "in" / "settings.json").write_text('{"theme": "dark"}')
    (tmp_path / "in" / "notes.txt").write_text("no transcript, and not looked at")
    done = take(ledger, tmp_path / "in")
    assert done.events > 0
    assert list(done.passed_over) == [str(tmp_path / "in" / "settings.json")]


def test_a_missing_path_a_fifo_and_the_wrong_agent_are_named(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        take(ledger, tmp_path / "gone.jsonl")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a regular file"):
        take(ledger, tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a codex transcript, not gemini"):
        import_transcripts(ledger.place, [DATA / "codex.jsonl"], agent="gemini")


def test_no_secret_of_a_transcript_reaches_an_object(ledger: Ledger, tmp_path: Path) -> None:
    secret = "AKIA" + "Q3EGRJ7XN2ZT5WLB"
    raw = (DATA / "codex.jsonl").read_text()
    record = json.loads(raw.splitlines()[5])
    record["payload"]["content"] = [{"type": "input_text", "text": f"deploy with {secret} please"}]
    file = tmp_path / "secret.jsonl"
    file.write_text(raw + json.dumps(record) + "\n")
    take(ledger, file)
    assert ledger.path is not None
    for name in ("ledger.git", "payloads.git"):
        objects = subprocess.run(
            [
                "git",
                f"--git-dir={ledger.path / name}",
                "-c",
                "safe.directory=*",
                "cat-file",
                "--batch-all-objects",
                "--batch",
            ],
            capture_output=True,
            check=True,
        ).stdout
        assert secret.encode() not in objects
    assert any(b"[redacted:aws-access-key]" in kept for kept in attachments(ledger))


def test_progress_is_told_every_byte(ledger: Ledger) -> None:
    told: list[int] = []
    import_transcripts(ledger.place, [DATA / "codex.jsonl"], progress=told.append)
    assert sum(told) == (DATA / "codex.jsonl").stat().st_size


# Real transcripts


def test_every_real_transcript_goes_in_without_a_rejected_line_and_once(ledger: Ledger, fixtures_dir: Path) -> None:
    folders = [fixtures_dir / name for name in AGENT_FOLDERS]
    first = take(ledger, *folders)
    assert (first.rejected, first.passed_over) == ([], {})
    assert len(first.sessions) > 30
    assert fsck(ledger) == ""
    again = take(ledger, *folders)
    assert (again.events, again.bytes) == (0, 0)


def test_each_byte_of_the_real_transcripts_is_kept_once(ledger: Ledger, fixtures_dir: Path) -> None:
    redactor = ledger.place.redactor
    wanted: dict[str, dict[bytes, int]] = {}
    for name in AGENT_FOLDERS[:2]:
        for file in (fixtures_dir / name).glob("*.jsonl"):
            session_lines(file, redactor.line, wanted)
    take(ledger, *(fixtures_dir / name for name in AGENT_FOLDERS[:2]))
    kept = sum(map(len, attachments(ledger)))
    documents = sum(p.stat().st_size for n in AGENT_FOLDERS[:2] for p in (fixtures_dir / n).glob("*.json"))
    expected = sum(len(line) * times for lines in wanted.values() for line, times in lines.items())
    assert abs(kept - expected - documents) <= documents // 10


def session_lines(file: Path, redacted, wanted: dict[str, dict[bytes, int]]) -> None:  # type: ignore[no-untyped-def]
    """The lines of a file by session: as often as they stand in the one file of the session that has most of them."""
    from ledger.recording import transcripts

    here: dict[str, dict[bytes, int]] = {}
    with file.open("rb") as stream:
        found = transcripts.read(stream)
        for unit in found.units:
            lines = here.setdefault(str(SessionId.of(found.agent, unit.session or "unknown")), {})
            line = redacted(unit.raw)
            lines[line] = lines.get(line, 0) + 1
    for session, lines in here.items():
        known = wanted.setdefault(session, {})
        for line, times in lines.items():
            known[line] = max(known.get(line, 0), times)


def test_of_two_files_of_one_session_the_longer_adds_only_its_tail(ledger: Ledger, fixtures_dir: Path) -> None:
    short = fixtures_dir / "codex" / "entireio-skills__ckpt_61_686a4a3647_0_full.jsonl"
    long = fixtures_dir / "codex" / "entireio-skills__ckpt_b0_39b06be676_0_full.jsonl"
    first, second = take(ledger, short), take(ledger, long)
    tail = ledger.place.redactor.line(long.read_bytes()[short.stat().st_size :])
    assert second.bytes == len(tail)
    assert second.sessions == first.sessions
    assert attachments(ledger)[-1][-200:] == tail[-200:]


def test_the_readers_and_the_folders_of_the_fixtures_are_the_same_agents() -> None:
    assert set(ADAPTERS) == {"claude-code", "codex", "gemini"}


def test_a_lock_that_a_killed_import_left_on_the_attachments_is_set_aside(ledger: Ledger) -> None:
    layout, payloads = ledger.place.layout, ledger.place.payloads
    assert layout is not None
    assert payloads is not None
    take(ledger, SAMPLES[0])
    locks = [layout.payloads_dir / f"{ref}.lock" for ref in payloads.store.refs()]
    for lock in locks:
        lock.touch()
        os.utime(lock, (1, 1))
    raw, grown = SAMPLES[0].read_bytes(), layout.root.parent / "grown.jsonl"
    grown.write_bytes(raw + raw.splitlines(keepends=True)[-1].replace(b"\n", b" \n"))
    assert take(ledger, grown).bytes > 0
    assert sum(lock.exists() for lock in locks) == len(locks) - 1


def test_a_nul_in_a_transcript_costs_a_character_and_no_event(disk_ledger: Ledger, tmp_path: Path) -> None:
    lines = (DATA / "claude-code.jsonl").read_text().replace("Fix the failing", "Fix the\\u0000failing")
    (tmp_path / "nul.jsonl").write_text(lines)
    done = import_transcripts(disk_ledger.place, [tmp_path / "nul.jsonl"])
    assert done.rejected == []
    assert "Fix the\ufffdfailing test" in [
        event_of(commit).data.get("text") for commit in disk_ledger.place.store.walk([main_tip(disk_ledger.place)])
    ]
