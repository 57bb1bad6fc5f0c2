"""Writing canonical text: `dumps`, and `problems`, which says why a value cannot be written."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import NamedTuple

from ledger.core.canonical.value import INT_MAX, INT_MIN, MAX_DEPTH, MAX_KEY, Value
from ledger.errors import InvalidError, Problem

# A list of problems ends here: a value that contains itself would have no end of them.
_MAX_PROBLEMS = 100

# What stands in a text as itself. The rest is escaped: controls, NEL and the line and paragraph separators
# (YAML 1.1 breaks lines there), bidirectional overrides and isolates (a line that displays as another one:
# CVE-2021-42574), BOM, noncharacters. Fixed ranges and never `str.isprintable`, whose answer changes with
# the Unicode version of the Python that runs. ASCII first and nothing negated: 26 letters take 0.25 us so,
# and 1.2 us the other way round.
_WIDE_RANGES = (
    (0x00A1, 0x167F),
    (0x1681, 0x1FFF),
    (0x200B, 0x2027),
    (0x2030, 0x205E),
    (0x2060, 0x2065),
    (0x206A, 0x2FFF),
    (0x3001, 0xD7FF),
    (0xE000, 0xFDCF),
    (0xFDF0, 0xFEFE),
    (0xFF00, 0xFFFD),
    *((plane << 16, plane << 16 | 0xFFFD) for plane in range(1, 17)),
)
_WIDE = "".join(f"{chr(first)}-{chr(last)}" for first, last in _WIDE_RANGES)
_WIDE_ENDS = [end for first, last in _WIDE_RANGES for end in (first, last + 1)]
_WIDE_OR_SPACE = rf"{_WIDE}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_OF_NUMBERS = r"0-9A-Fa-fXxOoTtZz_.,:+\- "
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class _Shapes(NamedTuple):
    """What the spellings of a text look like."""

    plain: re.Pattern[str]
    one_line: re.Pattern[str]
    literal: re.Pattern[str]
    escaped: re.Pattern[str]


def _shapes(wide: str, wide_or_space: str) -> _Shapes:
    # Possessive quantifiers and atomic groups throughout: no text can make these search backwards.
    return _Shapes(
        plain=re.compile(
            rf"{_UUID}\Z|"
            rf"(?:[A-Za-z_/$({wide}]|[0-9](?=[{_OF_NUMBERS}]*+[^{_OF_NUMBERS}]))"  # no number, date or time
            rf"[ -~{wide}]*+(?<![ :])"
        ),
        one_line=re.compile(rf"[ -~{wide_or_space}]*+"),
        literal=re.compile(
            rf"[!-~{wide_or_space}][\t -~{wide_or_space}]*+"
            rf"(?>(?:\n++ *+[!-~{wide_or_space}][\t -~{wide_or_space}]*+)*)\n*+"
        ),
        escaped=re.compile(rf"[^ !#-\[\]-~{wide_or_space}]"),
    )


_NARROW = _shapes("", "")._replace(escaped=re.compile(r"[\x00-\x1f\x7f\"\\]"))


@cache
def _wide() -> _Shapes:
    # Compiling these takes 30 ms: a fifth of what a hook may take that answers.
    return _shapes(_WIDE, _WIDE_OR_SPACE)


def _sized_up(text: str) -> tuple[_Shapes, str]:
    """The shapes to hold a text against, and what is held against them: for letters beyond ASCII, a stand-in."""
    if text.isascii():
        return _NARROW, text
    if len(text) > _LONG or not all(map(_is_wide, set(text))):
        return _wide(), text
    # `?` may stand everywhere but in front, where a letter may: one that is no digit of any base.
    in_front = "" if text[0].isascii() else "g"
    return _NARROW, in_front + text.encode("ascii", "replace").decode("ascii")[len(in_front) :]


@lru_cache(maxsize=4096)
def _is_wide(character: str) -> bool:
    """Whether a character is ASCII, or beyond it and stands for itself in a plain text."""
    return character.isascii() or bisect_right(_WIDE_ENDS, ord(character)) % 2 == 1


# What some parser of YAML, 1.1 or 1.2, or of what JSON writers write, reads as something else than text.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"])
_LONGEST_WORD = max(map(len, _WORDS))

_SHORT_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_LONG = 2_000  # characters, from which on the wide shapes are ten times as fast as a stand-in
_NEVER_IN_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_BREAK_BEFORE_TEXT = re.compile(r"\n(?=[^\n])")
_SIMPLE_STEP = re.compile(r"[A-Za-z0-9_/-]+")


class UnwritableError(Exception):
    """Breaks off the writing; `problems` then finds out why, all at once."""


def dumps(document: Mapping[str, Value], *, first: Sequence[str] = ()) -> str:
    """Return the canonical text of `document`, ending with a line end: the same value gives the same bytes.

    The keys in `first` lead the outermost mapping, in that order; all other keys are sorted by code point.
    Raises InvalidError with every reason why the document cannot be written.
    """
    try:
        return spell(document, first)
    except UnwritableError:
        raise InvalidError(
            "this cannot be written as canonical text",
            problems(dict(document)),
            hint="change what is named above; bytes and oversized numbers can be written as text",
        ) from None


def problems(value: object, path: str = "") -> list[Problem]:
    """Return every reason why `value` cannot be written (at most 100), each with its dotted path.

    An empty list promises that it can be, as the outermost level; `path` is where the paths start.
    """
    return list(islice(_faults(value, path, 1), _MAX_PROBLEMS))


def spell(document: Mapping[str, Value], first: Sequence[str]) -> str:
    """Do the work of `dumps`, but raise UnwritableError without looking for the reasons."""
    if not document:
        return "{}\n"
    out: list[str] = []
    _put_mapping(document, _in_order(document, first), "", "", out)
    out.append("")
    return "\n".join(out)


def _in_order(document: Mapping[str, Value], first: Sequence[str]) -> list[str]:
    leading = [key for key in first if key in document]
    if len(leading) == len(document):
        return leading
    return leading + _by_code_point(document.keys() - leading)


def _by_code_point(keys: Iterable[str]) -> list[str]:
    try:
        return sorted(keys)
    except TypeError:  # keys of several types do not compare
        raise UnwritableError from None


def _put_mapping(value: Mapping[str, Value], keys: list[str], lead: str, pad: str, out: list[str]) -> None:
    """Write one entry a line, the first after `lead` (which may hold dashes), the others after `pad`."""
    _guard_depth(pad)
    for key in keys:
        item = value[key]
        head = lead + _spell_key(key)
        if isinstance(item, str):
            out.append(head + " " + _spell_text(item, pad))
        elif item and isinstance(item, dict):
            out.append(head)
            _put_mapping(item, _by_code_point(item), pad + "  ", pad + "  ", out)
        elif item and isinstance(item, list):
            out.append(head)
            _put_sequence(item, pad + "  ", pad + "  ", out)
        else:
            out.append(head + " " + _spell_other(item, pad))
        lead = pad


def _put_sequence(value: list[Value], lead: str, pad: str, out: list[str]) -> None:
    _guard_depth(pad)
    for item in value:
        head = lead + "- "
        if isinstance(item, str):
            out.append(head + _spell_text(item, pad))
        elif item and isinstance(item, dict):
            _put_mapping(item, _by_code_point(item), head, pad + "  ", out)
        elif item and isinstance(item, list):
            _put_sequence(item, head, pad + "  ", out)
        else:
            out.append(head + _spell_other(item, pad))
        lead = pad


def _guard_depth(pad: str) -> None:
    if len(pad) > 2 * (MAX_DEPTH - 1):
        raise UnwritableError


# The same keys stand in one event after the other, so their spelling is remembered.
@lru_cache(maxsize=2048)
def _spell_key(key: object) -> str:
    if not isinstance(key, str):
        raise UnwritableError
    spelled = _spell_on_one_line(str.__str__(key))
    if len(spelled) > MAX_KEY:
        raise UnwritableError
    return spelled + ":"


def _spell_on_one_line(text: str) -> str:
    return text if _is_plain(text) else _spell_quoted(text)


def _spell_text(text: str, pad: str) -> str:
    if _is_plain(text):
        return text
    if "\n" in text:
        shapes, seen = _sized_up(text)
        if shapes.literal.fullmatch(seen):
            return _spell_literal(text, pad + "  ")
    return _spell_quoted(text)


def _is_plain(text: str) -> bool:
    shapes, seen = _sized_up(text)
    if not shapes.plain.fullmatch(seen):
        return False
    if " " in text:
        return ": " not in text and " #" not in text and " :" not in text
    return len(text) > _LONGEST_WORD or text.lower() not in _WORDS


def _spell_literal(text: str, pad: str) -> str:
    if text.endswith("\n\n"):
        header, body = "|+", text[:-1]
    elif text.endswith("\n"):
        header, body = "|", text[:-1]
    else:
        header, body = "|-", text
    return f"{header}\n{pad}" + _BREAK_BEFORE_TEXT.sub("\n" + pad, body)


def _spell_quoted(text: str) -> str:
    shapes, seen = _sized_up(text)
    if shapes.one_line.fullmatch(seen):
        return "'" + text.replace("'", "''") + "'"
    if _NEVER_IN_TEXT.search(text):
        raise UnwritableError
    return '"' + shapes.escaped.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _spell_other(value: object, pad: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and INT_MIN <= value <= INT_MAX:
        return int.__repr__(value)
    if isinstance(value, float) and math.isfinite(value):
        return _spell_float(value)
    if isinstance(value, list | dict):
        _guard_depth(pad + "  ")
        return "{}" if isinstance(value, dict) else "[]"
    raise UnwritableError


def _spell_float(value: float) -> str:
    # YAML 1.1 reads an exponent only behind a point: to PyYAML, Python's `1e+16` is text.
    shortest = float.__repr__(value)
    return shortest if "." in shortest else shortest.replace("e", ".0e")


def _faults(value: object, path: str, level: int) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _text_faults(value, path)
    elif not isinstance(value, list | dict):
        yield from _scalar_faults(value, path)
    elif level > MAX_DEPTH:
        yield Problem(path, f"nests deeper than {MAX_DEPTH} levels")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, f"{path}[{number}]", level + 1)
    else:
        for key, item in value.items():
            step = _step(path, key)
            yield from _key_faults(key, step)
            yield from _faults(item, step, level + 1)


def _text_faults(text: str, path: str) -> Iterator[Problem]:
    found = _NEVER_IN_TEXT.search(text)
    if found:
        what = "the character NUL" if found[0] == "\0" else f"the lone surrogate U+{ord(found[0]):04X}"
        yield Problem(path, f"holds {what}, which no canonical text can carry")


def _key_faults(key: object, path: str) -> Iterator[Problem]:
    if not isinstance(key, str):
        yield Problem(path, f"has a key of type {type(key).__name__}; keys are text")
    elif _NEVER_IN_TEXT.search(key):
        yield from _text_faults(key, path)
    elif len(_spell_on_one_line(key)) > MAX_KEY:
        yield Problem(path, f"has a key that takes more than {MAX_KEY} characters to write")


def _scalar_faults(value: object, path: str) -> Iterator[Problem]:
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            yield Problem(path, "is an integer beyond 64 bits (-2^63 to 2^63-1)")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem(path, f"is {value}, which canonical text does not carry")
    elif value is not None:
        carried = "null, booleans, numbers, text, lists and mappings"
        yield Problem(path, f"is of type {type(value).__name__}; canonical text carries {carried}")


def _step(path: str, key: object) -> str:
    name = str(key)
    if not _SIMPLE_STEP.fullmatch(name):
        name = json.dumps(name)
    if len(name) > 40:
        name = name[:40] + "…"
    return f"{path}.{name}" if path else name
