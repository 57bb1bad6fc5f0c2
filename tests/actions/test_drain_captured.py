"""Real sessions of Codex: whatever its hooks told and its transcript tells, each fact is one event, in either order."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.actions.payloads import at, events

from ledger.actions.drain import drain
from ledger.actions.import_transcripts import import_transcripts
from ledger.api import Ledger
from ledger.core.ids import SessionId
from ledger.storage import spool

SESSIONS = ("01a20438-d747-76d0-a265-1302be3c4220", "01a2043c-fcd5-70c0-b777-52b9e4b641cf")
FACTS = ("prompt.submitted", "tool.completed", "tool.failed", "turn.ended", "usage.reported")


@pytest.fixture(params=SESSIONS)
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def transcript(fixtures_dir: Path, tmp_path: Path, key: str) -> Path:
    (found,) = (fixtures_dir / "codex").glob(f"captured__rollout-*-{key}.jsonl")
    return Path(shutil.copy(found, tmp_path / found.name.removeprefix("captured__")))


def capture(ledger: Ledger, folder: Path, key: str, transcript: Path) -> int:
    """Let all that the session's hooks were told wait; how many payloads that is."""
    number = 0
    for number, payload in enumerate(_payloads(folder, key), 1):
        raw = json.dumps(payload | {"transcript_path": str(transcript)}).encode()
        at(spool.put(ledger.layout, "codex", payload["hook_event_name"], os.getpid(), raw), 1_795_000_000 + number)
    return number


def _payloads(folder: Path, key: str) -> Iterator[dict[str, str]]:
    for path in sorted((folder / "hooks" / "codex" / "captured").glob("*.json")):
        payload = json.loads(path.read_bytes())
        if payload.get("session_id") == key:
            yield payload


def told(ledger: Ledger, key: str) -> Counter[tuple[str, str]]:
    """How often each fact is told, by type and ref."""
    found = events(ledger, SessionId.of("codex", key))
    return Counter((e.type, e.origin["ref"]) for e in found if e.type in FACTS and e.origin)


def test_an_import_after_the_hooks_adds_nothing(
    disk_ledger: Ledger, fixtures_dir: Path, key: str, transcript: Path
) -> None:
    assert capture(disk_ledger, fixtures_dir, key, transcript) > 3
    done = drain(disk_ledger.place)
    assert (done.rejected, done.waiting, done.unread) == (0, 0, ())
    facts = told(disk_ledger, key)
    assert {"prompt.submitted", "turn.ended", "usage.reported"} & {kind for kind, _ in facts}
    assert set(facts.values()) == {1}
    before = events(disk_ledger)
    assert import_transcripts(disk_ledger.place, [transcript]).events == 0
    assert events(disk_ledger) == before


def test_hooks_after_an_import_add_no_fact(disk_ledger: Ledger, fixtures_dir: Path, key: str, transcript: Path) -> None:
    import_transcripts(disk_ledger.place, [transcript])
    facts = told(disk_ledger, key)
    capture(disk_ledger, fixtures_dir, key, transcript)
    assert drain(disk_ledger.place).rejected == 0
    assert told(disk_ledger, key) == facts
