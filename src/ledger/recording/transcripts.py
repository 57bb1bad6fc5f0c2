"""Reading transcripts: whose is it, and what is in it.

Both are told from content alone; a file's name proves nothing. Reading never fails on damage: what
cannot be read is a unit with a problem, its bytes kept, and everything else is read as usual.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any, BinaryIO

from ledger.errors import InvalidError, Problem, RefusedError, UsageError
from ledger.recording import claude_code, codex, gemini
from ledger.recording.adapter import Adapter, Reader, Record, Transcript, Unit
from ledger.recording.document import Piece, document_head, document_pieces
from ledger.recording.foreign import foreign_title
from ledger.recording.lines import LONGEST_LINE, NOT_AN_OBJECT, Line, parse_object, split_lines

ADAPTERS: dict[str, Adapter] = {module.NAME: module for module in (claude_code, codex, gemini)}

# A document cannot be read piece by piece; the largest ones of a day's work are a tenth of this.
LONGEST_DOCUMENT = 256 * 1024 * 1024

_CHUNK = 1024 * 1024
_HEAD = 1024 * 1024
_LOOK_AT = 48
_HINT = "Claude Code, Codex and Gemini CLI transcripts can be read"


def recognise(head: bytes) -> str:
    """The agent whose transcript begins with these bytes: "claude-code", "codex" or "gemini".

    Looks at the first 48 lines that can be read, so damage at the start does no harm; of a mixed
    file the agent with most lines wins. Raises RefusedError naming a foreign agent, and
    InvalidError if nothing is known of such content.
    """
    records = _records(head)
    own = Counter(agent for record in records if (agent := _agent_of(record)))
    if own:
        return own.most_common(1)[0][0]
    foreign = Counter(title for record in records if (title := foreign_title(record)))
    if foreign:
        title = _with_article(foreign.most_common(1)[0][0])
        raise RefusedError(f"this is {title} transcript; it cannot be read yet", hint=_HINT)
    raise InvalidError("not a transcript", [Problem("", _what_is_missing(head, records))], hint=_HINT)


def read(
    source: Iterable[bytes] | BinaryIO,
    *,
    agent: str | None = None,
    session: str | None = None,
    growing: bool = False,
) -> Transcript:
    """Read a transcript from a binary file or from pieces of bytes, cut anywhere.

    JSONL is read line by line: memory is bounded by the longest line (32 MiB; longer ones are
    reported), the tool calls that wait for a result, and a few bytes per fact. `agent` skips the
    recognition. `session` names the session of a transcript that names none; without it, one is
    made from the digest of its first record. `growing` says that the agent still writes: what the
    next line may change (the usage of the last message, the end of the last turn) is left to the
    next reading.

    Raises what `recognise` raises, and UsageError for an unknown `agent`; the units never raise.
    """
    chunks = _chunks(source)
    head, agent = _first_bytes(chunks, agent)
    adapter = ADAPTERS[agent]
    form = _form(head)
    reader = adapter.reader(session or _session(head, adapter))
    whole = chain([head], chunks)
    units = _json_units(whole, adapter, reader) if form == "json" else _jsonl_units(whole, adapter, reader)
    return Transcript(agent, form, units if growing else _with_rest(units, reader))


# Whose it is


def _agent_of(record: Record) -> str | None:
    if "loglines" in record:
        return claude_code.NAME
    return next((agent for agent, adapter in ADAPTERS.items() if adapter.owns(record)), None)


def _records(head: bytes) -> list[Record]:
    """The first readable lines; if none has a known shape, the document that they may begin."""
    parsed = (parse_object(line.raw) for line in split_lines([head]))
    records = _first_objects(parsed)
    if any(_agent_of(record) or foreign_title(record) for record in records):
        return records
    document = document_head(head) or parse_object(head)
    return [document] if isinstance(document, dict) else records


def _first_objects(parsed: Iterable[Record | str]) -> list[Record]:
    records: list[Record] = []
    for record in parsed:
        if isinstance(record, dict):
            records.append(record)
            if len(records) == _LOOK_AT:
                break
    return records


def _with_article(title: str) -> str:
    return f"{'an' if title[0] in 'AEIOU' else 'a'} {title}"


def _what_is_missing(head: bytes, records: list[Record]) -> str:
    if not head.strip():
        return "it is empty"
    if any("hook_event_name" in record for record in records):
        return "these are payloads of an agent's hooks"
    return "no line has the shape of an agent's record"


def _form(head: bytes) -> str:
    """What the bytes begin: "json", one document with a list of messages, or "jsonl", a record a line."""
    document = document_head(head)
    if document is None:
        return "jsonl"
    objects = (line for line in split_lines([head]) if isinstance(parse_object(line.raw), dict))
    return "jsonl" if len(list(islice(objects, 2))) == 2 else "json"


def _session(head: bytes, adapter: Adapter) -> str:
    """The session that the head names first, else a name made from its first record."""
    records = _records(head)
    named = next((key for record in records if (key := adapter.session_of(record))), None)
    if named:
        return named
    first = next((line.raw for line in split_lines([head]) if isinstance(parse_object(line.raw), dict)), head)
    return "unnamed-" + hashlib.sha256(first.strip()).hexdigest()[:16]


# Bytes


def _chunks(source: Iterable[bytes] | BinaryIO) -> Iterator[bytes]:
    if hasattr(source, "read"):
        return iter(lambda: source.read(_CHUNK), b"")
    return iter(source)


def _first_bytes(chunks: Iterator[bytes], agent: str | None) -> tuple[bytes, str]:
    """The bytes by which the agent is known: a mebibyte, or more while its first line is longer."""
    if agent is not None and agent not in ADAPTERS:
        raise UsageError(f"no reader for the agent {agent!r}", hint=f"known: {', '.join(ADAPTERS)}")
    head, wanted = b"", _HEAD
    while True:
        head, ended = _fill(head, chunks, wanted)
        try:
            return head, agent or recognise(head)
        except InvalidError:
            if ended or wanted > LONGEST_LINE:
                raise
            wanted *= 8


def _fill(head: bytes, chunks: Iterator[bytes], wanted: int) -> tuple[bytes, bool]:
    parts, size = [head], len(head)
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size >= wanted:
            return b"".join(parts), False
    return b"".join(parts), True


# Units


def _jsonl_units(chunks: Iterable[bytes], adapter: Adapter, reader: Reader) -> Iterator[Unit]:
    for line in split_lines(chunks):
        if line.piece:
            yield _long_line(line, reader)
        elif line.raw.isspace() or (record := _parsed(line.raw)) == NOT_AN_OBJECT:
            # A bare value ("massive error", 42) is whole and tells nothing; a cut object is never one.
            yield Unit(line.number, line.raw, reader.session)
        else:
            yield _unit(line.number, line.raw, record, adapter, reader)


def _long_line(line: Line, reader: Reader) -> Unit:
    problem = f"longer than {LONGEST_LINE // 2**20} MiB" if line.piece == 1 else None
    return Unit(line.number, line.raw, reader.session, problem=problem)


def _parsed(raw: bytes) -> Record | str:
    """The record of a line. A last line without its end may be whole; if not, it is still being written."""
    record = parse_object(raw)
    return "incomplete last line" if isinstance(record, str) and not raw.endswith(b"\n") else record


def _json_units(chunks: Iterable[bytes], adapter: Adapter, reader: Reader) -> Iterator[Unit]:
    raw, ended = _fill(b"", iter(chunks), LONGEST_DOCUMENT + 1)
    if not ended or len(raw) > LONGEST_DOCUMENT:
        yield Unit(0, raw, reader.session, problem=f"longer than {LONGEST_DOCUMENT // 2**20} MiB")
        yield from (Unit(0, chunk, reader.session) for chunk in chunks)
        return
    for piece in document_pieces(raw):
        yield _piece_unit(piece, adapter, reader)


def _piece_unit(piece: Piece, adapter: Adapter, reader: Reader) -> Unit:
    if piece.number == 0:
        fields: Record = piece.value or {}
        return Unit(0, piece.raw, reader.session, reader.drafts(_head_record(fields)), piece.problem)
    record: Record | str = piece.value if piece.value is not None else piece.problem or "not JSON"
    return _unit(piece.number, piece.raw, record, adapter, reader)


def _head_record(fields: dict[str, Any]) -> Record:
    """A document's own fields; its `type` would make it look like a message."""
    return {key: value for key, value in fields.items() if key not in ("type", "$set")}


def _unit(number: int, raw: bytes, record: Record | str, adapter: Adapter, reader: Reader) -> Unit:
    if isinstance(record, str):
        return Unit(number, raw, reader.session, problem=record)
    if not adapter.owns(record) and (stranger := _stranger(record)):
        return Unit(
            number,
            raw,
            reader.session,
            problem=f"{_with_article(stranger)} line in a {adapter.TITLE} transcript",
        )
    drafts = reader.drafts(record)
    return Unit(number, raw, reader.session, drafts)


def _stranger(record: Record) -> str | None:
    other = _agent_of(record)
    return ADAPTERS[other].TITLE if other else foreign_title(record)


def _with_rest(units: Iterator[Unit], reader: Reader) -> Iterator[Unit]:
    """The units, the last of them with the facts that waited for more."""
    last: Unit | None = None
    for unit in units:
        if last is not None:
            yield last
        last = unit
    if last is not None:
        yield replace(last, drafts=last.drafts + reader.rest())
