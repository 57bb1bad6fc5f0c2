"""What a redactor promises, whatever its rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.redaction import RULES, Finding, Redactor, default_redactor
from ledger.errors import InvalidError

# Put together from pieces, so that no scanner takes this file for a leak.
GITHUB = "ghp" + "_" + "q7RzT2mWx9KpLb4NcV8sYd3GhJ6fAe1UoQi5"
AWS = "AKIA" + "Q7RZT2MWX4KPLB5N"
CHOSEN = "hunter2" + "-blue"
DENSE = "q7RzT2mWx9KpLb4NcV8sYd3G"
PEM_HEAD = "-----BEGIN EC " + "PRIVATE KEY-----"
PEM_TAIL = "-----END EC " + "PRIVATE KEY-----"
PEM_LINE = "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY0PuoAoGCCqGSM49"


def redacted(text: str) -> str:
    return default_redactor().text(text)


@pytest.mark.parametrize(
    "line",
    [
        "password={}",
        "password: {}",
        '"password": "{}"',
        "'db_password': '{}'",
        'password: str = "{}"',
        "PGPASSWORD={} psql",
        "DB_PASS={}",
        "my password is {}, do not tell",
        "deploy --password {} --force",
        "deploy --password={} --force",
        "**Password:** {}",
        "<password>{}</password>",
        "- name: DB_PASSWORD\n  value: {}",
        '{{"name":"DB_PASSWORD","value":"{}"}}',
        'os.environ["DB_PASSWORD"] = "{}"',
        "Server=db;User Id=sa;Password={};Encrypt=true",
        "https://example.org/login?password={}&next=/",
        "password\\u0022: \\u0022{}\\u0022",
        "dbPassword := `{}`",
    ],
)
def test_a_password_is_found_in_every_dress_of_an_assignment(line: str) -> None:
    assert redacted(line.format(CHOSEN)) == line.format("[redacted:password]")


@pytest.mark.parametrize(
    "line",
    [
        "redis://:{}@localhost:6379/0",
        "postgres://app:{}@db.internal/app",
        "mongodb+srv://app:{}@cluster.example.net/?retryWrites=true",
        "https:\\/\\/ann:{}@example.org\\/x",
        "https:\\\\/\\\\/ann:{}@example.org",
        "amqp://app:p@{}@queue.internal",
    ],
)
def test_the_password_of_a_url_is_found_and_the_rest_of_the_url_stays(line: str) -> None:
    marked = redacted(line.format(CHOSEN))

    assert CHOSEN not in marked
    assert marked == line.replace("p@{}", "{}").format("[redacted:url-password]")


@pytest.mark.parametrize(
    "key",
    [
        f"{PEM_HEAD}\n{PEM_LINE}\nAwEHoUQ=\n{PEM_TAIL}",
        f"{PEM_HEAD}\\n{PEM_LINE}\\nAwEHoUQ=\\n{PEM_TAIL}",
        f"{PEM_HEAD}\\\\n{PEM_LINE}\\\\nAwEHoUQ=\\\\n{PEM_TAIL}",
        f"{PEM_HEAD}\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-128-CBC,9F3A\r\n\r\n{PEM_LINE}\r\n{PEM_TAIL}",
        f"{PEM_HEAD}\n     2→{PEM_LINE}\n     3→AwEHoUQ=\n     4→{PEM_TAIL}",
        f"{PEM_HEAD}\n     2→{PEM_LINE}\n     3→{PEM_LINE}",
        f"{PEM_HEAD}\n{PEM_LINE}\nAwEHoUQ=",
        PEM_HEAD,
    ],
    ids=["whole", "escaped", "escaped twice", "encrypted", "numbered", "numbered, cut", "cut", "head only"],
)
def test_a_private_key_is_found_whole_however_it_is_broken_into_lines(key: str) -> None:
    assert redacted(f"before {key} after") == "before [redacted:private-key] after"


def test_a_cut_private_key_does_not_take_the_prose_behind_it_along() -> None:
    assert redacted(f"{PEM_HEAD} is how such a file begins") == "[redacted:private-key] is how such a file begins"


@pytest.mark.parametrize("before", ["", " ", '"', "\\n", "\\\\n", "\\t", "\\u001b[0m", "=", "/", "→", "%20"])
@pytest.mark.parametrize("after", ["", " ", '"', "\\n", "@host", ",", "…"])
def test_a_token_is_found_next_to_what_may_stand_beside_it(before: str, after: str) -> None:
    assert redacted(f"x{before}{GITHUB}{after}" if before else GITHUB + after).count("[redacted:github-token]") == 1


def test_only_the_secret_is_replaced_and_what_is_around_it_stays() -> None:
    assert redacted(f"Grüße — {GITHUB} — 密码 😀") == "Grüße — [redacted:github-token] — 密码 😀"


def test_letters_that_grow_when_lowered_move_nothing() -> None:
    assert redacted(f"İİİİ {AWS} İ") == "İİİİ [redacted:aws-access-key] İ"


def test_a_quoted_password_ends_at_its_own_quote_at_any_depth() -> None:
    line = json.dumps({"password": 'ab"cd\\12', "user": "ann"})
    for _ in range(3):
        assert redacted(line).count("[redacted:password]") == 1
        assert "ann" in redacted(line)
        line = json.dumps(line)


def test_where_two_rules_meet_one_marker_covers_both_and_the_upper_rule_names_it() -> None:
    assert redacted(f"password=https://ann:{GITHUB}@example.org") == (
        "password=https://ann:[redacted:github-token]@example.org"
    )
    assert redacted(f'token: "{GITHUB}"') == 'token: "[redacted:github-token]"'


def test_findings_tell_rule_offsets_line_and_column_of_the_original_and_never_the_secret() -> None:
    text = f"one\ntwo {AWS}\nthree {CHOSEN} password={CHOSEN}\n"

    marked, findings = default_redactor().text_with_findings(text)

    assert findings == [
        Finding("aws-access-key", 8, 28, 2, 5),
        Finding("password", text.rindex(CHOSEN), text.rindex(CHOSEN) + len(CHOSEN), 3, 29),
    ]
    assert marked.count("[redacted:") == 2
    assert AWS not in repr(findings)


fragments = st.one_of(
    st.sampled_from([rule.sample for rule in RULES]),
    st.sampled_from([rule.benign for rule in RULES]),
    st.sampled_from([keyword for rule in RULES for keyword in rule.keywords]),
    st.sampled_from(["[redacted:", "[redacted:token]", "]", "=", ": ", '"', "\\", '\\"', "\n", "\\n", "@", "password"]),
    st.text(max_size=12),
)
texts = st.lists(fragments, max_size=8).map("".join)


@given(texts)
@settings(max_examples=300, deadline=None)
def test_redacting_twice_equals_redacting_once(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_findings_are_in_order_apart_and_give_the_redacted_text(text: str) -> None:
    marked, findings = default_redactor().text_with_findings(text)

    rebuilt, reached = "", 0
    for finding in findings:
        assert reached <= finding.start < finding.end
        assert finding.line == text.count("\n", 0, finding.start) + 1
        rebuilt += text[reached : finding.start] + f"[redacted:{finding.rule}]"
        reached = finding.end
    assert rebuilt + text[reached:] == marked


@given(texts, st.sampled_from([r"\w+", r".+", r"(?<!\d)\d{4}", r"redacted", r"[\[\]:]", r"a(?P<secret>b?)"]))
@settings(max_examples=150, deadline=None)
def test_redacting_twice_equals_redacting_once_under_any_rule_of_a_user(text: str, regex: str) -> None:
    redactor = Redactor({"mine": regex})

    assert redactor.text(redactor.text(text)) == redactor.text(text)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_a_redacted_json_document_is_still_json(text: str) -> None:
    json.loads(redacted(json.dumps({"text": text, "next": 1})))


@given(st.lists(st.one_of(st.binary(max_size=12), fragments.map(str.encode)), max_size=8).map(b"".join))
@settings(max_examples=150, deadline=None)
def test_bytes_that_are_no_utf_8_come_through_a_line_unchanged(raw: bytes) -> None:
    line = default_redactor().line(raw)

    if b"[redacted:" not in line:
        assert line == raw
    assert default_redactor().line(line) == line


def test_a_secret_between_bytes_that_are_no_utf_8_is_found() -> None:
    raw = b"\xff\xfe\x00 " + GITHUB.encode() + b" \x80\r\nsecond \xc3\n"

    assert default_redactor().line(raw) == b"\xff\xfe\x00 [redacted:github-token] \x80\r\nsecond \xc3\n"


def test_half_a_surrogate_pair_in_a_text_does_no_harm() -> None:
    assert redacted(f"\ud83d {GITHUB}") == "\ud83d [redacted:github-token]"


def test_a_value_is_redacted_in_strings_and_keys_at_every_depth() -> None:
    value: dict[str, Any] = {"a": [1, None, {GITHUB: [f"x {AWS}", True]}], "b": "fine"}

    assert default_redactor().value(value) == {
        "a": [1, None, {"[redacted:github-token]": ["x [redacted:aws-access-key]", True]}],
        "b": "fine",
    }
    assert GITHUB in value["a"][2]


@pytest.mark.parametrize(
    ("name", "secret", "rule"),
    [
        ("password", CHOSEN, "password"),
        ("DB_PASS", "letmein", "password"),
        ("clientSecret", DENSE, "secret"),
        ("api_key", DENSE, "api-key"),
        ("x-auth-token", DENSE, "token"),
        ("Authorization", f"token {DENSE}", "authorization"),
    ],
)
def test_a_string_of_a_mapping_is_judged_together_with_its_name(name: str, secret: str, rule: str) -> None:
    marked = default_redactor().value({"env": {name: secret}})

    assert f"[redacted:{rule}]" in json.dumps(marked)
    assert secret not in json.dumps(marked)


@pytest.mark.parametrize("beside", ["name", "key"])
def test_a_value_is_judged_by_the_name_that_stands_beside_it(beside: str) -> None:
    named = {beside: "auth/password", "value": CHOSEN}

    assert default_redactor().value(named) == {beside: "auth/password", "value": "[redacted:password]"}
    assert default_redactor().value({beside: "reset-password", "value": "started"})["value"] == "started"
    assert redacted(f'{{"{beside}": "reset-password", "value": "started"}}').count("[redacted:") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "required"),
        ("token", "0199f3c2-7be1-7a10-9c44-5e2d1f0b7a61"),
        ("max_tokens", "4096"),
        ("api_key", "${API_KEY}"),
        ("author", "Ann Example 2024"),
        ("password_hint", "the-name-of-my-cat-7"),
    ],
)
def test_a_benign_string_under_a_telling_name_stays(name: str, value: str) -> None:
    mapping = {name: value}

    assert default_redactor().value(mapping) is mapping


def test_a_value_without_secrets_is_returned_as_the_same_object() -> None:
    value = {"message": "tokens are counted", "usage": {"input_tokens": 12}, "items": ["a", {"b": None}]}

    assert default_redactor().value(value) is value


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(texts, max_size=3) | st.dictionaries(texts, texts, max_size=3), max_size=6))
@pytest.mark.parametrize("rules", [{}, {"ticket": r"T-\d+"}], ids=["built-in", "own"])
def test_many_values_are_redacted_as_each_alone(rules: dict[str, str], values: list[Any]) -> None:
    redactor = Redactor(rules)
    assert redactor.values(values) == [redactor.value(value) for value in values]


def test_no_value_is_lost_where_two_keys_redact_to_the_same_marker() -> None:
    marked = default_redactor().value({GITHUB: 1, GITHUB[:-1] + "x": 2})

    assert marked == {"[redacted:github-token]": 1, "[redacted:github-token]-2": 2}


def test_a_rule_of_a_user_replaces_its_secret_group_else_the_whole_match() -> None:
    redactor = Redactor({"ticket": r"ACME-\d+", "badge": r"badge (?P<secret>\d{4})"})

    assert redactor.text("ACME-12 badge 3456") == "[redacted:ticket] badge [redacted:badge]"


def test_an_allowed_match_stays_and_the_others_do_not() -> None:
    redactor = Redactor(allow=[r"^AKIAQ7", "hunter"])

    assert redactor.text(f"{AWS} {GITHUB}") == f"{AWS} [redacted:github-token]"
    assert redactor.value({"password": CHOSEN}) == {"password": CHOSEN}


def test_every_problem_of_the_patterns_is_told_at_once() -> None:
    with pytest.raises(InvalidError) as caught:
        Redactor({"open": "(", "Bad Id": "x", "jwt": "y", "nothing": "z*"}, allow=["[", "a?"])

    assert {problem.path for problem in caught.value.problems} == {
        "redaction.rules.open",
        "redaction.rules.Bad Id",
        "redaction.rules.jwt",
        "redaction.rules.nothing",
        "redaction.allow[0]",
        "redaction.allow[1]",
    }
    assert caught.value.hint


def test_the_default_redactor_is_made_once() -> None:
    assert default_redactor() is default_redactor()


@pytest.mark.parametrize(
    "unit",
    [
        "token=",
        "sk-",
        "eyJaaaaaaaaaa.",
        "xoxb-",
        "://a:b",
        "password: '",
        '\\"password\\":\\"',
        PEM_HEAD,
        "-us",
        "\\\\",
    ],
)
def test_a_line_made_to_be_slow_is_redacted_to_a_fixpoint(unit: str) -> None:
    line = unit * (60_000 // len(unit))

    assert redacted(redacted(line)) == redacted(line)
