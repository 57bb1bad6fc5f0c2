"""Measure how fast transcripts are redacted, in MB/s on one core.

    python benchmarks/redaction.py PATH…      files, or folders that are searched for *.jsonl

Each file is redacted line by line, as a recorder does it, and all of them once more as one text.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from ledger.core.redaction import default_redactor

ROUNDS = 3


def transcripts(names: list[str]) -> Iterator[bytes]:
    for path in map(Path, names):
        files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        yield from (file.read_bytes() for file in files)


def best_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def report(label: str, size: int, work: Callable[[], object]) -> None:
    seconds = best_seconds(work)
    print(f"{label:<16}{size / seconds / 1e6:8.1f} MB/s  ({size / 1e6:.1f} MB in {seconds:.3f} s)")


def main(names: list[str]) -> int:
    data = b"".join(transcripts(names))
    if not data:
        print(__doc__, file=sys.stderr)
        return 2
    redactor, lines = default_redactor(), data.splitlines(keepends=True)
    report("line by line", len(data), lambda: [redactor.line(line) for line in lines])
    report("one text", len(data), lambda: redactor.line(data))
    report("one long line", len(data), lambda: redactor.line(data.replace(b"\n", b" ")))
    _, findings = redactor.text_with_findings(data.decode("utf-8", "surrogateescape"))
    print("found:", dict(Counter(finding.rule for finding in findings)) or "nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
