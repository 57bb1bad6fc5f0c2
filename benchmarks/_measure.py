"""Measuring side by side: contestants take turns within one run, and what counts is their ratio.

A machine that is busy with other things slows all contestants of a round alike, so the ratios are taken
round by round; the median of them is printed beside minimum, median and maximum of the figures themselves.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# 1 for a run of some minutes; 10 for ten times the events.
SCALE = float(os.environ.get("LEDGER_BENCH_SCALE", "1"))
ROUNDS = max(5, int(os.environ.get("LEDGER_BENCH_ROUNDS", "5")))
MEMORY = Path("/dev/shm")

Series = dict[str, list[float]]
Work = Callable[[], object]


def scaled(count: int) -> int:
    """`count` at the scale of this run."""
    return max(1, round(count * SCALE))


def seconds(work: Work) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(contestants: Mapping[str, Work], rounds: int = ROUNDS, per: int = 1) -> Series:
    """The seconds of each contestant's call in each round, divided by the `per` things that a call does.

    Every round begins with another contestant, and one round before the first is not counted.
    """
    names = list(contestants)
    found: Series = {name: [] for name in names}
    for turn in range(rounds + 1):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            took = seconds(contestants[name]) / per
            if turn:
                found[name].append(took)
    return found


def ratios(series: Series, name: str, base: str) -> list[float]:
    """How often `base` goes into `name`, round by round."""
    return [one / other for one, other in zip(series[name], series[base], strict=True)]


def table(title: str, series: Series, *, unit: str = "ms", base: str | None = None) -> None:
    """Print the series: seconds in `unit`, or figures as they are, and how each compares with `base`."""
    base = base or next(iter(series))
    factor = {"s": 1, "ms": 1e3, "us": 1e6}.get(unit, 1)
    width = max(len(title), *(len(name) for name in series)) + 2
    print(f"\n{title:<{width}}{'min':>10}{'median':>10}{'max':>10}  {unit:<9}{'ratio':>8}")
    for name, figures in series.items():
        shown = (min(figures), statistics.median(figures), max(figures))
        ratio = statistics.median(ratios(series, name, base))
        print(f"{name:<{width}}{''.join(f'{_figure(f * factor):>10}' for f in shown)}  {'':<9}{ratio:>7.2f}x")


def tails(title: str, series: Series, *, base: str | None = None) -> None:
    """Print how long calls take that somebody waits for, in ms: most of them, and the slow ones."""
    base = base or next(iter(series))
    width = max(len(title), *(len(name) for name in series)) + 2
    print(f"\n{title:<{width}}{'p50':>10}{'p95':>10}{'p99':>10}  {'ms':<9}{'ratio':>8}")
    for name, figures in series.items():
        cuts = statistics.quantiles(figures, n=100)
        shown = "".join(f"{_figure(cuts[at - 1] * 1e3):>10}" for at in (50, 95, 99))
        print(f"{name:<{width}}{shown}  {'':<9}{statistics.median(ratios(series, name, base)):>7.2f}x")


def facts(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print figures that are counted, not timed."""
    width = max(len(title), *(len(name) for name, _ in rows)) + 2
    print(f"\n{title}")
    for name, text in rows:
        print(f"{name:<{width}}{text}")


def machine() -> None:
    """Print what the figures were measured on."""
    import pygit2

    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    day, load = time.strftime("%Y-%m-%d", time.gmtime()), os.getloadavg()[0]
    print(
        f"{day}, {_processor()}, {os.cpu_count()} cores, load {load:.1f}, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, git {git}, "
        f"libgit2 {pygit2.LIBGIT2_VERSION}, scale {SCALE:g}"
    )


def disks() -> Iterator[tuple[str, Path]]:
    """The file systems to measure on: the usual one, and one in memory where there is one."""
    yield "disk", Path(os.environ.get("LEDGER_BENCH_DIR", tempfile.gettempdir()))
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        yield "memory", MEMORY


@contextmanager
def folder(on: Path | None = None) -> Iterator[Path]:
    """A folder that is gone afterwards; on the usual disk unless told otherwise."""
    place = on or next(disks())[1]
    # What cannot be removed must not end a run of ten minutes.
    with tempfile.TemporaryDirectory(prefix="ledger-bench-", dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)


def git_environment() -> dict[str, str]:
    """The environment for git: nothing of the user's, so that all machines do the same work."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "LC_ALL": "C"}


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.001 else f"{value:.1e}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())
