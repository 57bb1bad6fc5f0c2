"""Finds secrets and puts typed markers in their place; what is around them stays as it was.

Speed comes from looking at patterns last: the text is searched for plain keywords, and a rule's pattern is
tried only where one of its keywords stands. Most keywords are prefixes of long tokens; these are looked up
in the long tokens alone, a seventh of a transcript. Every pattern is bounded or possessive, so that a line
of a megabyte costs what a thousand lines of a kilobyte do.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from ledger.core.redaction.rules import RULES, SECRET_GROUPS, Rule
from ledger.errors import InvalidError, Problem

Value = TypeVar("Value")

_MARKER = re.compile(r"\[redacted:[a-z0-9-]+\]")
_RUN_LENGTH = 20
_RUN_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789_.~-"
_TO_RUNS = bytes(byte if byte in _RUN_BYTES else 32 for byte in bytes(range(256)).lower())
_RULE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Finding(NamedTuple):
    """Where a secret of which kind stood: offsets into the original text, line and column from 1.

    It never carries the secret itself, so it may be logged and shown.
    """

    rule: str
    start: int
    end: int
    line: int
    column: int


class _Span(NamedTuple):
    """A secret in the text; `rank` is the place of its rule in the table."""

    start: int
    end: int
    rank: int
    rule: str

    @property
    def marker(self) -> str:
        return f"[redacted:{self.rule}]"

    @property
    def growth(self) -> int:
        return len(self.marker) - (self.end - self.start)


class _UserRule(NamedTuple):
    id: str
    pattern: re.Pattern[str]


class _Keywords(NamedTuple):
    """What is searched for: keywords that stand in long tokens only, as bytes too, and the others."""

    in_runs: dict[str, bytes]
    loose: list[str]

    @property
    def names(self) -> list[str]:
        return [*self.in_runs, *self.loose]

    def found_in(self, text: str) -> _Keywords:
        """Those that stand in the text."""
        runs = _long_runs(text) if self.in_runs else b""
        low = _lowered(text) if self.loose else ""
        in_runs = {keyword: raw for keyword, raw in self.in_runs.items() if raw in runs} if runs else {}
        return _Keywords(in_runs, [keyword for keyword in self.loose if keyword in low])


class Redactor:
    """Replaces every secret that its rules find with `[redacted:<rule id>]`, and nothing else.

    Redacting twice equals redacting once. `extra_rules` maps ids to regex text; what is replaced is the
    group named `secret`, else the whole match. A match in which one of the `allow` patterns is found stays.

    Raises InvalidError with every problem at once where an id or a pattern cannot be used.
    """

    def __init__(
        self, extra_rules: Mapping[str, str] | Iterable[tuple[str, str]] = (), allow: Iterable[str] = ()
    ) -> None:
        self._extra, self._allow = _checked(dict(extra_rules), tuple(allow))
        self._index = _index(RULES)
        in_runs = {keyword: keyword.encode() for keyword, rules in self._index.items() if _all_in_run(rules)}
        self._keywords = _Keywords(in_runs, [keyword for keyword in self._index if keyword not in in_runs])
        self._by_name = [rule for rule in RULES if rule.key is not None]

    def text(self, text: str) -> str:
        """Give `text` with every secret replaced by its marker; the same object where there is none."""
        return self._redacted(text)[0]

    def text_with_findings(self, text: str) -> tuple[str, list[Finding]]:
        """Give the redacted text, and where in the original each secret stood, in order."""
        redacted, spans = self._redacted(text)
        return redacted, list(_located(text, spans))

    def line(self, raw: bytes) -> bytes:
        """Give `raw` (one line or many) redacted; bytes that are no UTF-8 come through unchanged."""
        text = raw.decode("utf-8", "surrogateescape")
        redacted = self.text(text)
        return raw if redacted is text else redacted.encode("utf-8", "surrogateescape")

    def value(self, value: Value) -> Value:
        """Give the JSON-like `value` with every string and mapping key redacted; itself where nothing is found.

        A string under a telling name (`password`, `api_key`) is judged together with that name, and so is
        the `value` of a mapping that has its name in `name` or `key`.
        """
        return self._value(value, self._keywords)

    def values(self, values: Sequence[Value]) -> list[Value]:
        """Give many values redacted, each as `value` does; the keywords are searched for in all of them at once."""
        asked = self._keywords.found_in("\n".join(text for value in values for text in _strings(value)))
        return [self._value(value, asked) for value in values]

    def _value(self, value: Value, asked: _Keywords) -> Value:
        keywords = asked.found_in("\n".join(_strings(value))).names if asked.names else []
        if not keywords and not self._extra:
            return value
        walked: Value = self._walked(value, keywords)
        return walked

    def _walked(self, value: Any, keywords: list[str]) -> Any:
        if isinstance(value, str):
            return self._redacted(value, keywords)[0]
        if isinstance(value, list):
            items = [self._walked(item, keywords) for item in value]
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if isinstance(value, dict):
            return self._walked_mapping(value, keywords)
        return value

    def _walked_mapping(self, mapping: dict[str, Any], keywords: list[str]) -> dict[str, Any]:
        walked: dict[str, Any] = {}
        changed = False
        for key, old in mapping.items():
            name = self._walked(key, keywords)
            new = self._walked_under(_telling_name(mapping, key), old, keywords)
            changed = changed or name is not key or new is not old
            walked[_free_name(name, walked)] = new
        return walked if changed else mapping

    def _walked_under(self, name: str, value: Any, keywords: list[str]) -> Any:
        walked = self._walked(value, keywords)
        return self._judged_by_name(name, value) if walked is value and isinstance(value, str) else walked

    def _judged_by_name(self, name: str, value: str) -> str:
        if self._is_allowed(value) or _MARKER.search(value):
            return value
        for rule in self._by_name:
            if rule.key and rule.key.search(name) and rule.judge(value):
                return f"[redacted:{rule.id}]"
        return value

    def _redacted(self, text: str, keywords: list[str] | None = None) -> tuple[str, list[_Span]]:
        """Search until nothing is found: what a marker laid bare is found too, so twice equals once.

        Each round replaces at least one character that is in no marker, hence it ends. `keywords` may name
        those that stand in the text, if the caller knows.
        """
        spans: list[_Span] = []
        redacted = text
        keywords = self._keywords.found_in(text).names if keywords is None else keywords
        while found := self._search(redacted, keywords):
            spans = sorted([*spans, *(_in_original(spans, span) for span in found)])
            redacted = _rendered(text, spans)
            keywords = self._keywords.found_in(redacted).names
        return redacted, spans

    def _search(self, text: str, keywords: list[str]) -> list[_Span]:
        markers = [match.span() for match in _MARKER.finditer(text)] if "[redacted:" in text else []
        spans = [*self._keyword_spans(text, keywords), *self._extra_spans(text)]
        return list(_without(markers, _united(spans))) if spans else []

    def _keyword_spans(self, text: str, keywords: list[str]) -> Iterator[_Span]:
        low = _lowered(text) if keywords else ""
        for keyword in keywords:
            rules = self._index[keyword]
            at = low.find(keyword)
            while at >= 0:
                spans = [span for rank, rule in rules if (span := self._span_at(text, at, rank, rule))]
                yield from spans
                at = low.find(keyword, max([at + 1, *(span.end for span in spans)]))

    def _span_at(self, text: str, at: int, rank: int, rule: Rule) -> _Span | None:
        if rule.before or rule.after:
            match = rule.pattern.search(text, max(0, at - rule.before), at + len(rule.keywords[0]) + rule.after)
        else:
            match = rule.pattern.match(text, at)
        if match is None or not rule.accept(match):
            return None
        return self._span(match, rank, rule.id)

    def _extra_spans(self, text: str) -> Iterator[_Span]:
        for rank, rule in enumerate(self._extra, start=len(RULES)):
            for match in rule.pattern.finditer(text):
                if span := self._span(match, rank, rule.id):
                    yield span

    def _span(self, match: re.Match[str], rank: int, rule_id: str) -> _Span | None:
        start, end = match.span(_secret_group(match))
        if start == end or self._is_allowed(match.string[start:end]):
            return None
        return _Span(start, end, rank, rule_id)

    def _is_allowed(self, secret: str) -> bool:
        return any(pattern.search(secret) for pattern in self._allow)


@cache
def default_redactor() -> Redactor:
    """Give the redactor that has the built-in rules only; always the same one."""
    return Redactor()


def _lowered(text: str) -> str:
    """Lower ASCII only: `str.lower` may change the length (U+0130 becomes two), and is slower."""
    if text.isascii():
        return text.lower()
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def _long_runs(text: str) -> bytes:
    """Give the runs of token characters that are long enough for a token, lowered, each once, in no order."""
    words = text.encode("utf-8", "surrogatepass").translate(_TO_RUNS).split()
    return b" ".join({word for word in words if len(word) >= _RUN_LENGTH})


def _all_in_run(rules: list[tuple[int, Rule]]) -> bool:
    return all(rule.in_run for _, rule in rules)


def _index(rules: Iterable[Rule]) -> dict[str, list[tuple[int, Rule]]]:
    index: dict[str, list[tuple[int, Rule]]] = {}
    for rank, rule in enumerate(rules):
        for keyword in rule.keywords:
            index.setdefault(keyword, []).append((rank, rule))
    return index


def _secret_group(match: re.Match[str]) -> str | int:
    groups = match.re.groupindex
    return next((name for name in SECRET_GROUPS if name in groups and match[name] is not None), 0)


def _united(spans: list[_Span]) -> list[_Span]:
    """Join spans that overlap, under the name of the rule that stands higher in the table."""
    united: list[_Span] = []
    for span in sorted(spans):
        if united and span.start < united[-1].end:
            last = united.pop()
            first = min(last, span, key=lambda one: one.rank)
            span = _Span(last.start, max(last.end, span.end), first.rank, first.rule)
        united.append(span)
    return united


def _without(markers: list[tuple[int, int]], spans: list[_Span]) -> Iterator[_Span]:
    """Cut the markers that stand in the text already out of the spans; both are in order."""
    first = 0
    for span in spans:
        first = bisect_right(markers, span.start, lo=first, key=itemgetter(1))
        start = span.start
        for marker_start, marker_end in _beginning_before(span.end, markers, first):
            if start < marker_start:
                yield span._replace(start=start, end=marker_start)
            start = marker_end
        if start < span.end:
            yield span._replace(start=start)


def _beginning_before(end: int, markers: list[tuple[int, int]], first: int) -> list[tuple[int, int]]:
    return markers[first : bisect_left(markers, (end, end), lo=first)]


def _in_original(placed: list[_Span], span: _Span) -> _Span:
    """Move a span of the text with `placed` markers to where it stands in the original."""
    return span._replace(start=_original_offset(placed, span.start), end=_original_offset(placed, span.end))


def _original_offset(placed: list[_Span], offset: int) -> int:
    growth = 0
    for span in placed:
        if span.end + growth + span.growth > offset:
            break
        growth += span.growth
    return offset - growth


def _rendered(text: str, spans: list[_Span]) -> str:
    parts: list[str] = []
    reached = 0
    for span in spans:
        parts += text[reached : span.start], span.marker
        reached = span.end
    return "".join([*parts, text[reached:]])


def _located(text: str, spans: list[_Span]) -> Iterator[Finding]:
    line, line_start = 1, 0
    for span in spans:
        breaks = text.count("\n", line_start, span.start)
        if breaks:
            line, line_start = line + breaks, text.rindex("\n", 0, span.start) + 1
        yield Finding(span.rule, span.start, span.end, line, span.start - line_start + 1)


def _telling_name(mapping: Mapping[str, Any], key: str) -> str:
    """The name under which a string is judged: `{"name": "DB_PASSWORD", "value": "…"}` says it beside."""
    beside = (mapping.get("name") or mapping.get("key")) if key == "value" else None
    plain = isinstance(mapping[key], str) and mapping[key].isalpha()
    return beside if isinstance(beside, str) and not plain else key


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    """Two keys may redact to one marker; both values are kept."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _checked(extra: dict[str, str], allow: tuple[str, ...]) -> tuple[list[_UserRule], list[re.Pattern[str]]]:
    problems: list[Problem] = []
    rules = [
        _UserRule(rule_id, _compiled(f"redaction.rules.{rule_id}", regex, problems)) for rule_id, regex in extra.items()
    ]
    allowed = [_compiled(f"redaction.allow[{place}]", regex, problems) for place, regex in enumerate(allow)]
    problems += [problem for rule_id in extra for problem in _id_problems(rule_id)]
    if problems:
        raise InvalidError("redaction cannot use these patterns", problems, hint="correct [redaction] in the config")
    return rules, allowed


_NOTHING = re.compile(r"(?!)")


def _compiled(path: str, regex: str, problems: list[Problem]) -> re.Pattern[str]:
    try:
        pattern = re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        problems.append(Problem(path, f"is no regular expression: {error}"))
        return _NOTHING
    if pattern.search("") is not None:
        problems.append(Problem(path, "matches the empty string"))
    return pattern


def _id_problems(rule_id: str) -> Iterator[Problem]:
    if not _RULE_ID.fullmatch(rule_id):
        yield Problem(f"redaction.rules.{rule_id}", "the id is not 1 to 64 of a-z, 0-9 and -, beginning with no -")
    if any(rule.id == rule_id for rule in RULES):
        yield Problem(f"redaction.rules.{rule_id}", "is the id of a built-in rule")
