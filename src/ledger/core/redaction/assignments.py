"""Patterns for `name = value` in every dress: env files, YAML, code, JSON, JSON inside JSON, flags, XML."""

from __future__ import annotations

import re
from collections.abc import Callable

from ledger.core.redaction.values import is_chosen_secret, is_dense_secret, is_plain_password

# What may follow a telling word and leave its value a secret; `_count`, `_url`, `_file`, `Name` do not.
_SUFFIX = (
    r"(?:s(?=\\*[\"'\s]*[:=]))?"
    r"(?:[_.-]?(?:value|string|str|raw|plain|plaintext|text|base64|b64|enc|prod|production|dev|test|staging|live|"
    r"old|new|main|primary|secondary|default|admin|root|user|key|token|hash_key|salt|base|v?\d{1,3}))?"
)
_GAP = r"[ \t]{0,8}"
_LINE_GAP = r"(?:\s|\\+[nrt]){0,16}"
_QUOTE = r"(?:\\*(?:[\"'`]|u0022|u0027))"
SEPARATOR = (
    rf"(?:{_QUOTE}?\]?\*{{0,2}}{_GAP}"
    rf"(?::{_GAP}[A-Za-z_][\w.\[\]| ]{{0,24}}?{_GAP}=(?!=)|={{1,3}}>?|:=|:|\\+u003[dD]|%3[dD])\*{{0,2}}{_GAP}"
    rf"|{_QUOTE}?,?{_LINE_GAP}{_QUOTE}?value{_QUOTE}?{_GAP}:{_GAP}"
    rf"|>(?=[^<\s]{{1,200}}</)"
    rf"|[ \t]{{1,4}}(?:is|was)(?:[ \t]{{1,4}}|:[ \t]?)"
    rf"|[ \t]{{1,4}})"
)
# An opening quote carries the backslashes of its nesting depth (none, 1, 3, 7 …), and only a quote with
# as many closes it; a backslash inside the value is written with twice as many and two more.
_QUOTED = (
    r"(?P<depth>\\*+)(?P<mark>[\"'`]|u0022|u0027)"
    r"(?P<quoted>(?>(?:(?P=depth)(?P=depth)\\\\|(?!(?P=depth)(?P=mark))(?:\\++[^\\\n]|[^\\\n])){1,2000}))"
    r"(?P=depth)(?P=mark)"
)
# Escapes that stand for a character a bare value may hold; \n, \u0026 (&), \u003c (<) and the like end it.
BARE_ESCAPE = r"\\+/|\\+u00(?:2[1345a-fA-F]|3[0-9dD]|4[0-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])"
_BARE_CHAR = r"[^\s\"'`\\,;&<>|(){}\[\]]"
# Between the fields of a query an ampersand ends the value; in `Tr0ub4dor&3` it does not.
_INNER_AMPERSAND = r"&(?![&\s]|[\w.\[\]%-]{1,40}=|[a-z]{2,6};)"
_BARE = (
    rf"(?P<bare>(?={_BARE_CHAR}|{BARE_ESCAPE})"
    rf"{_BARE_CHAR}{{0,4096}}+(?>(?:(?:{BARE_ESCAPE}|{_INNER_AMPERSAND}){_BARE_CHAR}{{0,512}}+){{0,16}}))"
)
# `"input_tokens":1234,` stands in every line of some transcripts; failing here is five times as fast.
_COUNT = r"s?\\*\"?[ ]?:[ ]?\d{1,19}[,}\s\\]"
_JUDGED_LENGTH = 64
_CLOSING_QUOTE = re.compile(r"\\*(?:[\"']|u0022|u0027)")
_NAME = re.compile(r"[A-Za-z_]+")
_FLAG_BEFORE = re.compile(r"(?:^|[\s\"'=]|\\[nrt])--?(?:[a-z0-9]+-){0,4}\Z")

Accept = Callable[[re.Match[str]], bool]


def assignment(word: str, *, numbers: bool) -> str:
    """Give the pattern for a value given to a name that ends in `word`, as regex text."""
    not_a_count = "" if numbers else rf"(?!{_COUNT})"
    return rf"(?i:{word}){not_a_count}(?i:{_SUFFIX})(?P<separator>(?i:{SEPARATOR}))(?:{_QUOTED}|{_BARE})"


def vendor_assignment(vendor: str, value: str) -> str:
    """Give the pattern for a `value` (regex text) given to a name that begins with `vendor`."""
    return (
        rf"(?i:{vendor})[\w.-]{{0,40}}?(?i:{_QUOTE}?\]?{_GAP}(?:={{1,3}}>?|:=|:|[ \t]){_GAP}{_QUOTE}?)"
        rf"(?P<secret>{value})(?![A-Za-z0-9])"
    )


def accept_chosen(match: re.Match[str]) -> bool:
    """Accept what a person may have chosen as password, where the writing shows it to be a value."""
    value = _value_in_place(match)
    if value is None:
        return False
    return is_chosen_secret(value) or (_is_given_literally(match) and is_plain_password(value))


def accept_dense(match: re.Match[str]) -> bool:
    """Accept what looks generated, where the writing shows it to be a value."""
    value = _value_in_place(match)
    return value is not None and is_dense_secret(value)


def accept_chosen_or_dense(match: re.Match[str]) -> bool:
    """Accept what looks generated or chosen, but no plain word."""
    value = _value_in_place(match)
    return value is not None and (is_chosen_secret(value) or is_dense_secret(value))


def _value_in_place(match: re.Match[str]) -> str | None:
    """The value, or None where code, prose or a bare JSON scalar stands in its place."""
    if match["separator"].isspace() and not _is_flag(match):
        return None
    quoted: str | None = match["quoted"]
    if quoted is not None:
        return quoted[:_JUDGED_LENGTH]
    value = match["bare"][:_JUDGED_LENGTH].rstrip(".:!?")
    return None if _is_code_or_scalar(match, value) else value


def _is_code_or_scalar(match: re.Match[str], value: str) -> bool:
    separator: str = match["separator"]
    return (
        _CLOSING_QUOTE.match(separator) is not None
        or _after(match) in ("(", "[")
        or separator.strip() in ("==", "===")
        or (_NAME.fullmatch(value) is not None and not _is_given_literally(match))
    )


def _is_given_literally(match: re.Match[str]) -> bool:
    """Quoted beside its name, or written as an environment variable or a field of a connection string."""
    if match["quoted"] is not None:
        return "value" not in match["separator"].lower()
    name = match.string[match.start() : match.start("separator")]
    return match["separator"] == "=" and (name.isupper() or _after(match) in (";", "&"))


def _is_flag(match: re.Match[str]) -> bool:
    return _FLAG_BEFORE.search(match.string[max(0, match.start() - 40) : match.start()]) is not None


def _after(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 1]
