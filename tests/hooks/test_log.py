"""The log: a line of JSON for whatever goes wrong where nobody looks, without secrets, and never too much of it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.hooks.log import note
from ledger.storage.layout import Layout

SECRET = "ghp_" + "a1B2" * 9
WRITER = """
import sys
from pathlib import Path
from ledger.hooks.log import note
from ledger.storage.layout import Layout
for number in range(40):
    note(Layout(Path(sys.argv[1])), "drain.log", f"{sys.argv[2]}:{number}: " + "x" * 2000, what="drain.failed")
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "logs").mkdir()
    return Layout(tmp_path)


@pytest.fixture
def noted(layout: Layout) -> Callable[[], list[dict[str, Any]]]:
    """What stands in the log and in the last one, the oldest first; every line has to be one JSON object."""

    def read() -> list[dict[str, Any]]:
        files = [path for name in ("drain.log.1", "drain.log") if (path := layout.logs / name).exists()]
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    return read


def test_a_line_says_when_what_and_who(layout: Layout, noted: Callable[[], list[dict[str, Any]]]) -> None:
    note(layout, "drain.log", "it does\nnot work", what="drain.failed")
    note(layout, "drain.log", "nor that", what="checkpoint.failed", level="warning", session="s1")
    first, second = noted()
    assert first.pop("time") <= second.pop("time") < "9999-12-31T23:59:59.999999Z"
    assert first == {"level": "error", "what": "drain.failed", "text": "it does not work", "pid": os.getpid()}
    assert (second["level"], second["session"]) == ("warning", "s1")


def test_only_the_owner_may_read_it_and_no_secret_stands_in_it(layout: Layout) -> None:
    layout.config.write_text("[redaction]\nrules = { zebra = 'zebra[0-9]+' }\n")
    note(layout, "drain.log", f'said "{SECRET}", zebra77 and \ud800', what="drain.failed")
    path = layout.logs / "drain.log"
    assert SECRET not in path.read_text()
    assert json.loads(path.read_text())["text"] == 'said "[redacted:github-token]", [redacted:zebra] and ?'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_does_not_grow_for_ever(layout: Layout, noted: Callable[[], list[dict[str, Any]]]) -> None:
    for number in range(8):
        note(layout, "drain.log", f"{number} " + "x" * 100_000, what="drain.failed")
    assert sorted(path.name for path in layout.logs.iterdir()) == ["drain.log", "drain.log.1"]
    assert sum(path.stat().st_size for path in layout.logs.iterdir()) < 800_000
    assert [line["text"][0] for line in noted()] == list("34567")


def test_lines_of_many_processes_stay_whole_and_none_is_lost(
    layout: Layout, noted: Callable[[], list[dict[str, Any]]]
) -> None:
    """The log is full once meanwhile: were it begun anew twice, what the last one held would be gone."""
    command = [sys.executable, "-c", WRITER, str(layout.root)]
    writers = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert (layout.logs / "drain.log.1").exists()
    found = sorted(line["text"].partition(": ")[0] for line in noted())
    assert found == sorted(f"{writer}:{number}" for writer in range(4) for number in range(40))


def test_of_a_line_that_the_disk_does_not_take_nothing_stays(
    layout: Layout, noted: Callable[[], list[dict[str, Any]]]
) -> None:
    """Files of that process end at 10,000 bytes: of the fifth line only a part can be written."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)){WRITER}"
    subprocess.run([sys.executable, "-c", limited, str(layout.root), "limited"], check=True, timeout=60)
    note(layout, "drain.log", "there is room again", what="drain.failed")
    assert [line["text"].partition(": ")[0] for line in noted()] == [
        *(f"limited:{number}" for number in range(4)),
        "there is room again",
    ]


def test_nobody_waits_for_a_process_that_hangs_while_it_begins_a_log_anew(layout: Layout) -> None:
    (layout.logs / "drain.log").write_text("x" * 300_000 + "\n")
    hanging = os.open(layout.logs, os.O_RDONLY)
    fcntl.flock(hanging, fcntl.LOCK_EX)
    note(layout, "drain.log", "said all the same", what="drain.failed")
    os.close(hanging)
    assert "said all the same" in (layout.logs / "drain.log").read_text()
    assert not (layout.logs / "drain.log.1").exists()


def test_where_nothing_can_be_written_nothing_is_raised(tmp_path: Path) -> None:
    note(Layout(tmp_path / "gone"), "drain.log", "x", what="drain.failed")
    assert not (tmp_path / "gone").exists()
