"""The page about the library: every example on it runs, and prints what the page says."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.api import create_ledger

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "library.md"
EXAMPLES = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE.read_text(), re.DOTALL)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("name", ["aio", "api", "errors", "running", "testing"])
def test_a_module_of_the_library_has_what_it_says_it_has(name: str) -> None:
    module = importlib.import_module(f"ledger.{name}")
    assert [one for one in getattr(module, "__all__", ()) if not hasattr(module, one)] == []


@pytest.mark.parametrize(("source", "printed"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_prints_what_the_page_says(tmp_path: Path, source: str, printed: str) -> None:
    folder = tmp_path / ".ledger"
    create_ledger(folder)[0].close()
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)
