"""Prices: a model has its own or none, and a table with errors is told whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.analytics.prices import FILE, read_prices
from ledger.errors import InvalidError

ROW = '[[price]]\nmodel = "{}"\ninput = {}\noutput = 2\ncache_read = 0.1\ncache_write = 1.25\n'


@pytest.mark.parametrize(
    ("model", "priced"),
    [
        ("claude-opus-4-5", "claude-opus-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-4-7[1m]", "claude-opus-4-7"),
        ("gpt-5.4-2026-03-05", "gpt-5.4"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("gpt-5.5", "gpt-5.5"),
    ],
)
def test_a_model_has_its_price_under_a_date_too(model: str, priced: str) -> None:
    prices = read_prices(None)
    assert prices.of(model) == prices.by_model[priced]


@pytest.mark.parametrize("model", ["", "gpt-5.55", "claude-opus-4-99", "claude-opus", "gpt-5.5-mega", "my-gpt-5.5"])
def test_any_other_model_has_none(model: str) -> None:
    assert read_prices(None).of(model) is None
    assert read_prices(None).of_all([model, "gpt-5"]) == {"gpt-5": read_prices(None).by_model["gpt-5"]}


def test_what_the_user_writes_counts_before_what_is_shipped(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("as_of = 2026-11-01\n" + ROW.format("gpt-5.5", 1) + ROW.format("mine", 0))
    prices = read_prices(tmp_path)
    assert (prices.by_model["gpt-5.5"].input, prices.by_model["mine"].input) == (1.0, 0.0)
    assert prices.by_model["gpt-5.4"] == read_prices(None).by_model["gpt-5.4"]
    assert prices.as_of == "2026-11-01"
    assert prices.source.endswith("; 2 of your own")


def test_all_that_is_wrong_in_a_table_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        'when = 1\n[[price]]\nmodel = ""\ninput = -1\noutput = true\ncache = 2\n' + ROW.format("x", "nan")
    )
    with pytest.raises(InvalidError) as caught:
        read_prices(tmp_path)
    assert {problem.path for problem in caught.value.problems} == {
        "when",
        "price.0.cache",
        "price.0.model",
        "price.0.input",
        "price.0.output",
        "price.0.cache_read",
        "price.0.cache_write",
        "price.1.input",
    }


@pytest.mark.parametrize("text", ["[[price]\n", "price = 3\n", "price = [3]\n", b"\xff"])
def test_what_is_no_table_is_said_so(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidError):
        read_prices(tmp_path)
