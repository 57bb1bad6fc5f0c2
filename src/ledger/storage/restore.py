"""What an unclean stop may have left behind, found without libgit2, and the pieces to put it right.

Who recovers a ledger works in this order, under `Layout.recovery_lock`: `check`; `quarantine` the
damaged objects and refs; write the journal's commits again; re-fold the trees they name; set refs.
Rewriting an object before its damaged file is moved away would heal nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ledger.errors import DamageError
from ledger.storage import journal
from ledger.storage.files import refusals, write_file
from ledger.storage.journal import JournalRecord
from ledger.storage.layout import Layout
from ledger.storage.loose import LooseObjects
from ledger.storage.opening import CONFIG, HEAD
from ledger.storage.packs import Packs
from ledger.storage.refs import BadRef, bad_refs

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Findings(NamedTuple):
    """What the check at opening found; all empty for a sound ledger."""

    empty_files: tuple[Path, ...]
    bad_refs: tuple[BadRef, ...]
    missing: tuple[JournalRecord, ...]
    torn: tuple[Path, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing has to be put right; a torn record was never acknowledged."""
        return not (self.empty_files or self.bad_refs or self.missing)


def check(layout: Layout) -> Findings:
    """Look for what a power cut takes: HEAD and config, refs, and the journal's commits.

    Costs a stat for each file and a read for each commit in the journal: under a millisecond with
    few of them. It does not look at older objects: `has_rebooted` says when `scan_loose` is due.
    """
    readings = journal.read_all(layout.journal)
    records = [record for reading in readings.values() for record in reading.records]
    return Findings(
        empty_files=tuple(empty_files(layout)),
        bad_refs=tuple(bad for git_dir in layout.repositories for bad in bad_refs(git_dir)),
        missing=tuple(missing_commits(layout.git_dir, records)),
        torn=tuple(path for path, reading in readings.items() if reading.is_torn),
    )


def has_rebooted(layout: Layout) -> bool:
    """Whether the machine has started anew since `note_boot`.

    A killed process cannot damage an object, for each is renamed into place whole; a stop of the
    machine can. Where the system has no boot id the answer is True.
    """
    try:
        return _boot_id() != layout.boot.read_text(encoding="ascii")
    except OSError:
        return True


def note_boot(layout: Layout) -> None:
    """Remember that the ledger was found sound since the machine started."""
    with refusals(layout.boot):
        if _BOOT_ID.exists():
            write_file(layout.boot, _boot_id().encode(), durable=False)


def counting(records: Iterable[JournalRecord]) -> list[JournalRecord]:
    """The records of commits that count: not superseded by a later one."""
    known = list(records)
    superseded = {record.supersedes for record in known}
    return [record for record in known if record.raw and record.oid not in superseded]


def missing_commits(git_dir: Path, records: Iterable[JournalRecord]) -> list[JournalRecord]:
    """The records whose commit the repository lacks, or holds damaged as a loose object.

    One in a pack counts as stored: packs are synced before they get their name; `fsck` reads them.
    """
    objects, packs = LooseObjects(git_dir, durable=False), Packs(git_dir)
    try:
        return [record for record in counting(records) if not _is_stored(objects, packs, record)]
    finally:
        packs.close()


def empty_files(layout: Layout) -> list[Path]:
    """HEAD and config files that are absent or hold nothing: libgit2 does not sync them."""
    wanted = [git_dir / name for git_dir in layout.repositories for name in ("HEAD", "config")]
    return [path for path in wanted if not path.exists() or not path.read_bytes().strip(b"\0")]


def rewrite_empty_files(layout: Layout) -> list[Path]:
    """Write HEAD and config again where they are empty; which ones."""
    rewritten = empty_files(layout)
    for path in rewritten:
        with refusals(path):
            write_file(path, HEAD if path.name == "HEAD" else CONFIG, durable=True)
    return rewritten


def _is_stored(objects: LooseObjects, packs: Packs, record: JournalRecord) -> bool:
    try:
        found = objects.read(record.oid)
    except DamageError:
        return False
    return found == ("commit", record.raw) or (found is None and packs.has(record.oid))


def _boot_id() -> str:
    return _BOOT_ID.read_text(encoding="ascii").strip()
