"""Reading what people write: YAML (block or flow) and JSON, under a strict scanner."""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from ledger.core.canonical.place import decode, place, place_of
from ledger.core.canonical.value import INT_MAX, INT_MIN, MAX_DEPTH, Value
from ledger.core.canonical.writer import problems
from ledger.errors import InvalidError, Problem

if TYPE_CHECKING:
    from yaml.events import CollectionStartEvent, DocumentStartEvent, Event, ScalarEvent

_MAX_PROBLEMS = 20

# Neither raw in a text nor, by an escape, in a value: C0 but LF and tab, DEL, C1, surrogates.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
_FORBIDDEN_VALUE = re.compile(rf"[{_CONTROLS}]")
_FORBIDDEN_RAW = re.compile(rf"[{_CONTROLS}\u2028\u2029\ufeff\ufffe\uffff]")
_RAW_RULES = {
    "\r": "a carriage return is not allowed; save the text with LF line ends",
    "\ufeff": "a byte order mark is not allowed; save the text as UTF-8 without one",
    **dict.fromkeys("\x85\u2028\u2029", "this line separator is not allowed; end the line with LF"),
}
_SURROGATE_PAIR = re.compile(r"(?<!\\)((?>(?:\\\\)*))\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")

# The core schema of YAML 1.2, less what few people mean as a number: 014, 0o14 and 0x1F stay text.
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]++|(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?)(?:[eE][-+]?[0-9]++)?")
# YAML's spellings and those of JSON writers: taking the latter for text would hide a broken number.
_NOT_FINITE = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF|Infinity)|\.nan|\.NaN|\.NAN|NaN")


def loads_lenient(text: str | bytes, *, max_bytes: int = 1 << 20) -> Value:
    """Return the value that a person wrote, as one document of YAML (block or flow) or JSON.

    What it returns, `dumps` can write. Plain scalars follow the YAML 1.2 core schema: `no`, `12:30:45`,
    dates, `014` and `0x1F` are text. The parser's events are checked one by one, before anything is built
    from them, so that no text costs more than its size.

    Raises InvalidError with place, rule and way out for each problem: more than `max_bytes`, not UTF-8, BOM,
    control characters other than LF and tab, lone surrogates, keys that are no text or stand twice, anchors,
    aliases, tags, merge keys, directives, several documents or none, infinity, NaN, integers beyond 64 bits,
    more than 64 levels.
    """
    builder = _Builder()
    _feed(builder, _checked(text, max_bytes))
    found = builder.problems or problems(builder.value)
    if found:
        raise InvalidError("the text cannot be taken as a value", found)
    return builder.value


def _checked(text: str | bytes, max_bytes: int) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        rule = f"{size} bytes, of which {max_bytes} are allowed; give a shorter text"
        raise InvalidError("the text is too large", [Problem(place(0, 0), rule)])
    source = text if isinstance(text, str) else decode(text)
    hits = islice(_FORBIDDEN_RAW.finditer(source), _MAX_PROBLEMS)
    found = [Problem(place_of(source, hit.start()), _rule_against(hit[0])) for hit in hits]
    if found:
        raise InvalidError("the text holds characters that are not allowed", found)
    return _join_surrogate_pairs(source)


def _rule_against(character: str) -> str:
    kind = "lone surrogate" if "\ud800" <= character <= "\udfff" else "control character"
    return _RAW_RULES.get(character, f"the {kind} U+{ord(character):04X} is not allowed; leave it out")


def _join_surrogate_pairs(source: str) -> str:
    r"""Turn `\ud83d\ude00`, as JSON writers escape an emoji, into the character: libyaml refuses the escapes.

    Only in JSON: there, a backslash stands nowhere but in a double-quoted string.
    """
    if not _SURROGATE_PAIR.search(source) or not _is_json(source):
        return source
    return _SURROGATE_PAIR.sub(_join, source)


def _join(pair: re.Match[str]) -> str:
    high, low = int(pair[2], 16), int(pair[3], 16)
    return pair[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def _is_json(source: str) -> bool:
    try:
        json.loads(source, parse_int=str, parse_float=str)  # str: 5,000 digits cost nothing, and raise nothing
    except (ValueError, RecursionError):
        return False
    return True


def _feed(builder: _Builder, source: str) -> None:
    import yaml  # only those who read what people wrote pay for it: 15 ms

    try:
        for event in yaml.parse(source, Loader=yaml.CSafeLoader):
            builder.take(event)
            if builder.is_full:
                return
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        rule = f"{error.problem}; text that holds one of : # [ ] {{ }} , & * ! may have to stand in quotes"
        builder.note(place(mark.line, mark.column) if mark else "", rule)


class _Open:
    """A list or mapping whose end has not come yet; a mapping awaits a key, then its value."""

    __slots__ = ("awaits_key", "container", "key")

    def __init__(self, container: list[Value] | dict[str, Value]) -> None:
        self.container = container
        self.awaits_key = isinstance(container, dict)
        self.key = ""

    def put(self, value: Value) -> None:
        if isinstance(self.container, list):
            self.container.append(value)
        elif self.awaits_key:
            self.key, self.awaits_key = (value if isinstance(value, str) else ""), False
        else:
            self.container[self.key], self.awaits_key = value, True


class _Builder:
    """Builds one value out of parser events, and notes every problem with its place."""

    def __init__(self) -> None:
        self.value: Value = None
        self.problems: list[Problem] = []
        self.is_full = False
        self._documents = 0
        self._open: list[_Open] = []

    def note(self, where: str, rule: str) -> None:
        self.problems.append(Problem(where, rule))
        self.is_full = self.is_full or len(self.problems) >= _MAX_PROBLEMS

    def take(self, event: Event) -> None:
        # By name: the classes live in PyYAML, which is not imported with this module.
        step = self._STEPS.get(type(event).__name__)
        if step:
            step(self, event)

    def _note_at(self, event: Event, rule: str) -> None:
        mark = event.start_mark
        self.note(place(mark.line, mark.column) if mark else "", rule)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if event.version or event.tags:
            self._note_at(event, "directives (%YAML, %TAG) are not allowed; leave the line out")
        if self._documents > 1:
            self._note_at(event, "a second document starts here; give one document at a time")
            self.is_full = True

    def _end_stream(self, event: Event) -> None:
        if not self._documents:
            self._note_at(event, "there is no value; write null if that is meant")

    def _refuse_alias(self, event: Event) -> None:
        self._note_at(event, "aliases (*name) are not allowed; write the value out, or quote the text")
        self._put(None)

    def _take_scalar(self, event: ScalarEvent) -> None:
        self._check_properties(event)
        value = self._resolve(event) if event.implicit[0] else event.value
        self._check_text(event)
        if self._awaits_key:
            self._check_key(event, value)
        self._put(value)

    def _start_list(self, event: CollectionStartEvent) -> None:
        self._start(event, [])

    def _start_mapping(self, event: CollectionStartEvent) -> None:
        self._start(event, {})

    def _start(self, event: CollectionStartEvent, container: list[Value] | dict[str, Value]) -> None:
        self._check_properties(event)
        if self._awaits_key:
            self._note_at(event, "a mapping key must be text, not a list or mapping; put it in quotes")
        self._put(container)
        self._open.append(_Open(container))
        if len(self._open) > MAX_DEPTH:
            self._note_at(event, f"lists and mappings nest at most {MAX_DEPTH} deep; make the value flatter")
            self.is_full = True

    def _end(self, _: Event) -> None:
        self._open.pop()

    @property
    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1].awaits_key

    def _put(self, value: Value) -> None:
        if self._open:
            self._open[-1].put(value)
        else:
            self.value = value

    def _check_properties(self, event: ScalarEvent | CollectionStartEvent) -> None:
        if event.anchor is not None:
            self._note_at(event, "anchors (&name) are not allowed; leave it out, or quote the text")
        if event.tag is not None:
            self._note_at(event, "tags (!name) are not allowed; leave it out, or quote the text")

    def _check_text(self, event: ScalarEvent) -> None:
        found = _FORBIDDEN_VALUE.search(event.value)
        if found:
            self._note_at(event, f"the text holds U+{ord(found[0]):04X}, which is not allowed; leave it out")

    def _check_key(self, event: ScalarEvent, key: Value) -> None:
        if event.implicit[0] and event.value == "<<":
            self._note_at(event, "merge keys (<<) are not allowed; write the fields out")
        elif not isinstance(key, str):
            self._note_at(event, f"the key {event.value[:40]!r} is not text; put it in quotes")
        elif key in self._open[-1].container:
            self._note_at(event, f"the key {key[:40]!r} stands here a second time; keep one of the two")

    def _resolve(self, event: ScalarEvent) -> Value:
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return self._integer(event, text)
        if _FLOAT.fullmatch(text):
            return self._finite(event, float(text))
        return self._finite(event, math.nan) if _NOT_FINITE.fullmatch(text) else text

    def _integer(self, event: ScalarEvent, text: str) -> Value:
        # Length first: int() is quadratic in the digits, and raises beyond 4,300 of them.
        if len(text) <= 20 and INT_MIN <= int(text) <= INT_MAX:
            return int(text)
        self._note_at(event, "an integer has at most 64 bits (-2^63 to 2^63-1); put it in quotes to keep it as text")
        return None

    def _finite(self, event: ScalarEvent, number: float) -> Value:
        if not math.isfinite(number):
            self._note_at(event, "infinity and NaN are not allowed; put it in quotes to keep it as text")
        return number

    _STEPS: ClassVar[dict[str, Any]] = {
        "DocumentStartEvent": _start_document,
        "AliasEvent": _refuse_alias,
        "ScalarEvent": _take_scalar,
        "SequenceStartEvent": _start_list,
        "SequenceEndEvent": _end,
        "MappingStartEvent": _start_mapping,
        "MappingEndEvent": _end,
        "StreamEndEvent": _end_stream,
    }
