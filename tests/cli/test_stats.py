"""`ledger stats`, as it is typed and read."""

from __future__ import annotations

import csv
import io
import json

import pytest
from tests.cli.conftest import Run

from ledger.cli.bars import bar, columns_of

USAGE = {"message": "m1", "model": "claude-opus-4-5", "input": 200_000, "output": 40_000, "cache_read": 1_000_000}


def record(run: Run, kind: str, **data: object) -> None:
    assert run("record", stdin=json.dumps({"type": kind, "data": data}).encode()).code == 0


@pytest.fixture
def filled(ledger: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TZ", "UTC")
    record(ledger, "prompt.submitted", text="Let people log in", by="user")
    record(ledger, "tool.completed", tool="Bash", call="c1", input={"command": "make"}, duration_ms=1500)
    record(ledger, "tool.failed", tool="Edit", call="c2", files=["src/login.py"], error="no such text")
    record(ledger, "usage.reported", **USAGE)
    record(ledger, "usage.reported", message="m2", model="own-model", input=10, output=5)
    ledger("set", "auth/flow", "Use the device flow.")
    return ledger


def test_people_are_told_in_a_page(filled: Run) -> None:
    shown = filled("stats")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == (
        "Sessions      1: 1 open; half of them shorter than 6.0 min\n"
        "              1 prompt, 0 turns\n"
        "Events        8\n"
        "              usage.reported 2, context.set 1, ledger.created 1, 4 more types\n"
        "Tools         2 calls, 1 failed (50 %)\n"
        "              1 of them timed: half under 1.5 s, 95 % under 1.5 s\n"
        "              Bash        1                 ████████████████\n"
        "              Edit        1   100 % failed  ████████████████\n"
        "Tokens        200,010 read, 40,005 written, in 2 messages\n"
        "              1,000,000 read from caches, 0 written to them\n"
        "Cost          $2.50 by the list prices of 2026-07-24\n"
        "              claude-opus-4-5      $2.50  ████████████████\n"
        "              not in it: 15 tokens of own-model, which have no price\n"
        "Context       1 key of 20 B, from 1 write\n"
        "              0 % used by another session (aim over 60 %)\n"
        "              health 100 %\n"
        "Coordination  0 writes beaten unseen, 0 settled; 0 merges\n"
        "Recovery      no crashes\n"
        "Productivity  0 commits, 0 files touched, 0 tasks done in 1 hour with work in them\n"
        "              0h ···············█········ 24h\n"
        "              Mon · Tue · Wed · Thu · Fri · Sat · Sun █\n"
        "Latency       nothing came by hooks\n"
    )


def test_an_empty_ledger_says_what_is_not_there_yet(ledger: Run) -> None:
    out = ledger("stats", "--until", "2020-01-01").out
    assert out.startswith("Sessions      none yet\nEvents        0\nTools         no calls\n")
    assert "Context       nothing shared yet: ledger set KEY VALUE\n" in out


def test_it_is_told_by_what_is_asked_for(filled: Run) -> None:
    table = filled("stats", "--by", "tool").out.split("\n\n")[1]
    assert table == (
        "        events  calls  failed  tokens read  written   cost\n"
        "(none)       6      0       0    1,200,010   40,005  $2.50\n"
        "Bash         1      1       0            0        0      -\n"
        "Edit         1      1       1            0        0      -\n"
    )
    assert filled("stats", "--by", "day").out.splitlines()[-1].startswith("2026-11-22       8")


def test_programs_are_told_all_of_it(filled: Run) -> None:
    document = json.loads(filled("stats", "--json").out)
    assert list(document)[:5] == ["since", "until", "events", "by_type", "sessions"]
    assert document["tokens"]["by_model"][0]["usd"] == 2.5
    rows = list(csv.DictReader(io.StringIO(filled("stats", "--csv", "--by", "agent").out)))
    cells = {(row["group"], row["section"], row["row"], row["field"]): row["value"] for row in rows}
    assert cells["", "tools", "", "failed"] == "1"
    assert cells["person", "tools", "by_tool/Edit", "failure_rate"] == "1.0"
    assert cells["", "events", "", "total"] == "8"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--by", "moon"], "error: --by 'moon' is nothing to count by\n  hint: one of: agent, session, host, day, "),
        (["--since", "soon"], "error: --since 'soon' is no time\n"),
    ],
)
def test_what_cannot_be_counted_by_is_named(filled: Run, given: list[str], said: str) -> None:
    refused = filled("stats", *given)
    assert refused.code == 2
    assert refused.err.startswith(said)


def test_a_price_table_with_errors_is_refused_with_all_of_them(filled: Run) -> None:
    from pathlib import Path

    (Path(".ledger") / "prices.toml").write_text('[[price]]\nmodel = "own-model"\ninput = "free"\n')
    refused = filled("stats")
    assert refused.code == 4
    assert all(f"price.0.{field}" in refused.err for field in ("input", "output", "cache_read", "cache_write"))


def test_bars_and_columns_show_what_is_there_at_all() -> None:
    assert [bar(value, 10, 4) for value in (0, 0.01, 5, 10)] == ["", "▏", "██", "████"]
    assert columns_of([0, 1, 4, 8]) == "·▂▅█"
    assert columns_of([]) == ""
