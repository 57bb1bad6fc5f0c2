"""Import: what the transcripts of past sessions tell becomes events, and their lines are kept as attachments.

Importing again adds nothing: every fact has an origin, every line a digest. A file that grew adds its
tail, a document that was rewritten adds what is new in it.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ledger.actions.append import LEFT_SECONDS, Appended, Draft, append_private, publish
from ledger.actions.find import tips
from ledger.actions.ignoring import covers_at
from ledger.actions.tip import Author, event_of
from ledger.core.clock import stamp
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.errors import BusyError, InvalidError, LedgerError, NotFoundError, StorageError, UsageError
from ledger.recording import transcripts
from ledger.recording.adapter import Draft as Fact
from ledger.recording.adapter import Transcript, Unit
from ledger.recording.ignored import LEFT_LINE, Covers, Screen, without_contents
from ledger.recording.lines import split_lines
from ledger.storage.layout import Layout, session_ref
from ledger.storage.locks import Lock
from ledger.storage.loose import quarantine
from ledger.storage.place import Place
from ledger.storage.refs import left_locks
from ledger.storage.seen import Seen, digest
from ledger.storage.store import Commit

if TYPE_CHECKING:
    from ledger.storage.payloads import Attachment, PayloadStore

BATCH = 4096  # events written at once
CHUNK = 4 * 1024 * 1024  # bytes of lines in one attachment
LOCK_SECONDS = 60.0
FAILED = "!"  # ends the ref of a failure that was told after the call itself
_SUFFIXES = (".jsonl", ".json")

Progress = Callable[[int], None]


class Rejected(NamedTuple):
    """A line that could not be read, or of which a fact (`event`, its type) was refused; its bytes are kept."""

    file: str
    line: int
    reason: str
    event: str | None = None


class _Told(NamedTuple):
    """What is to be written, and the line that told it."""

    line: int
    draft: Draft


@dataclass(slots=True)
class Imported:
    """What an import did: events added, facts that were there already, lines or facts rejected, bytes kept."""

    events: int = 0
    skipped: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0
    passed_over: dict[str, str] = field(default_factory=dict)

    @property
    def refused(self) -> list[Rejected]:
        """The facts that break a rule of the ledger, less the lines that could not be read."""
        return [one for one in self.rejected if one.event is not None]


def import_transcripts(
    place: Place, paths: Sequence[Path], agent: str | None = None, progress: Progress | None = None
) -> Imported:
    """Import transcript files, and all transcripts below folders.

    A file named by itself that is no transcript, or another agent's, is refused (RefusedError, InvalidError)
    before anything is written; one found in a folder is passed over and said so. A fact that is refused is set aside
    alone (`rejected`), and is tried again by the next import. `progress` is told the number of bytes read.
    """
    layout = place.layout
    if layout is None or place.payloads is None:
        raise UsageError("a ledger in memory keeps no transcripts")
    began = time.perf_counter()
    done = Imported()
    files, covers = list(_files(paths, agent, done)), covers_at(layout)
    with caught_up(place, layout) as seen:
        for file in files:
            _import_file(place, seen, file, done, covers, progress)
        catch_up(place, seen)
    done.seconds = time.perf_counter() - began
    return done


def total_bytes(paths: Sequence[Path]) -> int:
    """How many bytes an import of these paths will read."""
    return sum(file.stat().st_size for path in paths for file in _below(path))


@contextmanager
def caught_up(place: Place, layout: Layout, wait: float = LOCK_SECONDS) -> Iterator[Seen]:
    """What was recorded already, up to now; nobody else records a fact by its origin until the block ends.

    Raises BusyError where somebody else does, for longer than `wait` seconds.
    """
    with Lock(layout.import_lock).hold(wait), Seen(layout.seen) as seen:
        catch_up(place, seen)
        yield seen


def unrecorded(place: Place, seen: Seen, session: str, drafts: Sequence[Draft]) -> Iterator[Draft]:
    """The drafts less those whose origin the session has recorded, or that an earlier one of them has too."""
    known = seen.origins(session)
    for draft in drafts:
        mark = digest(place.redactor.text(draft.origin["ref"])) if draft.origin else None
        if mark is None or mark not in known:
            yield draft
        if mark is not None:
            known.add(mark)


def catch_up(place: Place, seen: Seen) -> None:
    """Bring the index of origins up to the present tips."""
    heads, before = tips(place), seen.heads()
    if set(heads) == set(before):
        return
    # The ends of sessions' own lines are among them: a long turn is not read again with every payload of it.
    known = [oid for oid in heads if oid in before]
    if len(known) < len(heads):
        known = [oid for oid in before if place.store.find(oid)]
    commits = place.store.walk(heads, known, order="newest")
    seen.add_origins(_remembered(place, seen, list(commits)))
    seen.move_heads(heads)


def remember_events(place: Place, seen: Seen, done: Appended) -> None:
    """Put what was written just now into the index of origins."""
    if not done.events:
        return
    seen.add_origins((e.session, ref) for e in done.events if e.origin is not None for ref in _refs_of(e))
    # Somebody else may have written in between: then what lies there is still to be read.
    if not set(place.store.commit(done.commits[0]).parents).isdisjoint(seen.heads()):
        seen.add_head(done.commits[-1])


def _remembered(place: Place, seen: Seen, commits: Iterable[Commit]) -> Iterator[tuple[str, str]]:
    """The origins of events, by session; of those that name lines of a transcript, the lines are remembered too."""
    for event in map(event_of, commits):
        if event.origin is None:
            continue
        yield from ((event.session, ref) for ref in _refs_of(event))
        if event.type == "transcript.appended" and place.payloads is not None:
            with suppress(NotFoundError):  # recorded elsewhere, where attachments are not shared
                raw = place.payloads.get(event.data["attachment"]["id"])
                lines = Counter(digest(line.raw) for line in split_lines([raw]))
                seen.add_lines(event.session, event.origin["ref"], lines)


def _refs_of(event: Event) -> tuple[str, ...]:
    return _refs(event.type, str((event.origin or {})["ref"]))


def _refs(kind: str, ref: str) -> tuple[str, ...]:
    """The refs by which a fact is known; that a call failed is known apart from the call.

    Some hooks have no exit code, and tell a command that failed as one that ended: the transcript adds what is missing.
    """
    return (ref, ref if ref.endswith(FAILED) else f"{ref}{FAILED}") if kind == "tool.failed" else (ref,)


def _files(paths: Sequence[Path], agent: str | None, done: Imported) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise NotFoundError(f"{path} does not exist", hint="give a transcript file, or a folder that holds some")
        for file in _below(path):
            found = _recognised(file, agent, done, is_named=file == path)
            if found:
                yield file


def _recognised(file: Path, agent: str | None, done: Imported, *, is_named: bool) -> bool:
    try:
        found = _head_agent(file)
    except LedgerError as error:
        if is_named:
            if str(file) not in error.message:
                error.args = (f"{file}: {error.message}",)
                error.message = error.args[0]
            raise
        done.passed_over[str(file)] = ": ".join(line.strip(" :") for line in error.message.splitlines())
        return False
    if agent is None or found == agent:
        return True
    if is_named:
        raise UsageError(f"{file} is a {found} transcript, not {agent}", hint=f"ledger import {found} {file}")
    done.passed_over[str(file)] = f"a {found} transcript"
    return False


def _head_agent(file: Path) -> str:
    with _reading(file) as stream:
        return transcripts.read(stream).agent


def _reading(file: Path) -> BufferedReader:
    try:
        if not file.is_file():
            raise UsageError(f"{file} is not a regular file", hint="give a transcript file, or a folder")
        return file.open("rb")
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error


def _below(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = (p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file() and not p.is_symlink())
    # A session's own transcript before those of its subagents, which repeat its start.
    return sorted(found, key=lambda p: ("subagents" in p.parts or p.name.startswith("agent-"), p))


def _import_file(
    place: Place, seen: Seen, file: Path, done: Imported, covers: Covers | None, progress: Progress | None
) -> None:
    content, refused = _content_digest(file), len(done.refused)
    facts = seen.facts_of_file(content)
    if facts is not None:
        done.skipped += facts
        if progress:
            progress(file.stat().st_size)
        return
    with _reading(file) as stream:
        transcript = transcripts.read(stream)
        intake = Intake(place, seen, transcript, str(file), done, covers)
        for unit in transcript.units:
            intake.take(unit)
            if progress:
                progress(len(unit.raw))
        intake.finish()
    if len(done.refused) == refused:  # else it is read again, and what is wrong is said again
        seen.add_file(content, intake.facts)
    seen.keep()


def _content_digest(file: Path) -> bytes:
    with _reading(file) as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest()


class Intake:
    """One transcript on its way in: what is new in it is collected by session, and written in batches."""

    def __init__(
        self, place: Place, seen: Seen, transcript: Transcript, file: str, done: Imported, covers: Covers | None = None
    ) -> None:
        self.place, self.seen, self.transcript, self.file, self.done = place, seen, transcript, file, done
        self._covers, self._screen = covers, None if covers is None else Screen(covers)
        self.facts = 0
        self._lines: dict[str, _Session] = {}

    def take(self, unit: Unit, *, is_kept: bool = False) -> None:
        """Take in what is new in a unit; `is_kept` says that its bytes are kept already, as they stand."""
        unit = self._without_ignored(unit)
        if unit.problem is not None:
            self.done.rejected.append(Rejected(self.file, unit.number, unit.problem))
        key = unit.session or "unknown"
        self._session(key).keep_line(unit, is_kept=is_kept)
        for fact in unit.drafts:
            self.facts += 1
            if self._session(fact.session).add(fact, unit.number):
                continue
            self.done.skipped += 1
        if sum(len(s.drafts) for s in self._lines.values()) >= BATCH:
            self.write()

    def _without_ignored(self, unit: Unit) -> Unit:
        if self._covers is None or self._screen is None:
            return unit
        facts = tuple(without_contents(fact, self._covers) for fact in unit.drafts)
        return replace(unit, drafts=facts, raw=LEFT_LINE if self._screen.hides(unit.raw) else unit.raw)

    def finish(self) -> None:
        """Write the rest; a session that does not live has ended, and what was written is brought to main."""
        self.write()
        for session in self._lines.values():
            session.end()

    def _session(self, key: str) -> _Session:
        if key not in self._lines:
            self._lines[key] = _Session(self, key)
        return self._lines[key]

    def write(self) -> None:
        """Write what was taken in so far."""
        for session in self._lines.values():
            session.write()


class _Session:
    """What is new of one session."""

    def __init__(self, intake: Intake, key: str) -> None:
        agent = intake.transcript.agent
        self.intake, self.key = intake, key
        self.author = Author(str(SessionId.of(agent, key)), agent)
        self.drafts: list[_Told] = []
        self._known = intake.seen.origins(self.author.session)
        self._kept = intake.seen.lines(self.author.session)
        self._met: Counter[bytes] = Counter()
        self._before: Counter[bytes] = Counter()
        self._new: Counter[bytes] = Counter()
        self._attached: list[tuple[str, Counter[bytes]]] = []
        self._raw: list[bytes] = []
        self._size = 0
        self._numbers: list[int] = []
        self._unreadable: list[int] = []
        self._time: str | None = None
        self._line = 0
        self._wrote = False

    def add(self, fact: Fact, line: int) -> bool:
        """Take in a fact that a line told; False if it is recorded already."""
        self._time, self._line = fact.time, line
        ref = next((ref for ref in _refs(fact.type, fact.ref) if self._mark(ref) not in self._known), None)
        if ref is None:
            return False
        self._known.update(self._mark(ref) for ref in _refs(fact.type, fact.ref))
        draft = Draft(fact.type, fact.data, fact.time, {"source": "transcript", "ref": ref})
        self.drafts.append(_Told(line, draft))
        return True

    def _mark(self, ref: str) -> bytes:
        return digest(self.intake.place.redactor.text(ref))

    def keep_line(self, unit: Unit, *, is_kept: bool) -> None:
        if is_kept:
            # Not searched for secrets once more, which takes three times as long as all the rest.
            self._before[digest(unit.raw)] += 1
            return
        line = self.intake.place.redactor.line(unit.raw)
        mark = digest(line)
        if mark not in self._met:
            self._met[mark] = self._before[digest(unit.raw)]
        self._met[mark] += 1
        if self._met[mark] <= self._kept[mark]:
            return
        self._new[mark] += 1
        self._raw.append(line)
        self._size += len(line)
        self._numbers.append(unit.number)
        if unit.problem is not None:
            self._unreadable.append(unit.number)
        if self._size >= CHUNK:
            self._attach()

    def write(self) -> None:
        """Write what was taken in so far: the attachment first, then the events, one of which names it."""
        self._attach()
        if not self.drafts:
            return
        drafts, self.drafts = self.drafts, []
        self._append(drafts)
        for ref, lines in self._attached:
            self.intake.seen.add_lines(self.author.session, ref, lines)
            self._kept += lines
        self._attached = []

    def _append(self, told: Sequence[_Told]) -> None:
        """Write them; of those that are refused, each is set aside alone."""
        done = self.intake.done
        try:
            appended = append_private(self.intake.place, self.author, [one.draft for one in told])
        except InvalidError as error:
            # Nothing was written. By halves, one bad fact among thousands costs each of the others two attempts.
            if len(told) > 1:
                self._append(told[: len(told) // 2])
                self._append(told[len(told) // 2 :])
            else:
                self._set_aside(told[0], error)
            return
        done.events += len(appended.events)
        if self.author.session not in done.sessions:
            done.sessions.append(self.author.session)
        self._wrote = True

    def _set_aside(self, told: _Told, error: InvalidError) -> None:
        kind = told.draft.type
        if kind == "transcript.appended":  # the lines themselves, which must be kept under a name
            raise error
        reason = "; ".join(map(str, error.problems)) or error.message
        self.intake.done.rejected.append(Rejected(self.intake.file, told.line, reason, kind))

    def end(self) -> None:
        """Take the session off the roster, unless it lives, and bring what was written to main."""
        if not self._wrote:
            return
        layout = self.intake.place.layout
        lives = layout is not None and (layout.live / self.author.session).exists()
        if not lives:
            end = Fact("session.ended", self._time or stamp(0), {"reason": "imported"}, "session.ended", self.key)
            self.add(end, self._line)
            self.write()
        publish(self.intake.place, self.author)

    def _attach(self) -> None:
        payloads = self.intake.place.payloads
        if not self._raw or payloads is None:
            return
        raw = b"".join(self._raw)
        ref = f"transcript:{hashlib.sha256(raw).hexdigest()}"
        # The pieces of a document are not its lines, so that an index made anew knows them by this name alone.
        if self.intake.transcript.form == "jsonl" or digest(ref) not in self._known:
            ref = self._free(ref)
            self._known.add(digest(ref))
            self._draft_attachment(self._put(payloads, raw), ref)
            self._attached.append((ref, self._new))
        self._new = Counter()
        self._raw, self._numbers, self._unreadable, self._size = [], [], [], 0

    def _put(self, payloads: PayloadStore, raw: bytes) -> Attachment:
        name = f"{self._numbers[0]:08d}"
        try:
            return payloads.put(self.author.session, raw, name)
        except BusyError:
            # Whoever puts lines here holds the lock of imports, as we do: this one was left by somebody killed.
            if not self._set_left_lock_aside():
                raise
            return payloads.put(self.author.session, raw, name)

    def _set_left_lock_aside(self) -> bool:
        layout = self.intake.place.layout
        if layout is None:
            return False
        lock = layout.payloads_dir / f"{session_ref(self.author.session)}.lock"
        left = [path for path in left_locks(layout.payloads_dir, older_than=LEFT_SECONDS) if path == lock]
        return bool(quarantine(left, layout.quarantine))

    def _free(self, ref: str) -> str:
        """A name for lines that may stand in a transcript several times."""
        free, turn = ref, 1
        while digest(free) in self._known:
            turn += 1
            free = f"{ref}.{turn}"
        return free

    def _draft_attachment(self, kept: Attachment, ref: str) -> None:
        data = {
            "form": self.intake.transcript.form,
            "attachment": {"id": kept.id, "sha256": kept.sha256, "size": kept.size},
            "first": self._numbers[0],
            "lines": len(self._raw),
        }
        if self._unreadable:
            data["unreadable"] = self._unreadable[:1000]
        draft = Draft("transcript.appended", data, self._time, {"source": "transcript", "ref": ref})
        self.drafts.append(_Told(self._numbers[0], draft))
        self.intake.done.bytes += kept.size
