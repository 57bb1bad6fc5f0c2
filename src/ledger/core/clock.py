"""The hybrid logical clock: ids that sort by time and never sort before what their writer saw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ledger.core.ids import EventId
from ledger.errors import RefusedError

DAY = 86_400_000  # milliseconds
MAX_AHEAD = 7 * DAY  # how far a ledger's newest id may lie ahead of the local clock
MAX_GAP = 400 * DAY  # how far the local clock may lie ahead of a ledger's newest id
_LOW = (1 << 62) - 1  # the bits of an id that are random
_STEP = 1 << 40  # 4 million roots of epochs have room beside the first event, and no two collide by chance
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def next_id(now_ms: int, after: EventId | None, random62: int) -> EventId:
    """Return a UUIDv7 greater than `after` and not before `now_ms`.

    The clock advances in the millisecond and the 12 counter bits; the low 62 bits are `random62`
    as given, so that two writers who saw the same past never share an id (RFC 9562, section 6.2).
    """
    millis, counter = now_ms, 0
    if after is not None and after.millis >= millis:
        millis, counter = after.millis, after.counter + 1
        if counter > 0xFFF:
            millis, counter = millis + 1, 0
    low = (0b10 << 62) | (random62 & ((1 << 62) - 1))
    text = f"{millis:012x}7{counter:03x}{low:016x}"
    return EventId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def id_beside(first: EventId, random62: int) -> EventId:
    """Return an id that sorts after `first` and before every id whose writer saw that.

    Millisecond and counter are those of `first`, which `next_id` never gives twice in one line; the low bits are
    greater by a random step. Raises RefusedError where no room is left.
    """
    low = int(first[19:].replace("-", ""), 16) & _LOW
    room = _LOW - low
    if room < 1:
        raise RefusedError(f"no id is left between {first} and those that came after it")
    text = f"{(0b10 << 62) | (low + 1 + random62 % min(room, _STEP)):016x}"
    return EventId(f"{first[:19]}{text[:4]}-{text[4:]}")


def refuse_jump(now_ms: int, newest: EventId | None) -> None:
    """Raise RefusedError if the local clock and the newest id of a ledger cannot both be right."""
    if newest is None:
        return
    if newest.millis - now_ms > MAX_AHEAD:
        raise RefusedError(
            f"the clock says {stamp(now_ms * 1000)}, but the newest event of this ledger is from "
            f"{_shown(newest)}, more than 7 days later",
            hint="set the clock of this machine; if it is right, write with LEDGER_ACCEPT_CLOCK=1 until it has "
            "caught up (`ledger log` shows the newest events)",
        )
    if now_ms - newest.millis > MAX_GAP:
        raise RefusedError(
            f"the clock says {stamp(now_ms * 1000)}, more than 400 days after the newest event of this ledger "
            f"({_shown(newest)}): it may have jumped",
            hint="set the clock of this machine; if it is right, say so once: LEDGER_ACCEPT_CLOCK=1",
        )


def stamp(micros: int) -> str:
    """Write microseconds since 1970 as 'YYYY-MM-DDTHH:MM:SS.ffffffZ', the form of every time in a ledger."""
    return (_EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def micros(text: str) -> int:
    """Read a time as `stamp` writes it; raises ValueError on any other form."""
    moment = datetime.fromisoformat(text) if text.endswith("Z") else _EPOCH
    found = (moment - _EPOCH) // timedelta(microseconds=1)
    # Python reads many more forms of ISO 8601: weeks, fewer digits, a comma.
    if stamp(found) != text:
        raise ValueError(f"not a time of a ledger: {text!r}")
    return found


def _shown(newest: EventId) -> str:
    # 48 bits of milliseconds reach the year 10889, Python's calendar only 9999.
    return stamp(min(newest.millis, _LATEST) * 1000)
