"""Tells a value that looks like a secret from a placeholder, a name or a piece of code."""

from __future__ import annotations

import binascii
import math
import re
from collections import Counter
from itertools import pairwise

_FILLER = re.compile(r"[xX*.#0_\-•…]*")
# Where any of these stands, a template or a shell fills the value in later.
_TEMPLATE = re.compile(
    r"^[<\[{]|^\$[A-Za-z_{(]|^%\w+%|^!(?:Ref|Sub|GetAtt|vault|secret|env)|\$\{|\$\(|#\{|\{\w*\}|\{\{|<[a-z]"
    r"|\.\.\.|…|%\(|%s|::"
)
_PLACEHOLDER_WORD = re.compile(
    r"(?i)your|example|placeholder|change[-_]?me|replace|redacted|dummy|insert|todo|fixme"
    r"|(?<![a-z])(?:my|some|fake|sample)[-_](?:own[-_]|super[-_])?(?:api|pass|token|secret|key|auth|pwd)"
    r"|(?:token|secret|password|key)[-_]?here|_here$|x{4,}|\*{3,}"
)
_PLAIN_WORD = re.compile(
    r"(?i)(?:none|null|nil|true|false|yes|no|undefined|required|optional|hidden|masked|default|disabled"
    r"|enabled|string|str|int|integer|number|bool|boolean|bytes|bytearray|object|any|text|input|field|value"
    r"|varchar\d*|secretstr|char|unknown|invalid|missing|incorrect|expired|empty|stdin|env|environment|prompt"
    r"|file|vault|keyring|keychain|basic|bearer|digest|oauth2?|oidc|saml|jwt|base64|utf-?8|sha-?\d+|md5"
    r"|bcrypt|argon2(?:id?)?|scrypt|pbkdf2|ed25519|[hre]s\d{3}|x509|pkcs\d+|http[12]|ssh2|totp|rfc\d+)"
)
_TELLING = re.compile(r"(?i)pass|pwd|token|secret|key|auth|cred")
_PATH = re.compile(
    r"(?:~|\.{1,2})?/(?:[\w.@-]*/)*[\w.@-]*|[A-Za-z]:\\.*"
    r"|\S+\.(?:pem|key|json|toml|ya?ml|txt|env|py|[jt]sx?|go|rs|sh|md|crt|cfg|ini|html?|css|rb|java|php|sql|gpg|lock)"
)
# Events are UUIDs of version 7 and sessions of version 5; keys that services give out are of version 4.
_OWN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[57][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_DOTTED = re.compile(r"[A-Za-z_]\w*\??(?:(?:\.|->)[A-Za-z_]\w*\??)+")
_URL = re.compile(r"[a-z][a-z0-9+.-]*:(?:\\*/){2}")
_WORD = re.compile(
    r"[a-z]{1,15}|[A-Z]{1,15}|[A-Z]?[a-z]{1,14}(?:[A-Z][a-z]{1,14}){0,5}"
    r"|\d{1,8}|[A-Za-z]\d{1,3}|[a-z]{2,8}\d{1,2}|\d[A-Za-z]"
)
_SEPARATORS = re.compile(r"[-_./:@+ ]+")


def entropy(value: str) -> float:
    """Give the Shannon entropy of `value` in bits per character; 0.0 for the empty string."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_filler(value: str) -> bool:
    """Tell whether `value` is nothing but x's, stars, dots, zeros or dashes."""
    return _FILLER.fullmatch(value) is not None


def is_placeholder(value: str) -> bool:
    """Tell whether `value` stands for a secret that is filled in elsewhere."""
    return (
        is_filler(value)
        or _TEMPLATE.search(value) is not None
        or _PLACEHOLDER_WORD.search(value) is not None
        or _PLAIN_WORD.fullmatch(value) is not None
    )


def is_reference(value: str) -> bool:
    """Tell whether `value` names something (a path, URL, attribute, event or session) rather than being a secret."""
    return (
        _URL.match(value) is not None
        or _OWN_ID.fullmatch(value) is not None
        or (_PATH.fullmatch(value) is not None and not _is_dense(value))
        or (_DOTTED.fullmatch(value) is not None and all(map(_is_word, _SEPARATORS.split(value))))
    )


def is_wordy(value: str) -> bool:
    """Tell whether `value` is made of words and small numbers, as names, slugs and versions are."""
    return all(map(_is_word, _SEPARATORS.split(value)))


def is_identifier_like(value: str) -> bool:
    """Tell whether `value` reads as a variable that holds a secret: `new_password2`, `apiToken`."""
    return _TELLING.search(value) is not None and re.fullmatch(r"[A-Za-z_]+\d{0,2}", value) is not None


def is_basic_pair(value: str) -> bool:
    """Tell whether `value` is base64 for `user:password`, as in a Basic header."""
    if not value.isascii():
        return False
    try:
        plain = binascii.a2b_base64(value + "=" * (-len(value) % 4), strict_mode=True)
    except binascii.Error:
        return False
    return b":" in plain[1:-1] and all(32 <= byte < 127 for byte in plain)


def is_dense_secret(value: str) -> bool:
    """Tell whether `value` could be a generated key: 10 characters or more, mixed, not words."""
    if len(value) < 10 or " " in value or entropy(value) < 2.8 or is_placeholder(value) or is_reference(value):
        return False
    return is_basic_pair(value) or (_is_dense(value) and not is_wordy(value))


def is_chosen_secret(value: str) -> bool:
    """Tell whether `value` could be a password a person chose: 6 characters or more, not a bare word."""
    if len(value) < 6 or " " in value or is_placeholder(value) or is_reference(value):
        return False
    return not value.isalpha() and not is_identifier_like(value) and not _is_phrase_of_names(value)


def is_plain_password(value: str) -> bool:
    """Tell whether `value` could be a weak password: letters only, but no word that labels or code use."""
    return len(value) >= 6 and value.isalpha() and not is_placeholder(value) and not _TELLING.search(value)


def _is_word(part: str) -> bool:
    return not part or _WORD.fullmatch(part) is not None


def _is_phrase_of_names(value: str) -> bool:
    """`db_password`, `reset-token-v2`: words joined by one kind of separator, one of them telling."""
    return bool(_TELLING.search(value)) and is_wordy(value) and len(_SEPARATORS.split(value)) > 1


def _is_dense(value: str) -> bool:
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_letter and (has_digit or _switches_case_often(value))


def _switches_case_often(value: str) -> bool:
    """Random letters switch case at every second step; camelCase at every third at most."""
    switches = sum(a.isupper() != b.isupper() for a, b in pairwise(value))
    return len(value) >= 16 and switches >= 0.42 * len(value)
