"""The project's own small transcripts, and short ways of reading them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ledger.recording import transcripts
from ledger.recording.adapter import Draft, Unit

DATA = Path(__file__).parent / "data"
SAMPLES = sorted(path.name for path in DATA.iterdir())

DraftOf = dict[str, Any]


def sample(name: str) -> bytes:
    """The bytes of one of the project's own transcripts."""
    return (DATA / name).read_bytes()


def units(raw: bytes, **how: Any) -> list[Unit]:
    """All units of a transcript."""
    return list(transcripts.read([raw], **how).units)


def drafts(raw: bytes, **how: Any) -> list[Draft]:
    """All drafts of a transcript, in order."""
    return [draft for unit in units(raw, **how) for draft in unit.drafts]


def of_type(raw: bytes, kind: str, **how: Any) -> list[Draft]:
    """The drafts of one type."""
    return [draft for draft in drafts(raw, **how) if draft.type == kind]


def data_of(raw: bytes, kind: str, **how: Any) -> list[DraftOf]:
    """What the drafts of one type say."""
    return [draft.data for draft in of_type(raw, kind, **how)]


def problems(raw: bytes, **how: Any) -> dict[int, str]:
    """The numbers of the units with a problem, and which."""
    return {unit.number: unit.problem for unit in units(raw, **how) if unit.problem}


def spent(found: list[Draft]) -> Counter[str]:
    """All tokens of these drafts, added up."""
    total: Counter[str] = Counter()
    for draft in found:
        if draft.type == "usage.reported":
            total.update({key: value for key, value in draft.data.items() if isinstance(value, int)})
    return total
