"""What the journal acknowledged is read back, whatever happened to the writer or to the file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import StorageError, UsageError
from ledger.storage import journal
from ledger.storage.journal import CUT_ABOVE, Journal, JournalRecord
from ledger.storage.layout import MAIN, session_ref

OID, OTHER = "a" * 40, "b" * 40

records = st.builds(
    JournalRecord,
    st.just(OID),
    st.binary(max_size=200),
    st.lists(st.sampled_from([MAIN, session_ref("a"), "refs/heads/\u00e9"]), max_size=2).map(tuple),
    st.sampled_from([None, OTHER]),
)


def record(n: int, size: int = 100) -> JournalRecord:
    return JournalRecord(f"{n:040x}", b"%d " % n + b"x" * size, (MAIN,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.journal"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal")


@given(written=st.lists(records, max_size=5))
def test_records_read_back_as_they_were_written(folder: Path, written: list[JournalRecord]) -> None:
    path = folder / "j"
    path.write_bytes(b"".join(map(journal.encode, written)))
    reading = journal.read(path)
    assert list(reading.records) == written
    assert not reading.is_torn


@pytest.mark.parametrize("durability", ["full", "batch"])
def test_what_was_appended_is_there(path: Path, durability: str) -> None:
    written = [record(n) for n in range(50)]
    with Journal(path, durability) as log:
        for one in written[:25]:
            log.append(one, sync=False)
        for one in written[25:]:
            log.append(one)
    assert list(journal.read(path).records) == written


def test_none_writes_nothing(path: Path) -> None:
    with Journal(path, "none") as log:
        log.append(record(1))
        log.flush()
    assert not path.exists()
    assert journal.read(path) == journal.Reading((), 0, 0)


def test_an_unknown_durability_is_a_wrong_call(path: Path) -> None:
    with pytest.raises(UsageError):
        Journal(path, "sometimes")


def test_a_record_torn_at_any_byte_costs_nothing_but_itself(path: Path) -> None:
    frames = [journal.encode(record(n)) for n in range(3)]
    whole = b"".join(frames)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        reading = journal.read(path)
        assert reading.good == sum(len(f) for f in frames[: len(reading.records)]) <= length
        assert reading.is_torn == (reading.good < length)
        with Journal(path, "batch") as log:
            log.append(record(9))
        assert journal.read(path).records == (*reading.records, record(9))


def test_a_flipped_bit_is_never_believed(path: Path) -> None:
    frame = journal.encode(record(1, 20))
    for bit in range(len(frame) * 8):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert journal.read(path).records == ()


WRITER = """
import sys
from pathlib import Path
from ledger.storage.journal import Journal
from tests.storage.test_journal import record
with Journal(Path(sys.argv[1])) as log:
    for n in range(100000):
        log.append(record(n, 5000))
        print(n, flush=True)
"""


def test_a_writer_killed_at_any_moment_loses_nothing_it_acknowledged(path: Path) -> None:
    for _ in range(4):
        path.unlink(missing_ok=True)
        run = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(run, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as writer:
            assert writer.stdout is not None
            for _ in range(40):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        found = journal.read(path).records
        assert list(found) == [record(n, 5000) for n in range(len(found))]
        assert len(found) > acknowledged


def test_two_open_journals_write_behind_each_other(path: Path) -> None:
    with Journal(path) as one, Journal(path) as two:
        for n in range(10):
            (one if n % 2 else two).append(record(n))
    assert [r.oid for r in journal.read(path).records] == [record(n).oid for n in range(10)]


def test_what_a_dead_writer_left_torn_is_cut_off_by_a_living_one(path: Path) -> None:
    with Journal(path) as log:
        log.append(record(1))
        with path.open("ab") as other:
            other.write(journal.encode(record(2))[:-5])
        log.append(record(3))
    assert journal.read(path).records == (record(1), record(3))


def test_a_cut_journal_is_empty_and_goes_on(path: Path) -> None:
    with Journal(path) as log, Journal(path) as other:
        log.append(record(1))
        other.append(record(2))
        log.cut()
        assert path.stat().st_size == 0
        other.append(record(3))
    assert journal.read(path).records == (record(3),)


def test_a_removed_journal_is_made_again(path: Path) -> None:
    with Journal(path) as log:
        log.append(record(1))
        path.unlink()
        log.append(record(2))
    assert journal.read(path).records == (record(2),)


def test_a_journal_is_cut_by_itself_but_never_within_a_batch(path: Path) -> None:
    big = record(1, CUT_ABOVE)
    with Journal(path, "batch") as log:
        log.append(big, sync=False)
        log.append(record(2), sync=False)
        log.append(record(3))
        assert len(journal.read(path).records) == 3
        log.append(record(4))
        assert journal.read(path).records == (record(4),)


def test_a_batch_is_synced_within_milliseconds_and_when_it_ends(path: Path, tmp_path: Path) -> None:
    """Counted by the kernel: many appends, few syncs, and one after the last append."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    code = (
        "import sys\nfrom pathlib import Path\nfrom ledger.storage.journal import Journal\n"
        "from tests.storage.test_journal import record\n"
        "with Journal(Path(sys.argv[1]), 'batch') as log:\n"
        "    for n in range(300): log.append(record(n))\n"
    )
    trace = tmp_path / "trace"
    run = ["strace", "-f", "-o", str(trace), "-e", "trace=write,fdatasync", sys.executable, "-c", code, str(path)]
    subprocess.run(run, check=True, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    calls = [line for line in trace.read_text().splitlines() if "LJ1 " in line or "fdatasync(" in line]
    syncs = [line for line in calls if "fdatasync(" in line]
    assert 1 <= len(syncs) < 150
    assert "fdatasync(" in calls[-1]


FAILING = """
import sys
from pathlib import Path
from ledger.errors import StorageError
from ledger.storage.journal import Journal
from tests.storage.test_journal import record
with Journal(Path(sys.argv[1])) as log:
    log.append(record(1))
    inode = Path(sys.argv[1]).stat().st_ino
    try:
        log.append(record(2))
    except StorageError as refused:
        print(refused)
    log.append(record(3))
    assert Path(sys.argv[1]).stat().st_ino != inode
"""


def test_after_a_failed_sync_the_record_goes_to_a_fresh_file(path: Path) -> None:
    """The kernel forgets which pages it lost, so the same file is never synced again."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    inject = "inject=fdatasync:error=EIO:when=2"
    run = ["strace", "-f", "-o", os.devnull, "-e", "trace=fdatasync", "-e", inject, sys.executable, "-c", FAILING]
    ran = subprocess.run([*run, str(path)], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Input/output error" in ran.stdout
    assert [r.oid for r in journal.read(path).records] == [record(n).oid for n in (1, 2, 3)]


def test_a_full_disk_refuses_the_record_as_a_whole(small_disk: Path) -> None:
    path = small_disk / "s.journal"
    written = []
    with Journal(path) as log:
        with pytest.raises(StorageError, match="No space left"):
            _fill(log, written)
        assert list(journal.read(path).records) == written
        assert not journal.read(path).is_torn
        (small_disk / "room").unlink(missing_ok=True)
        log.append(record(9_999, 10))
    assert list(journal.read(path).records) == [*written, record(9_999, 10)]


def _fill(log: Journal, written: list[JournalRecord]) -> None:
    for n in range(10_000):
        log.append(record(n, 3_000))
        written.append(record(n, 3_000))


def test_threads_end_with_close(path: Path) -> None:
    before = threading.active_count()
    with Journal(path, "batch") as log:
        log.append(record(1))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_a_journal_is_private(path: Path) -> None:
    os.umask(0)
    with Journal(path) as log:
        log.append(record(1))
    assert path.stat().st_mode & 0o777 == 0o600


def test_all_journals_of_a_folder_are_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with Journal(tmp_path / f"{name}.journal") as log:
            log.append(record(ord(name)))
    (tmp_path / "empty.journal").touch()
    (tmp_path / "other").write_text("x")
    assert [path.stem for path in journal.read_all(tmp_path)] == ["a", "b"]
