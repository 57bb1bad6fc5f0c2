"""How fast transcripts are redacted, in MB/s on one core.

    python benchmarks/redaction.py [PATH…]      files, or folders that are searched for *.jsonl

Without a path a synthetic transcript is taken. It is redacted line by line, as a recorder does it; as one
text; and as one long line. Deflating the same lines is the yardstick: whoever keeps them pays that too.
"""

from __future__ import annotations

import statistics
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import _measure
from _sample import session_key, transcript

from ledger.core.redaction import default_redactor

TURNS = _measure.scaled(150)


def transcripts(names: list[str]) -> Iterator[bytes]:
    for path in map(Path, names):
        files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        yield from (file.read_bytes() for file in files)


def main(names: list[str]) -> int:
    _measure.machine()
    data = b"".join(transcripts(names)) if names else b"".join(transcript(session_key(1), TURNS))
    if not data:
        print("no transcript found there", file=sys.stderr)
        return 2
    redactor, lines = default_redactor(), data.splitlines(keepends=True)
    long_line = data.replace(b"\n", b" ")
    contestants = {
        "deflated line by line": lambda: [zlib.compress(line, 1) for line in lines],
        "redacted line by line": lambda: [redactor.line(line) for line in lines],
        "redacted as one text": lambda: redactor.line(data),
        "redacted as one long line": lambda: redactor.line(long_line),
    }
    series = _measure.race(contestants)
    _measure.table(f"{len(data) / 1e6:.1f} MB of transcript", series)
    for name, figures in series.items():
        print(f"{name}: {len(data) / 1e6 / statistics.median(figures):,.1f} MB/s")
    _, findings = redactor.text_with_findings(data.decode("utf-8", "surrogateescape"))
    print("found:", dict(Counter(finding.rule for finding in findings)) or "nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
