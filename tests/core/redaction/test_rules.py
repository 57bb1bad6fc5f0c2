"""Every rule finds what it is for, and leaves alone what only looks like it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ledger.core.redaction import RULES, Rule, default_redactor

BENIGN = (Path(__file__).parent / "benign.txt").read_text(encoding="utf-8").splitlines()

every_rule = pytest.mark.parametrize("rule", RULES, ids=[f"{place}-{rule.id}" for place, rule in enumerate(RULES)])


def secret_in(rule: Rule) -> str:
    (finding,) = default_redactor().text_with_findings(rule.sample)[1]
    return rule.sample[finding.start : finding.end]


@every_rule
def test_a_planted_secret_is_replaced_by_the_marker_of_its_kind(rule: Rule) -> None:
    redacted, findings = default_redactor().text_with_findings(rule.sample)

    (finding,) = findings
    assert finding.rule == rule.id
    assert redacted == f"{rule.sample[: finding.start]}[redacted:{rule.id}]{rule.sample[finding.end :]}"
    assert secret_in(rule) not in redacted


@every_rule
def test_the_benign_twin_is_not_touched(rule: Rule) -> None:
    assert default_redactor().text(rule.benign) is rule.benign


@every_rule
def test_every_match_holds_a_keyword_in_lower_case(rule: Rule) -> None:
    assert all(keyword == keyword.lower() for keyword in rule.keywords)
    assert any(keyword in rule.sample.lower() for keyword in rule.keywords)


@every_rule
def test_a_keyword_said_to_stand_in_a_run_does(rule: Rule) -> None:
    runs = re.findall(r"[a-z0-9_.~-]{20,}", rule.sample.lower())

    assert not rule.in_run or any(keyword in run for keyword in rule.keywords for run in runs)


@every_rule
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_secret_is_found_inside_json_inside_strings(rule: Rule, depth: int) -> None:
    wrapped = f"first line\n{rule.sample}\nlast line — ü"
    for _ in range(depth):
        wrapped = json.dumps({"content": wrapped}, ensure_ascii=depth % 2 == 0)

    redacted = default_redactor().text(wrapped)

    inner = redacted
    for _ in range(depth):
        inner = json.loads(inner)["content"]
    assert inner == f"first line\n{default_redactor().text(rule.sample)}\nlast line — ü"


def test_the_table_has_at_least_forty_kinds_with_an_id_that_fits_a_marker() -> None:
    ids = {rule.id for rule in RULES}

    assert len(ids) >= 40
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", rule_id) for rule_id in ids)


def test_the_reference_page_lists_every_kind() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/redaction.md").read_text(encoding="utf-8")

    assert {rule.id for rule in RULES} == set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE))


def test_the_benign_corpus_has_at_least_two_hundred_different_lines() -> None:
    assert len(set(BENIGN)) >= 200


def test_no_benign_line_is_touched() -> None:
    assert [line for line in BENIGN if default_redactor().text(line) != line] == []


def test_no_benign_line_is_touched_inside_json() -> None:
    wrapped = [json.dumps({"output": line}) for line in BENIGN]

    assert [line for line in wrapped if default_redactor().text(line) != line] == []


def test_the_benign_corpus_as_one_text_is_not_touched() -> None:
    corpus = "\n".join(BENIGN)

    assert default_redactor().text(corpus) is corpus


@pytest.mark.parametrize(
    "command",
    [
        "mysql -u root -p{} app",
        "mysql -uroot -p'{}' -e 'select 1'",
        "/usr/bin/mysqldump -h db -p{} app > app.sql",
        "mariadb-dump --all-databases -p{}",
        "docker exec db mysqladmin -uroot -p{} ping",
        "docker login -u ann -p {} registry.example.net",
        "podman login --password {} registry.example.net",
        "helm registry login -u ann -p={} registry.example.net",
        "mongodump -u ann -p{}",
        "mongosh -u ann -p '{}'",
        "redis-cli -a {} ping",
        "sqlcmd -S db -U sa -P{}",
        "ldapsearch -D cn=admin -w {} -b dc=example",
        "sshpass -p{} ssh ann@host",
        "curl -sSu ann:{} https://api.example.net",
        "curl --proxy-user ann:{} https://api.example.net",
        "curl -s https://api.example.net \\\n  -u ann:{}",
        "wget --http-password={} https://api.example.net",
        "migrate --password {} up",
    ],
)
@pytest.mark.parametrize("depth", [0, 1])
def test_a_password_among_the_arguments_of_a_command_is_found(command: str, depth: int) -> None:
    line = f"cd app\n{command.format('hunter2x')}\n"

    redacted = default_redactor().text(json.dumps(line) if depth else line)

    assert "hunter2x" not in redacted
    assert redacted.count("[redacted:") == 1
