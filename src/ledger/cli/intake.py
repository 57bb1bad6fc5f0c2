"""Taking in what people and programs give: values, texts and files, each within bounds and checked."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from ledger.core import canonical
from ledger.errors import InvalidError, NotFoundError, Problem, UsageError

# More than any event may hold, so that a refusal can still name what is wrong inside a slightly large one.
MAX_VALUE_BYTES = 1 << 20
STDIN = Path("-")

_DURATION = re.compile(r"(\d{1,9})\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_FOREIGN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def text_given(text: str, field: str) -> str:
    """A text from the command line; raises InvalidError for control characters, and bytes that are no UTF-8."""
    found = _FOREIGN.search(text)
    if found is None:
        return text
    raise InvalidError(
        f"the {field} cannot be taken:",
        [Problem(field, _rule_against(found[0], found.start()))],
        hint="leave it out; line ends and tabs are allowed",
    )


def value_given(
    text: str | None, json_value: str | None = None, file: Path | None = None, text_file: Path | None = None
) -> Any:
    """The one value that a command was given, in whichever form; raises UsageError for none or several."""
    given = [form for form in (text, json_value, file, text_file) if form is not None]
    if len(given) != 1:
        raise UsageError(
            "give one value" if not given else "give one value, not several",
            hint="VALUE is a text; --json-value takes JSON, --file a file of YAML or JSON, --text-file a text",
        )
    if text is not None:
        return text_given(text, "value")
    if json_value is not None:
        return json_given(json_value)
    return value_in(file) if file is not None else text_in(text_file or STDIN)


def json_given(text: str) -> Any:
    """The value that a JSON text on the command line means."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise InvalidError(
            "the value is not JSON:",
            [Problem("--json-value", str(error))],
            hint="a text stands in double quotes there; VALUE without the option takes a text as it is",
        ) from error
    return _loaded(text, "--json-value")


def value_in(file: Path) -> Any:
    """The value in a file of YAML or JSON; `-` is standard input."""
    return _loaded(bytes_in(file), _name_of(file))


def _loaded(text: str | bytes, source: str) -> Any:
    try:
        return canonical.loads_lenient(text, max_bytes=MAX_VALUE_BYTES)
    except InvalidError as error:
        raise InvalidError(
            f"{source} cannot be taken as a value:",
            error.problems,
            hint="values are plain YAML or JSON: texts, numbers, true, false, null, lists and mappings",
        ) from error


def _name_of(file: Path) -> str:
    return "standard input" if file == STDIN else str(file)


def text_in(file: Path) -> str:
    """The text of a file, exactly; `-` is standard input."""
    raw = bytes_in(file)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        rule = f"byte 0x{raw[error.start]:02X} at position {error.start} is not UTF-8"
        raise InvalidError(
            "the text is not UTF-8:", [Problem(_name_of(file), rule)], hint="save it as UTF-8"
        ) from error
    return text_given(text, "value")


def bytes_in(file: Path, limit: int = MAX_VALUE_BYTES) -> bytes:
    """The bytes of a file or of standard input (`-`); of what is larger than `limit`, no more is read."""
    if file == STDIN:
        require_stdin()
        raw = sys.stdin.buffer.read(limit + 1)
    else:
        require_file(file)
        with file.open("rb") as stream:
            raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise InvalidError(
            "too much to read:",
            [Problem(_name_of(file), f"holds more than {limit:,} bytes")],
            hint="keep the large part in a file of its own and put its path into the ledger",
        )
    return raw


def seconds_given(text: str, option: str) -> int:
    """The whole seconds that a text such as 90, 90s, 10m, 2h or 7d means; raises UsageError for any other."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"{option}: {text!r} is no length of time", hint=f"for example: {option} 90, {option} 10m")
    return int(found[1]) * _SECONDS[found[2]]


def require_stdin() -> None:
    """Raise UsageError where standard input is closed."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="give it something to read, or name a file")


def require_file(file: Path) -> None:
    """Raise NotFoundError or UsageError for a path that names no file."""
    if not file.exists():
        raise NotFoundError(f"{file} does not exist", hint="check the path")
    if file.is_dir():
        raise UsageError(f"{file} is a folder", hint="name a file in it")


def _rule_against(character: str, position: int) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"byte 0x{ord(character) - 0xDC00:02X} at character {position + 1} is not UTF-8"
    kind = "lone surrogate" if "\ud800" <= character <= "\udfff" else "control character"
    return f"the {kind} U+{ord(character):04X} at character {position + 1} is not allowed"
