"""Write the exact versions of everything installed beside this project to a constraints file."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

HEADER = """\
# The exact versions that `make` installs: base, `test` and `dev`, with all that they need.
# To refresh: edit the ranges in pyproject.toml, empty this file, then
#   make clean && make constraints && make clean && make test check
"""
# The project itself, and what every virtual environment brings along.
LEFT_OUT = {"context-ledger", "pip", "setuptools", "wheel"}


def pinned() -> list[str]:
    """One `name==version` line a distribution, sorted by name."""
    found = {d.name: d.version for d in distributions() if d.name.lower() not in LEFT_OUT}
    return [f"{name}=={found[name]}" for name in sorted(found, key=str.lower)]


def main(path: str) -> None:
    """Write the constraints to `path`."""
    Path(path).write_text(HEADER + "\n".join(pinned()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
