"""Places in a text, named for people; and the step from bytes to text that all readers share."""

from __future__ import annotations

from ledger.errors import InvalidError, Problem


def place(line: int, column: int) -> str:
    """Name a place, given its line and column counted from 0."""
    return f"line {line + 1}, column {column + 1}"


def place_of(text: str, offset: int) -> str:
    """Name the place of the character at `offset`."""
    return place(text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1))


def decode(raw: bytes) -> str:
    """Return the text that `raw` holds as UTF-8; raises InvalidError naming the first wrong byte."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        sound = raw[: error.start].decode("utf-8")
        rule = f"byte 0x{raw[error.start]:02X} is not UTF-8; save the text as UTF-8"
        raise InvalidError("the text is not UTF-8", [Problem(place_of(sound, len(sound)), rule)]) from None
