"""Ledgers to act on: one in memory and one on disk, under the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.api import Ledger, create_ledger, memory_ledger, open_ledger


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark of the long forms; `-m slow` runs them."""
    config.addinivalue_line("markers", "slow: the long form of a test that the suite runs in a short one")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long forms out unless marks are asked for."""
    if not config.option.markexpr:
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


@pytest.fixture(params=["memory", "git"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger."""
    made = memory_ledger() if request.param == "memory" else create_ledger(tmp_path / "ledger")[0]
    with made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a new ledger on disk."""
    folder = tmp_path / "ledger"
    create_ledger(folder)[0].close()
    return folder


@pytest.fixture
def disk_ledger(root: Path) -> Iterator[Ledger]:
    """A new ledger on disk."""
    with open_ledger(root) as opened:
        yield opened
