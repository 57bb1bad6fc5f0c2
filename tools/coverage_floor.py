"""Name every module with fewer than 85 % of its lines covered, from the report of `coverage json`.

An average would let a new module hide behind its tested neighbours, so each must stand alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FLOOR = 85.0


def below(report: dict[str, Any], floor: float = FLOOR) -> list[tuple[float, str, list[int]]]:
    """The modules under `floor` percent: percentage, path and the lines that no test reached; worst first."""
    files: dict[str, Any] = report["files"]
    shares = [(_share(file["summary"]), path, file["missing_lines"]) for path, file in files.items()]
    return sorted(module for module in shares if module[0] < floor)


def _share(summary: dict[str, int]) -> float:
    lines = summary["num_statements"]
    return 100.0 * summary["covered_lines"] / lines if lines else 100.0


def spans(lines: list[int]) -> str:
    """Line numbers as a reader wants them: `3-5, 9`."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def main(path: str) -> int:
    """Print the verdict on the report at `path`; 1 if a module is below the floor or none was measured."""
    report = json.loads(Path(path).read_text())
    weak = below(report)
    for share, module, missing in weak:
        print(f"{share:5.1f} %  {module}  lines {spans(missing)}")
    print(f"{len(weak)} of {len(report['files'])} modules have less than {FLOOR:.0f} % of their lines covered")
    return 1 if weak or not report["files"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
